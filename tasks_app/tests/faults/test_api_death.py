"""Row 3: kill -9 of gunicorn's processes, and what a crash leaves half done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testing.arena import FAST, Arena, Trial, kill, wait_gone
from testing.service import Service, eventually


def test_submissions_survive_kills_of_gunicorn(arena: Arena) -> None:
    kill_gunicorn(arena, tasks=300)


def kill_gunicorn(arena: Arena, *, tasks: int) -> None:
    """Kill the workers, then the master, while 32 clients submit."""
    name = f"gunicorn: workers and master killed during {tasks} submissions by 32 clients"
    with arena.trial(name, clients=32, every_s=0.02, limit=tasks, burst=True) as trial:
        for tenth, pid in enumerate(arena.api.process.children(), start=2):
            kill(pid)
            _await_answers(trial, tenth * tasks // 10)
        orphans = arena.api.process.children()
        kill(arena.api.process.pid)
        trial.end()
        wait_gone(orphans)


def _await_answers(trial: Trial, count: int) -> None:
    eventually(lambda: len(trial.stream.answers) >= count, what=f"{count} are answered")


def test_a_task_committed_but_not_rung_is_rung_by_recovery(arena: Arena) -> None:
    """The API dies between commit and publish: the client knows nothing, the task runs."""
    with arena.trial("gunicorn killed between commit and publish", clients=2) as trial:
        arena.links[0].queue.freeze()

        def killed_in_between() -> bool:
            """The API withdraws what it cannot publish: what is still there then stays."""
            before = _pending(arena)
            if before:
                kill(*arena.api.process.children())
            return bool(before & _pending(arena))

        eventually(killed_in_between, what="a task is committed and its API dead")
        arena.links[0].queue.refuse()  # drops what the proxy holds back
        arena.links[0].queue.thaw()
        arena.links[0].queue.allow()

    assert trial.ledger.cut_off > 0
    assert trial.ledger.unanswered_executed > 0
    assert trial.saw("tasks_rung_again")


def _pending(arena: Arena) -> set[object]:
    rows = arena.sql("SELECT task_id FROM tasks_app_task WHERE current_status = 'pending'")
    return {row[0] for row in rows}


@pytest.mark.parametrize(("how", "back"), [("refuse", "allow"), ("freeze", "thaw")])
def test_with_the_accept_policy_tasks_run_without_the_queue(
    how: str, back: str, arena: Arena, tmp_path: Path
) -> None:
    done = {"refuse": "refused", "freeze": "frozen"}[how]
    with arena.trial(f"RabbitMQ {done}, QUEUE_DOWN_POLICY=accept") as trial:
        with _accepting_api(arena, tmp_path) as accepting:
            for proxy in arena.queues:
                getattr(proxy, how)()
            answers = [accepting.submit() for _ in range(5)]
            trial.extra += answers
            for answer in answers:
                assert accepting.finished(answer.body["task_id"])["status"] == "completed"
            for proxy in arena.queues:
                getattr(proxy, back)()
        trial.end()

    assert {answer.status for answer in answers} == {202}


@contextmanager
def _accepting_api(arena: Arena, folder: Path) -> Iterator[Service]:
    environment = {**FAST, **arena.through(arena.links[0]), "QUEUE_DOWN_POLICY": "accept"}
    with Service(folder, env=environment) as service:
        service.start_api(processes=1)
        yield service
