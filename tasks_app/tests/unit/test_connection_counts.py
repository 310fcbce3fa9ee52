"""Processes know how many connections the others have, and forget the dead."""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quantumtasks.connection_counts import ConnectionCount


def _stand_by(connection: Any) -> None:
    count = ConnectionCount(1)
    for number in iter(connection.recv, None):
        count.set(number)
        connection.send("done")
    count.withdraw()


@contextmanager
def other() -> Iterator[tuple[Any, Any]]:
    """Another process, and the way to tell it how many it has."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_stand_by, args=(theirs,))
    process.start()

    def has(number: int) -> None:
        ours.send(number)
        assert ours.recv() == "done"

    try:
        yield process, has
    finally:
        if process.is_alive():
            ours.send(None)
        process.join()


def test_a_process_knows_whether_another_has_fewer() -> None:
    mine = ConnectionCount(0)
    with other() as (_, has):
        found = []
        for theirs in (0, 2, 3, 4):
            has(theirs)
            mine.set(3)
            found.append(mine.another_has_fewer())
        assert found == [True, True, False, False]
        has(0)
    assert not mine.another_has_fewer()  # it has withdrawn


def test_a_process_that_was_killed_has_none() -> None:
    mine = ConnectionCount(0)
    mine.set(3)
    with other() as (process, has):
        has(1)
        assert mine.another_has_fewer()
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not mine.another_has_fewer()
