"""Work of many threads done together."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from tasks_app.group_commit import GroupCommit
from testing.service import eventually


class Held:
    """Work that waits for a word, and remembers its groups."""

    def __init__(self, error: Exception | None = None, *, only_for: int | None = None) -> None:
        self.groups: list[list[int]] = []
        self.go = threading.Event()
        self._error, self._only_for = error, only_for

    def __call__(self, items: Sequence[int]) -> None:
        self.groups.append(sorted(items))
        assert self.go.wait(60)
        if self._error is not None and (self._only_for is None or self._only_for in items):
            raise self._error


def _wait(group: GroupCommit[int], count: int) -> bool:
    return len(group._waiting) == count


def all_at_once(work: Held, *, check: Callable[[], None] = lambda: None) -> list[Future[None]]:
    """The outcomes of items 0 to 4: the first is held until the others have come, in order."""
    group = GroupCommit(work, common=(ConnectionError,), check=check)
    with ThreadPoolExecutor(5) as pool:
        outcomes = [pool.submit(group, 0)]
        eventually(lambda: work.groups, what="the first is at work")
        for item in range(1, 5):
            outcomes.append(pool.submit(group, item))
            eventually(partial(_wait, group, item), what="it waits")
        work.go.set()
    return outcomes


def test_what_comes_while_others_are_at_work_goes_together() -> None:
    work = Held()
    assert [each.result() for each in all_at_once(work)] == [None] * 5
    assert work.groups == [[0], [1, 2, 3, 4]]


def test_nobody_waits_for_company() -> None:
    work = Held()
    work.go.set()
    group = GroupCommit(work, common=())
    for item in range(3):
        group(item)
    assert work.groups == [[0], [1], [2]]


def test_an_outage_is_everybodys() -> None:
    work = Held(ConnectionError("away"))
    errors = [each.exception() for each in all_at_once(work)]
    assert [repr(error) for error in errors] == [repr(ConnectionError("away"))] * 5
    assert work.groups == [[0], [1, 2, 3, 4]]
    assert len(set(map(id, errors[1:]))) == 4  # raised in two threads, one would change under both


def test_who_may_not_lead_fails_alone_and_the_next_leads() -> None:
    work = Held()
    tired: list[threading.Thread] = []

    def check() -> None:
        if not tired and work.groups:
            tired.append(threading.current_thread())
            raise ConnectionError("no time is left")

    outcomes = [each.exception() for each in all_at_once(work, check=check)]

    assert sorted(map(repr, outcomes)) == sorted([repr(None)] * 4 + [repr(outcomes[1])])
    assert isinstance(outcomes[1], ConnectionError)
    assert work.groups == [[0], [2, 3, 4]]


def test_the_fault_of_one_is_not_that_of_the_others() -> None:
    work = Held(ValueError("3 is bad"), only_for=3)
    outcomes = all_at_once(work)
    with pytest.raises(ValueError):
        outcomes.pop(3).result()
    assert [each.result() for each in outcomes] == [None] * 4
    assert work.groups[:2] == [[0], [1, 2, 3, 4]]
    assert sorted(work.groups[2:]) == [[1], [2], [3], [4]]


def test_after_an_error_the_next_are_served() -> None:
    work = Held(ConnectionError("away"), only_for=1)
    work.go.set()
    group = GroupCommit(work, common=(ConnectionError,))
    with pytest.raises(ConnectionError):
        group(1)
    group(2)
