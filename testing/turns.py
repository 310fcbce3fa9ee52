"""A pytest plugin: which of the processes of `pytest -n` runs which tests, and in which order.

A file's tests share what is dear to start, and those of some folders a whole service, but for files
that start one of their own: they stay together. What takes longest comes first, so that no process
is left with it at the end.
"""

import gc
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TESTS = "tasks_app/tests"
TOGETHER = (f"{TESTS}/faults", f"{TESTS}/console")
ALONE = (f"{TESTS}/faults/test_cluster.py", f"{TESTS}/faults/test_failover.py")
LONGEST_FIRST = (
    *TOGETHER,
    f"{TESTS}/circuits/guard/test_programs.py",
    f"{TESTS}/api/test_contract.py",
    f"{TESTS}/system",
    "client/tests",
    f"{TESTS}/attacks",
    f"{TESTS}/api",
    f"{TESTS}/circuits",
)


class Turns(LoadScopeScheduling):  # type: ignore[misc]
    """Files, in the order in which they were collected, to whichever process is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folders = (folder for folder in TOGETHER if file.startswith(folder) and file not in ALONE)
        return next(folders, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Turns:
    config.option.loadscopereorder = False
    return Turns(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.nodeid))


def pytest_collection_finish() -> None:
    gc.freeze()  # thousands of tests, which stay: never look through them again for garbage


def _turn(nodeid: str) -> int:
    starts = (turn for turn, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(starts, len(LONGEST_FIRST))
