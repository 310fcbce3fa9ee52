"""Work of many threads done together: who comes while it runs waits, and goes with the next lot.

A commit, a write to the queue and the wait for both cost nearly the same for eight tasks as for
one. There is no thread for it and no pause: the first to come does its work at once, alone, and
the first of those that came meanwhile does theirs.
"""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Turn(Generic[T]):
    """One thread's item, and what came of it."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.woken = threading.Event()  # it is done, or must be led
        self.group = 0  # items that were done together; 0: not done yet
        self.error: BaseException | None = None


class GroupCommit(Generic[T]):
    """Calls `work` with the items of one or more threads, one lot after the other.

    `work` must do all or none. Its errors of the types `common` are those of all who shared it;
    any other may be the fault of one, so that each then does its own alone, at once. `check` raises
    for a thread that must not do the work of others: it fails alone, and the next one leads.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], None],
        *,
        common: tuple[type[Exception], ...],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._work, self._common, self._check = work, common, check
        self._lock = threading.Lock()
        self._waiting: list[_Turn[T]] = []
        self._led = False

    def __call__(self, item: T) -> None:
        """Return once `work` is done for the item. Raises what it or `check` raised."""
        turn = _Turn(item)
        with self._lock:
            self._waiting.append(turn)
            leads, self._led = not self._led, True
        if not leads:
            turn.woken.wait()
        leads = not turn.group
        if leads:
            self._lead(turn)
        if turn.error is None:
            return
        if turn.group > 1 and not isinstance(turn.error, self._common):
            self._work([item])
        elif leads:
            raise turn.error
        else:  # a copy: raising an exception changes it
            raise copy.copy(turn.error) from turn.error

    def _lead(self, leader: _Turn[T]) -> None:
        """Do the work of all who wait, and leave that of later ones to the first of them."""
        turns, error = [leader], None
        with self._lock:
            self._waiting.remove(leader)
        try:
            self._check()
            with self._lock:
                turns, self._waiting = turns + self._waiting, []
            self._work([turn.item for turn in turns])
        except BaseException as raised:
            error = raised
        for turn in turns:
            turn.group, turn.error = len(turns), error
            turn.woken.set()
        with self._lock:
            self._led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()
