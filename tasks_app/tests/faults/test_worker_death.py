"""Row 1: kill -9 of each kind of worker process, and at random."""

import random
import threading
from datetime import datetime

from testing.arena import FAST, Arena, kill, wait_gone
from testing.ledger import HEALTHY_LIMIT_S
from testing.service import BELL, SLACK, eventually

SLOW_S = 3.0


def test_a_task_outlives_its_worker_process(arena: Arena) -> None:
    with arena.trial("Worker process: kill -9") as trial:
        task_id = trial.submit_slow(SLOW_S)
        pid = arena.owner(task_id)
        worker = arena.supervisor_of(pid)
        starts = worker.starts
        family = worker.process.descendants()
        kill(pid)
        trial.end()
        wait_gone(family)
        arena.await_restart(worker, starts=starts)

    task = trial.task(task_id)
    assert task["status"] == "completed"
    first, second = task["status_history"][1:3]
    assert "was lost" in second["notes"]
    assert seconds_between(first, second) < SLACK * (float(FAST["LEASE_S"]) + 5), "lease and 5 s"


def seconds_between(earlier: dict[str, str], later: dict[str, str]) -> float:
    """Seconds between two entries of a task's history."""
    begin, end = (datetime.fromisoformat(each["transitioned_at"]) for each in (earlier, later))
    return (end - begin).total_seconds()


def test_orphaned_worker_processes_end_by_themselves(arena: Arena) -> None:
    with arena.trial("Worker master: kill -9") as trial:
        task_id = trial.submit_slow(SLOW_S)
        worker = arena.supervisor_of(arena.owner(task_id))
        starts = worker.starts
        family = worker.process.descendants()
        kill(worker.process.pid)
        trial.end()
        wait_gone(family)
        arena.await_restart(worker, starts=starts)

    assert trial.task(task_id)["status"] == "completed"


def test_a_task_outlives_its_simulation(arena: Arena) -> None:
    with arena.trial("Simulation: kill -9") as trial:
        task_id = trial.submit_slow(SLOW_S)
        starts = [worker.starts for worker in arena.workers]
        arena.kill_simulation(task_id)

    task = trial.task(task_id)
    assert task["status"] == "completed"
    assert any("SIGKILL" in entry["notes"] for entry in task["status_history"])
    assert [worker.starts for worker in arena.workers] == starts


def test_tasks_that_are_claimed_together_outlive_their_worker(arena: Arena) -> None:
    quick = {"circuit": BELL, "tasks": [{"shots": 10}] * 600}
    with arena.trial(
        "Worker processes: kill -9 amid a batch", healthy_within_s=healthy_after_all_died_s(arena)
    ) as trial:
        batch_id = eventually(
            lambda: arena.service.post("/tasks/batch", quick).body.get("batch_id"),
            what="the batch is accepted",
        )
        for done in (50, 200, 350):
            await_completed(arena, batch_id, done)
            for worker in arena.workers:
                for pid in worker.process.children():  # those that are not being replaced
                    kill(pid)
        trial.end()
        await_completed(arena, batch_id, 600)
    ends = arena.sql(
        "SELECT count(*), count(DISTINCT task_id) FROM tasks_app_statushistory"
        f" JOIN tasks_app_task USING (task_id) WHERE batch_id = '{batch_id}'"
        " AND status = 'completed'"
    )
    assert ends == [(600, 600)]


def await_completed(arena: Arena, batch_id: str, tasks: int) -> None:
    eventually(
        lambda: arena.service.get(f"/batches/{batch_id}").body["counts"]["completed"] >= tasks,
        what=f"{tasks} of the batch are completed",
    )


def test_a_drain_survives_random_kills(arena: Arena) -> None:
    random_kills(arena, seed=random.randrange(2**32), tasks=200, kills=5)


def healthy_after_all_died_s(arena: Arena) -> float:
    """Nothing runs until a worker has started: that time, which a busy machine stretches, is
    granted on top."""
    return HEALTHY_LIMIT_S + 3 * arena.worker_start_s


def random_kills(arena: Arena, *, seed: int, tasks: int, kills: int) -> None:
    """Kill any process of the workers, again and again, while `tasks` are drained."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    pause = threading.Event()
    with arena.trial(
        f"{kills} random kills during a drain of {tasks}",
        clients=8,
        every_s=0,
        limit=tasks,
        burst=True,
        healthy_within_s=healthy_after_all_died_s(arena),
    ) as trial:
        for _ in range(kills):
            worker = dice.choice(arena.workers)
            victims = [worker.process.pid, *worker.process.descendants()]
            kill(dice.choice(victims))
            pause.wait(dice.uniform(0.2, 1.5))
        trial.end()
    eventually(
        lambda: all(
            len(worker.process.children()) == arena.processes_of(worker) for worker in arena.workers
        ),
        what="every worker is back",
    )
