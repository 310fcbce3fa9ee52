"""Whether a worker is gone is said only when it is certain."""

import subprocess
import sys

import pytest

from tasks_app import worker_id


def _hidden(pid: int) -> tuple[str, str]:
    raise FileNotFoundError


def test_a_living_worker_that_proc_hides_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = worker_id.current()
    monkeypatch.setattr(worker_id, "_stat", _hidden)  # as another user's under ProtectProc

    assert not worker_id.is_gone(worker)


def test_a_dead_worker_is_gone_where_proc_hides_the_living(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, _, start, namespace = worker_id.current().split(":")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    monkeypatch.setattr(worker_id, "_stat", _hidden)

    assert worker_id.is_gone(f"{host}:{dead.pid}:{start}:{namespace}")
