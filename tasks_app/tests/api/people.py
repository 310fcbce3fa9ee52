"""People with tokens, and what belongs to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone

from tasks_app import access, lifecycle
from tasks_app.models import ApiToken, Batch, Status, Task
from tasks_app.tests.api.client import send
from tasks_app.tests.unit.tasks import CIRCUIT, RESULT, claimed, submitted

PASSWORD = "Correct-horse-7"


def ago(**amount: float) -> datetime:
    return timezone.now() - timedelta(**amount)


def user(name: str, **fields: Any) -> User:
    """A user of this name, made on first use."""
    return User.objects.get_or_create(username=name, defaults=fields)[0]


def token(owner: User, **fields: Any) -> str:
    return access.create_token(owner, label="test", **fields)[1]


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def expired(owner: User) -> str:
    return token(owner, expires_at=ago(seconds=1))


def revoked(owner: User) -> str:
    text = token(owner)
    access.revoke(ApiToken.objects.filter(pk=ApiToken.objects.latest("id").pk))
    return text


def task_of(owner: User | None, status: Status = Status.PENDING, **fields: Any) -> Task:
    """A task in that state, moved there by the real moves; times of the past are written after."""
    past = {name: fields.pop(name) for name in ("submitted_at", "enqueued_at") if name in fields}
    fields = {"circuit": CIRCUIT, "shots": 3, "correlation_id": "c-1", "owner": owner, **fields}
    task = submitted(**fields)
    if status == Status.CANCELLED:
        lifecycle.cancel([task.task_id], reason="not wanted")
    elif status != Status.PENDING:
        claim = claimed(task.task_id)
        if status == Status.COMPLETED:
            lifecycle.complete(claim, RESULT)
        elif status == Status.FAILED:
            lifecycle.fail(claim, code="bad", message="It is bad.")
    if past:
        rewrite(task, **past)
    task.refresh_from_db()
    return task


@contextmanager
def unguarded() -> Iterator[None]:
    """The database's triggers look away: for tasks of the past."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


def rewrite(task: Task, **fields: Any) -> None:
    """Change what the guards forbid to change: when a task started and ended."""
    with unguarded():
        Task.objects.filter(pk=task.pk).update(**fields)


def batch_of(owner: User | None, *statuses: Status) -> Batch:
    """A batch with one element in each of these states."""
    batch = Batch.objects.create(owner=owner, size=len(statuses))
    for index, status in enumerate(statuses):
        task_of(owner, status, batch=batch, batch_index=index)
    return batch


def ask(method: str, path: str, text: str | None, body: bytes = b"") -> HttpResponse:
    """A request with this token, or with none."""
    return send(method, path, body, **(bearer(text) if text else {}))
