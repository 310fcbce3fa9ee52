"""Row 2: orderly ends in the middle of work."""

import signal
from datetime import UTC, datetime, timedelta

from testing.arena import FAST, Arena
from testing.service import Supervisor, eventually, wait_for_worker

GRACE = timedelta(seconds=float(FAST["SHUTDOWN_GRACE_S"]))


def _restart(arena: Arena, worker: Supervisor) -> int:
    """SIGTERM, and wait for the successor; the exit status."""
    process = worker.process
    process.signal(signal.SIGTERM)
    status = process.wait()
    eventually(lambda: worker.process is not process, what="it is started again")
    if worker is not arena.api:
        wait_for_worker(worker.process, arena.processes_of(worker))
    return status


def test_a_worker_hands_back_what_it_cannot_finish(arena: Arena) -> None:
    with arena.trial("SIGTERM of a worker, task longer than its grace") as trial:
        task_id = trial.submit_slow(9)
        worker = arena.supervisor_of(arena.owner(task_id))
        assert _restart(arena, worker) == 0

    assert trial.task(task_id)["status"] == "completed"
    (row,) = arena.sql(
        f"SELECT attempt, handed_back FROM tasks_app_task WHERE task_id = '{task_id}'"
    )
    assert row == (2, 1), "the attempt does not count against the task"


def test_a_worker_ends_in_time_while_both_servers_are_away(arena: Arena) -> None:
    with arena.trial("SIGTERM of a worker that sees neither server") as trial:
        task_id = trial.submit_slow(9)
        worker = arena.supervisor_of(arena.owner(task_id))
        link = arena.links[1 + arena.workers.index(worker)]
        process = worker.process
        for proxy in (link.database, link.queue):
            proxy.refuse()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        for proxy in (link.database, link.queue):
            proxy.allow()

    assert trial.task(task_id)["status"] == "completed"
    gave_up = [each for each in trial.events if each["event"].startswith("Failed to process")]
    assert gave_up, "its thread ended by itself, and was not waited for in vain"


def test_gunicorn_answers_the_requests_under_way(arena: Arena) -> None:
    with arena.trial("SIGTERM of gunicorn, mid-request") as trial:
        arena.databases[0].delay_s = 0.03  # requests take a while
        before = len(trial.stream.answers)
        eventually(lambda: len(trial.stream.answers) > before, what="a slow answer")
        assert _restart(arena, arena.api) == 0
        arena.databases[0].delay_s = 0

    assert trial.ledger.unanswered_executed == 0


def test_everything_restarts_in_turn_under_load(arena: Arena) -> None:
    """Tasks finish where they run, unless the machine is so slow that the grace is over first."""
    with arena.trial("Rolling restart, SIGTERM of each, tasks shorter than the grace") as trial:
        task_ids: list[str] = []
        restarts = []
        for process in (arena.first, arena.second, arena.api):
            if process is not arena.api:
                task_ids += [trial.submit_slow(1) for _ in range(2)]
                for task_id in task_ids[-2:]:
                    arena.owner(task_id)
            restarts.append(datetime.now(UTC))
            assert _restart(arena, process) == 0

    for task_id in task_ids:
        history = trial.task(task_id)["status_history"]
        handed_back = [entry for entry in history if "handed back:" in entry["notes"]]
        for entry in handed_back:
            at = datetime.fromisoformat(entry["transitioned_at"])
            assert at - max(since for since in restarts if since < at) >= GRACE, history
        attempts = ["processing"] + 2 * len(handed_back) * ["processing"]
        assert [entry["status"] for entry in history] == ["pending", *attempts, "completed"]
