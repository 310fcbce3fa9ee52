"""How many connections each of gunicorn's processes has, in memory that all of them share.

The kernel wakes all processes that wait for a connection, and the first to come takes it: of 64
connections that stay open one process often got 60. So a process leaves a new one, for a moment,
to another that has fewer.
"""

import mmap
import os

from tasks_app.processes import exists

_PROCESSES = 128
# Two numbers for each: process id (0: none), connections. Made before gunicorn forks.
_table = memoryview(mmap.mmap(-1, 8 * _PROCESSES)).cast("I")


class ConnectionCount:
    """The calling process's. `number`: one of its own among the processes that live."""

    def __init__(self, number: int) -> None:
        self._at = number % _PROCESSES * 2
        _table[self._at + 1] = 0
        _table[self._at] = os.getpid()

    def set(self, connections: int) -> None:
        _table[self._at + 1] = connections

    def withdraw(self) -> None:
        """Be nobody for whom others leave connections."""
        _table[self._at] = 0

    def another_has_fewer(self) -> bool:
        mine = _table[self._at + 1]
        return mine > 0 and any(
            _table[at] and _table[at + 1] < mine and _lives(at) for at in range(0, len(_table), 2)
        )


def _lives(at: int) -> bool:
    if not exists(_table[at]):  # it was killed, and could not withdraw
        _table[at] = 0
    return _table[at] != 0
