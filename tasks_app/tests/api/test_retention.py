"""Purging old tasks, by hand and by the leader."""

import argparse
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from tasks_app import access, retention
from tasks_app.management.commands.purge_tasks import duration
from tasks_app.models import (
    TERMINAL,
    ApiToken,
    AuditEntry,
    Batch,
    IdempotencyKey,
    RuntimeJob,
    RuntimeSession,
    Status,
    StatusHistory,
    Task,
    new_task_id,
)
from tasks_app.recovery import Leader
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, post
from tasks_app.tests.unit.tasks import Session
from testing.service import LIMIT_S

pytestmark = pytest.mark.django_db


def aged(status: Status, *, days: float = 100, **fields: Any) -> Task:
    """A task that was submitted, and has ended if it has, so many days ago."""
    task = people.task_of(None, status, submitted_at=people.ago(days=days), **fields)
    if status in TERMINAL:
        people.rewrite(task, completed_at=people.ago(days=days))
    return task


def copy_of(task: Task) -> Task:
    """The same with another id, unsaved."""
    fields = {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields}
    return Task(**{**fields, "task_id": new_task_id()})


def purge(*arguments: str) -> str:
    out = io.StringIO()
    call_command("purge_tasks", *arguments, stdout=out)
    return out.getvalue().strip()


def left() -> set[str]:
    return set(Task.objects.values_list("current_status", flat=True))


def test_old_tasks_that_have_ended_go_with_their_history_and_keys() -> None:
    for status in TERMINAL:
        aged(status)
    new = aged(Status.COMPLETED, days=89)
    IdempotencyKey.objects.create(key="k", request_sha256="", task=Task.objects.first())

    assert purge("--older-than", "90d") == "3 task(s) and 0 empty batch(es) or session(s) deleted"

    assert Task.objects.get() == new
    assert set(StatusHistory.objects.values_list("task_id", flat=True)) == {new.task_id}
    assert not IdempotencyKey.objects.exists()


def test_what_has_not_ended_is_never_touched_however_old() -> None:
    unfinished = [aged(Status.PENDING, days=4000), aged(Status.PROCESSING, days=4000)]
    assert purge("--older-than", "1m").startswith("0 task(s)")
    assert set(Task.objects.all()) == set(unfinished)


def test_a_task_that_waited_long_is_as_old_as_its_end() -> None:
    task = aged(Status.COMPLETED)
    people.rewrite(task, completed_at=people.ago(days=1))
    assert purge("--older-than", "90d").startswith("0 task(s)")


def test_only_some_states() -> None:
    for status in TERMINAL:
        aged(status)
    purge("--older-than", "90d", "--status", "failed", "--status", "cancelled")
    assert left() == {"completed"}


def test_a_dry_run_only_counts() -> None:
    aged(Status.FAILED)
    assert purge("--older-than", "90d", "--dry-run") == "1 task(s) would be deleted"
    assert left() == {"failed"}


@pytest.mark.parametrize(("text", "age"), [("90d", 90), ("48h", 2), ("1440m", 1)])
def test_ages_are_written_shortly(text: str, age: int) -> None:
    assert duration(text) == timedelta(days=age)


@pytest.mark.parametrize("text", ["90", "d", "-1d", "1.5d", "90 d", "٩d", "1w", ""])
def test_other_ages_are_refused(text: str) -> None:
    if text.isascii():
        with pytest.raises(argparse.ArgumentTypeError):
            duration(text)


@pytest.mark.parametrize("status", ["pending", "processing", "lost"])
def test_other_states_are_refused(status: str) -> None:
    with pytest.raises(CommandError):
        purge("--older-than", "90d", "--status", status)


def test_an_age_must_be_given() -> None:
    with pytest.raises(CommandError, match="older-than"):
        purge()


def test_a_chunk_takes_the_oldest_and_no_more_than_its_size() -> None:
    kept = aged(Status.FAILED, days=95)
    first = aged(Status.FAILED, days=100)
    first.refresh_from_db()
    with people.unguarded():
        Task.objects.bulk_create(copy_of(first) for _ in range(retention.CHUNK - 1))
    assert retention.purge_chunk(older_than=timedelta(days=90)) == retention.CHUNK
    assert Task.objects.get() == kept
    assert retention.purge_chunk(older_than=timedelta(days=90)) == 1
    assert retention.purge_chunk(older_than=timedelta(days=90)) == 0


@pytest.mark.django_db(transaction=True)
def test_rows_that_somebody_holds_are_left_for_the_next_time() -> None:
    held, free = aged(Status.FAILED), aged(Status.FAILED)
    session = Session()
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=held.pk)
        deleted = session.do(lambda: retention.purge_chunk(older_than=timedelta(days=90)))
    session.close()
    assert deleted == 1
    assert Task.objects.get() == held != free


