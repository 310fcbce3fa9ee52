"""Rows 8 and 9: workers that lose time, or have the wrong one."""

import signal
from pathlib import Path

import pytest

from testing.arena import FAST, Arena, kill
from testing.clocks import clock_offset_s, wrong_clock
from testing.service import Process, Service, Supervisor, eventually


def test_the_late_result_of_a_paused_worker_is_fenced_off(arena: Arena) -> None:
    with arena.trial("Worker: SIGSTOP beyond its lease, SIGCONT") as trial:
        task_id = trial.submit_slow(4)
        owner = arena.owner(task_id)
        kill(owner, signum=signal.SIGSTOP)
        try:
            eventually(
                lambda: trial.task(task_id)["status"] == "completed",
                what="the task runs elsewhere",
            )
        finally:
            kill(owner, signum=signal.SIGCONT)
        arena.await_event("stale_owner", task_id=task_id, attempt=1)

    history = [entry["status"] for entry in trial.task(task_id)["status_history"]]
    assert history == ["pending", "processing", "processing", "completed"]


def test_a_paused_recovery_leader_is_replaced(arena: Arena) -> None:
    with arena.trial("Recovery leader: SIGSTOP beyond its lease, SIGCONT") as trial:
        leader: Supervisor = eventually(arena.leader, what="there is a leader")
        paused = leader.process.children()
        kill(*paused, signum=signal.SIGSTOP)
        try:
            eventually(
                lambda: arena.leader() not in (None, leader),
                what="another worker leads recovery",
            )
        finally:
            kill(*paused, signum=signal.SIGCONT)

    assert trial.ledger.completed == trial.ledger.accepted


def test_recovery_has_a_new_leader_as_soon_as_the_old_one_dies(arena: Arena) -> None:
    with arena.trial("Recovery leader: kill -9") as trial:
        leader: Supervisor = eventually(arena.leader, what="there is a leader")
        starts, silences = leader.starts, _sessions_ended_for_silence(arena)
        kill(*leader.process.children())
        eventually(lambda: arena.leader() not in (None, leader), what="another one leads")
        assert _sessions_ended_for_silence(arena) == silences, "it did not have to wait for that"
        trial.end()
        arena.await_restart(leader, starts=starts)


def _sessions_ended_for_silence(arena: Arena) -> int:
    return arena.postgres.log_path.read_text().count("due to idle-session timeout")


@pytest.mark.parametrize("hours", [2, pytest.param(-2, marks=pytest.mark.long)])
def test_a_worker_whose_clock_is_wrong_takes_and_loses_nothing(
    hours: int, arena: Arena, tmp_path: Path
) -> None:
    environment = {
        **FAST,
        "DATABASE_URL": arena.database_url,
        "RABBITMQ_URL": arena.rabbit.url,
        **wrong_clock(tmp_path, hours),
    }
    name = f"A worker's clock wrong by {hours:+} h"
    with arena.trial(name) as trial, Service(tmp_path, env=environment) as wrong:
        worker = wrong.start_worker(processes=1, threads=1)
        (pid,) = worker.children()
        for _ in range(6):
            trial.submit_slow(0.7)
        eventually(lambda: _leads(arena, worker), what="it leads recovery")
        for _ in range(6):
            trial.submit_slow(0.7)
        eventually(lambda: not arena.unfinished_slow_tasks(), what="all have run")
        assert abs(clock_offset_s(worker) - hours * 3600) < 1800, "its clock is wrong"

    rows = arena.sql(
        f"SELECT attempt, worker FROM tasks_app_task WHERE submitted_at >= '{trial.begun_at}'"
    )
    assert {row[0] for row in rows} == {1}, "nobody took what was another's"
    assert any(f":{pid}:" in str(row[1]) for row in rows), "it did its share"


def _leads(arena: Arena, worker: Process) -> bool:
    """Whether it leads; if another worker does, that one loses its session."""
    if arena.leader() is None:
        events = [line["event"] for line in worker.lines() if "recovery_" in line["event"]]
        return events[-1:] == ["recovery_leader"]
    arena.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    )
    return False
