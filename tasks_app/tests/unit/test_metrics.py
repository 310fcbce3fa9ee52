"""Counters that processes share: their folder, and what it may hold."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks_app import metric_files, metrics
from tasks_app.circuits.job import METHODS

BEGIN = "from tasks_app import metric_files; print(metric_files.begin(), flush=True); "


def started(then: str, **options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + then],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env=os.environ | options,
    )


def folder_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def age(folder: Path) -> None:
    then = folder.stat().st_mtime - 2 * metric_files._YOUNG_S
    os.utime(folder, (then, then))


def test_a_folder_goes_with_its_process() -> None:
    with started("input()") as process:
        folder = folder_of(process)
        assert folder.is_dir()
        process.communicate("\n")
    assert not folder.exists()


def test_a_fork_that_ends_leaves_the_folder_to_the_others() -> None:
    fork = "import os, sys; os.fork() or sys.exit(); os.wait(); print(flush=True); input()"
    with started(fork) as process:
        folder = folder_of(process)
        assert process.stdout is not None
        process.stdout.readline()  # the fork has ended
        assert folder.is_dir()
        process.communicate("\n")


def test_what_killed_processes_left_is_removed_and_what_others_use_is_not() -> None:
    with started("input()") as killed, started("input()") as living:
        left, used = folder_of(killed), folder_of(living)
        killed.kill()
        killed.wait()
        age(left)
        age(used)
        with started("") as starting:
            assert folder_of(starting) not in (left, used)
        assert not left.exists()
        assert used.is_dir()
        living.communicate("\n")


def test_a_folder_that_was_just_made_is_not_removed() -> None:
    """Whoever has made it may be about to lock it."""
    young = Path(tempfile.mkdtemp(prefix=metric_files._PREFIX, dir="/dev/shm"))
    try:
        with started("") as starting:
            folder_of(starting)
        assert young.is_dir()
    finally:
        young.rmdir()


@pytest.mark.parametrize("method", ["BREW", "get", "x" * 5_000, None])
def test_a_request_method_of_the_clients_own_making_is_no_label(method: str | None) -> None:
    metrics.request("none", method, 405, 0.1)
    assert {seen for _, seen, _ in metrics.REQUESTS._metrics} <= {*metrics.HTTP_METHODS, "other"}


@pytest.mark.parametrize("method", ["a" * 900, None, 17, ["statevector"]])
def test_a_method_that_a_child_made_up_is_no_label(method: object) -> None:
    metrics.ran({"metadata": {"method": method}}, 0.1)
    assert {seen for (seen,) in metrics.RUNNING._metrics} <= {*METHODS, "other"}