def test_empty_batches_go_too_and_others_stay() -> None:
    for days in (100, 100, 1):
        batch = Batch.objects.create(size=1, submitted_at=people.ago(days=days))
    kept = Batch.objects.order_by("batch_id")[1]
    people.task_of(None, batch=kept, batch_index=0)
    assert purge("--older-than", "90d").endswith(" 1 empty batch(es) or session(s) deleted")
    assert set(Batch.objects.all()) == {kept, batch}


def test_a_purged_batch_may_be_submitted_anew_with_its_key() -> None:
    body = {"tasks": [{"circuit": CIRCUIT}]}
    first = post(body, "/tasks/batch", **{"Idempotency-Key": "k"})
    post({}, f"/batches/{first.json()['batch_id']}/cancel")  # type: ignore[attr-defined]
    Task.objects.all().delete()  # as a purge leaves it until its last chunk
    second = post(body, "/tasks/batch", **{"Idempotency-Key": "k"})
    assert second.status_code == 202
    assert second.json()["batch_id"] != first.json()["batch_id"]  # type: ignore[attr-defined]


# -- by the leader ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_old_sessions_go_once_they_have_no_job(settings: Settings, empty_queue: None) -> None:
    """Also where no task has."""
    settings.RETENTION_DAYS = 90
    fields = {"backend": "aer", "mode": "batch", "max_time_s": 1}
    empty, used, new = (RuntimeSession.objects.create(**fields) for _ in range(3))
    batch = people.batch_of(None, Status.PENDING)
    job = {"batch": batch, "program": "sampler", "backend": "aer", "params": {}, "parts": []}
    RuntimeJob.objects.create(session=used, **job)
    RuntimeSession.objects.exclude(pk=new.pk).update(created_at=people.ago(days=100))
    session = Session()
    session.do(Leader().attend)
    session.close()
    assert set(RuntimeSession.objects.all()) == {used, new} != {empty}


@pytest.mark.django_db(transaction=True)
def test_the_leader_purges_what_is_kept_too_long(settings: Settings, empty_queue: None) -> None:
    settings.RETENTION_DAYS = 90
    aged(Status.COMPLETED, batch=Batch.objects.create(size=1), batch_index=0)
    kept = {aged(Status.COMPLETED, days=89), aged(Status.PENDING)}
    session = Session()
    session.do(Leader().attend)
    session.close()  # and with it the leader's lock
    assert not Batch.objects.exists()  # with its last task, however new
    assert set(Task.objects.all()) == kept


@pytest.mark.django_db(transaction=True)
def test_the_leader_keeps_up_with_more_than_a_chunk_at_a_time(
    settings: Settings, empty_queue: None
) -> None:
    settings.RETENTION_DAYS = 90
    settings.RECOVERY_S = LIMIT_S
    first = aged(Status.FAILED)
    first.refresh_from_db()
    with people.unguarded():
        Task.objects.bulk_create(copy_of(first) for _ in range(3 * retention.CHUNK))
    session = Session()
    session.do(Leader().attend)
    session.close()
    assert not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_everything_is_kept_unless_asked_otherwise(empty_queue: None) -> None:
    aged(Status.COMPLETED, days=4000)
    session = Session()
    session.do(Leader().attend)
    session.close()
    assert left() == {"completed"}


@pytest.mark.django_db(transaction=True)
def test_who_does_not_lead_does_not_purge(settings: Settings, empty_queue: None) -> None:
    settings.RETENTION_DAYS = 90
    aged(Status.COMPLETED)
    leader, follower = Session(), Session()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7101885430117248001)")
        follower.do(Leader().attend)
        assert left() == {"completed"}
        cursor.execute("SELECT pg_advisory_unlock(7101885430117248001)")
    leader.do(Leader().attend)
    assert left() == set()
    leader.close()
    follower.close()


# -- by who adds to it --------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "left"), [(0, 4), (90, 3)])
def test_a_new_token_has_the_old_ones_forgotten(settings: Settings, days: int, left: int) -> None:
    settings.RETENTION_DAYS = days
    ada = people.user("ada")
    people.token(ada, expires_at=people.ago(days=91))
    people.revoked(ada)
    people.token(people.user("bob"), expires_at=people.ago(days=91))
    people.token(ada)
    assert ApiToken.objects.count() == left


def test_old_entries_of_the_audit_go_when_new_ones_come(settings: Settings) -> None:
    settings.AUDIT_DAYS = 90
    for days in (91, 91, 89):
        AuditEntry.objects.create(action="token_created", at=people.ago(days=days))
    for _ in range(access.PURGE_EACH):
        access.audit(None, "token_revoked", 1)
    old = AuditEntry.objects.filter(action="token_created")
    assert old.get().at < people.ago(days=88)
