"""Row 7: a circuit whose every attempt dies."""

import threading

from tasks_app.lifecycle import ATTEMPTS_EXHAUSTED
from tasks_app.tests.faults.arena import Arena, Trial, kill
from tasks_app.tests.service import children, cpu_ticks, eventually


def test_a_poisonous_circuit_fails_after_the_last_attempt(arena: Arena) -> None:
    with arena.trial("Poison: every attempt's simulation dies") as trial:
        task_id = trial.submit_slow(20)
        for attempt in (1, 2, 3):
            _kill_attempt(arena, trial, task_id, attempt)
        eventually(
            lambda: trial.task(task_id)["completed_at"], within_s=15, what="the task is given up"
        )

    task = trial.task(task_id)
    assert task["status"] == "failed"
    assert task["error_code"] == ATTEMPTS_EXHAUSTED
    assert "All 3 attempts" in task["error_message"]
    assert trial.ledger.failed == 1
    assert trial.ledger.completed == trial.ledger.accepted - 1, "everything else is unaffected"


def _kill_attempt(arena: Arena, trial: Trial, task_id: str, attempt: int) -> None:
    worker = arena.owner(task_id, attempt=attempt)

    def killed() -> bool:
        kill(_busiest_child(worker))
        history = trial.task(task_id)["status_history"]
        return any(f"attempt {attempt} handed back" in entry["notes"] for entry in history)

    eventually(killed, within_s=15, what=f"attempt {attempt} is over")


def _busiest_child(worker: int) -> int:
    """The simulation that computes: other tasks take milliseconds."""

    def busy() -> int | None:
        before = {child: cpu_ticks(child) for child in children(worker)}
        threading.Event().wait(0.3)
        worked = {child: cpu_ticks(child) - before[child] for child in before}
        child = max(worked, key=lambda each: worked[each])
        return child if worked[child] >= 3 else None

    child: int = eventually(busy, within_s=10, what="a simulation computes")
    return child
