"""Row 7: a circuit whose every attempt dies."""

from tasks_app.lifecycle import ATTEMPTS_EXHAUSTED
from testing.arena import Arena
from testing.service import eventually


def test_a_poisonous_circuit_fails_after_the_last_attempt(arena: Arena) -> None:
    with arena.trial("Poison: every attempt's simulation dies") as trial:
        task_id = trial.submit_slow(20)
        for attempt in (1, 2, 3):
            arena.kill_simulation(task_id, attempt=attempt)
        eventually(lambda: trial.task(task_id)["completed_at"], what="the task is given up")

    task = trial.task(task_id)
    assert task["status"] == "failed"
    assert task["error_code"] == ATTEMPTS_EXHAUSTED
    assert "All 3 attempts" in task["error_message"]
    assert trial.ledger.failed == 1
    assert trial.ledger.completed == trial.ledger.accepted - 1, "everything else is unaffected"
