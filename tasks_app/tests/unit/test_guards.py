"""The database as the last guard: what no psql session, admin page or bug can do.

Everything here is raw SQL, past the ORM and past `lifecycle`.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tasks_app.models import TERMINAL, Status, StatusHistory, Task
from tasks_app.tests.unit.tasks import ARROWS, claimed, history, in_state, pending, processing

pytestmark = pytest.mark.django_db

# What a row must also carry in each state, so that no mere constraint stands in for a trigger.
FITTING = {
    Status.PENDING: "attempt = 0, completed_at = NULL, lease_expires_at = NULL, result = NULL, "
    "error_code = NULL, error_message = NULL",
    Status.PROCESSING: "attempt = attempt + 1, started_at = now(), lease_expires_at = now(), "
    "completed_at = NULL, result = NULL, error_code = NULL, error_message = NULL",
    Status.COMPLETED: "completed_at = now(), lease_expires_at = NULL, result = '{}', "
    "error_code = NULL, error_message = NULL",
    Status.FAILED: "completed_at = now(), lease_expires_at = NULL, result = NULL, "
    "error_code = 'x', error_message = 'x'",
    Status.CANCELLED: "completed_at = now(), lease_expires_at = NULL, result = NULL, "
    "error_code = NULL, error_message = NULL",
}


def execute(sql: str, parameters: Sequence[Any] = ()) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at a commit
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def update(task_id: uuid.UUID, assignments: str) -> None:
    assert execute(f"UPDATE tasks_app_task SET {assignments} WHERE task_id = %s", [task_id]) == 1


def everything(task_id: uuid.UUID) -> Any:
    return Task.objects.filter(task_id=task_id).values().get(), history(task_id)


def refused(task_id: uuid.UUID, sql: str, parameters: Sequence[Any] | None = None) -> None:
    """The statement raises, and nothing about the task is changed."""
    before = everything(task_id)
    with pytest.raises(IntegrityError):
        execute(sql, [task_id] if parameters is None else parameters)
    assert everything(task_id) == before


def refused_update(task_id: uuid.UUID, assignments: str) -> None:
    refused(task_id, f"UPDATE tasks_app_task SET {assignments} WHERE task_id = %s")


@pytest.mark.parametrize("from_", Status)
@pytest.mark.parametrize("to", Status)
def test_only_the_arrows_exist(from_: Status, to: Status) -> None:
    task_id = in_state(from_)
    assignments = f"current_status = '{to}', {FITTING[to]}"
    if to in ARROWS[from_] or from_ == to == Status.PENDING:
        update(task_id, assignments)
        assert Task.objects.get(task_id=task_id).current_status == to
    else:
        refused_update(task_id, assignments)


def test_there_is_no_sixth_status() -> None:
    refused_update(pending(), "current_status = 'lost'")


@pytest.mark.parametrize("status", TERMINAL)
@pytest.mark.parametrize(
    "assignments",
    [
        "attempt = attempt + 1",
        "attempt = 9",
        "worker = 'somebody else'",
        "completed_at = completed_at + interval '1 second'",
        "completed_at = NULL",
        "result = '{\"counts\": {}}'",
        "error_code = 'other'",
        "error_message = 'other'",
        "started_at = now() - interval '1 day'",
        "handed_back = attempt, attempt = attempt + 1",
        "lease_expires_at = now()",
    ],
)
def test_the_outcome_of_a_finished_task_is_final(status: Status, assignments: str) -> None:
    refused_update(in_state(status), assignments)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_how_often_a_finished_task_was_handed_back_is_final(status: Status) -> None:
    refused_update(in_state(status), "handed_back = 1")


@pytest.mark.parametrize("attempt", ["attempt + 2", "attempt - 1", "0", "1000"])
def test_the_fence_moves_one_step_at_a_time_and_never_back(attempt: str) -> None:
    task_id = processing().task_id
    update(task_id, "attempt = attempt + 1")
    refused_update(task_id, f"attempt = {attempt}")


@pytest.mark.parametrize("attempt", [0, 2])
def test_the_first_claim_is_attempt_one(attempt: int) -> None:
    refused_update(
        pending(),
        f"current_status = 'processing', attempt = {attempt}, started_at = now(), "
        "lease_expires_at = now()",
    )


@pytest.mark.parametrize("to", TERMINAL)
def test_finishing_is_no_new_attempt(to: Status) -> None:
    refused_update(
        processing().task_id, f"current_status = '{to}', {FITTING[to]}, attempt = attempt + 1"
    )


@pytest.mark.parametrize(
    "assignments",
    [
        "lease_expires_at = NULL",
        "started_at = NULL",
        "result = '{}'",
        "error_code = 'x', error_message = 'x'",
        "completed_at = now()",
        "handed_back = 2",
        "handed_back = -1",
    ],
)
def test_a_running_task_has_a_lease_and_no_outcome(assignments: str) -> None:
    refused_update(processing().task_id, assignments)


@pytest.mark.parametrize(
    "assignments",
    [
        "current_status = 'completed', completed_at = now(), lease_expires_at = NULL",
        "current_status = 'completed', result = '{}', lease_expires_at = NULL",
        "current_status = 'completed', result = '{}', completed_at = now()",
        "current_status = 'failed', completed_at = now(), lease_expires_at = NULL",
        "current_status = 'failed', completed_at = now(), lease_expires_at = NULL, "
        "error_code = 'x'",
        "current_status = 'failed', completed_at = now(), lease_expires_at = NULL, "
        "error_message = 'x'",
        "current_status = 'cancelled', lease_expires_at = NULL",
    ],
)
def test_an_outcome_is_complete_or_absent(assignments: str) -> None:
    refused_update(processing().task_id, assignments)


@pytest.mark.parametrize("status", [Status.PROCESSING, *TERMINAL])
def test_a_task_is_born_pending(status: Status) -> None:
    """A copy of a real row in that state, valid but for its birth."""
    fields = [field for field in Task._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(str(field.column) for field in fields)
    task_id = in_state(status)
    refused(
        task_id,
        f"INSERT INTO tasks_app_task (task_id, {columns}) "
        f"SELECT gen_random_uuid(), {columns} FROM tasks_app_task WHERE task_id = %s",
    )
    assert Task.objects.count() == 1


@pytest.mark.parametrize("shots", [0, -1])
def test_a_task_runs_at_least_once(shots: int) -> None:
    with pytest.raises(IntegrityError):
        pending(shots=shots)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(
    "assignment",
    [
        "circuit = 'another'",
        "shots = 5",
        "seed = 5",
        "correlation_id = 'another'",
        "submitted_at = now()",
        "task_id = gen_random_uuid()",
    ],
)
def test_what_was_submitted_stays_as_it_was(status: Status, assignment: str) -> None:
    refused_update(in_state(status), assignment)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tasks_app_statushistory SET notes = 'rewritten' WHERE task_id = %s",
        "UPDATE tasks_app_statushistory SET status = 'failed' WHERE task_id = %s",
        "UPDATE tasks_app_statushistory SET transitioned_at = now() WHERE task_id = %s",
        "UPDATE tasks_app_statushistory SET task_id = gen_random_uuid() WHERE task_id = %s",
        "DELETE FROM tasks_app_statushistory WHERE task_id = %s",
    ],
)
@pytest.mark.parametrize("status", Status)
def test_history_is_append_only(status: Status, sql: str) -> None:
    refused(in_state(status), sql)


def test_history_cannot_be_truncated_from_under_its_tasks() -> None:
    refused(pending(), "TRUNCATE tasks_app_statushistory", [])


def test_tasks_cannot_be_truncated_without_their_history() -> None:
    task_id = pending()
    before = everything(task_id)
    with pytest.raises(DatabaseError, match="foreign key"):
        execute("TRUNCATE tasks_app_task")
    assert everything(task_id) == before


def test_both_tables_may_be_emptied_together() -> None:
    """What a test's clean-up does, and an operator who starts over."""
    pending()
    execute("TRUNCATE tasks_app_task CASCADE")
    assert not Task.objects.exists() and not StatusHistory.objects.exists()


def test_history_belongs_to_a_task() -> None:
    with pytest.raises(IntegrityError):
        execute(
            "INSERT INTO tasks_app_statushistory (task_id, status) VALUES (%s, 'pending')",
            [uuid.uuid4()],
        )


def test_a_running_task_cannot_be_deleted() -> None:
    refused(processing().task_id, "DELETE FROM tasks_app_task WHERE task_id = %s")


@pytest.mark.parametrize("status", [Status.PENDING, *TERMINAL])
def test_deleting_any_other_task_takes_exactly_its_history_along(status: Status) -> None:
    keep, task_id = in_state(status), in_state(status)
    kept = everything(keep)

    assert execute("DELETE FROM tasks_app_task WHERE task_id = %s", [task_id]) == 1

    assert not StatusHistory.objects.filter(task_id=task_id).exists()
    assert everything(keep) == kept


def test_a_lease_may_be_moved_and_a_ring_noted_without_a_transition() -> None:
    """The two edits that heartbeat and recovery make, the latter in any state."""
    claim = claimed(pending())
    update(claim.task_id, "lease_expires_at = now() + interval '1 hour'")
    for status in Status:
        update(in_state(status), "enqueued_at = now()")
