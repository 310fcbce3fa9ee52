"""The state machine, and the only code that writes a task's status.

            claim                complete
 pending ──────────▶ processing ──────────▶ completed
    │                 │   ▲  │
    │ cancel          │   └──┘ claim again (lease expired or worker gone; attempt + 1)
    ▼                 │
 cancelled ◀──────────┤ cancel
                      └─────────▶ failed   (bad circuit, limit, attempts used up)

Each move is one statement (`tasks_app/sql`): it locks the row, checks that the arrow starts there,
and writes the row with its `StatusHistory`. `complete`, `fail`, `hand_back` and `renew` act only
on the attempt they are given: an owner that lost its lease and wakes up late, or has handed its
attempt back, changes nothing. All times are the database's, taken once the row is locked. The
arrows stand a second time in the trigger that guards them (migration 0002); a test compares both.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now
from psycopg.rows import dict_row

from tasks_app import json_text, metrics, sql, turns, worker_id
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Status, Task
from tasks_app.postgresql.base import connection

_SUBMIT, _FINISH = sql.statement("submit"), sql.statement("finish")
_CLAIM = sql.statement("claim", next="claim_next")
_CLAIM_OPEN = sql.statement("claim", next="claim_open")
_CLAIM_ALIKE = sql.statement("claim", next="claim_alike")
_CANCEL, _RENEW = sql.statement("cancel"), sql.statement("renew")
_HAND_BACK, _WAITING_BEHIND = sql.statement("hand_back"), sql.statement("waiting_behind")

ATTEMPTS_EXHAUSTED = "attempts_exhausted"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to finish one attempt of a task, and what is needed to run it."""

    task_id: uuid.UUID
    attempt: int
    circuit: str
    shots: int
    seed: int | None
    correlation_id: str
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)
    max_qubits: int | None = field(default=None, compare=False)
    """Its owner's limit, where it differs from the settings'."""
    batch_id: uuid.UUID | None = None
    owner_id: int | None = None
    max_running: int | None = field(default=None, compare=False)
    """So many tasks of its owner may run at a time, if there is a limit."""
    backend: str = field(default=DEFAULT_BACKEND, compare=False)
    backend_changed_at: datetime | None = field(default=None, compare=False)
    backend_max_qubits: int | None = field(default=None, compare=False)
    traceparent: str | None = field(default=None, compare=False)
    waited_s: float = field(default=0.0, compare=False)
    """From its submission, or from the claim that was lost, to this one."""


def submit(tasks: Sequence[Task]) -> None:
    """Store unsaved tasks as pending, all or none."""
    rows = [
        {name: value for name, value in vars(task).items() if _is_column(name, value)}
        for task in tasks
    ]
    ((submitted_at,),) = connection.prepared(
        _SUBMIT, {"tasks": json_text.dumps(rows).decode(), **turns.limits()}
    )
    for task in tasks:
        task.submitted_at = task.enqueued_at = submitted_at
        task.current_status = Status.PENDING
        task._state.adding, task._state.db = False, connection.alias
    transaction.on_commit(lambda: metrics.moved("none", Status.PENDING, len(tasks)))


def _is_column(name: str, value: Any) -> bool:
    return not name.startswith("_") and not isinstance(value, DatabaseDefault)


def withdraw(*task_ids: uuid.UUID, rung_at: datetime | None = None) -> bool:
    """Delete tasks that are all still pending, history included; False, and none deleted, if not.

    For a submission whose messages the queue did not confirm: the client is told that nothing
    was accepted, so nothing may stay. A message that arrived all the same finds no task.
    With `rung_at`, tasks for which somebody has rung since then stay too: a repeated submission
    with the same idempotency key has promised them to its client.
    """
    with transaction.atomic():
        tasks = Task.objects.filter(task_id__in=task_ids)
        # Of the others no row is locked: who claims steps over one that is.
        locked = tasks.with_status(Status.PENDING).locked()
        rung = list(locked.values_list("enqueued_at", flat=True))
        if len(rung) < len(task_ids) or (rung_at is not None and any(at > rung_at for at in rung)):
            return False
        tasks.delete()
    metrics.moved(Status.PENDING, "withdrawn", len(task_ids))
    log.warning("tasks_withdrawn", task_ids=[str(task_id) for task_id in task_ids[:20]])
    return True


def note_rung(task_ids: Sequence[uuid.UUID]) -> bool:
    """Note that these tasks were rung for just now; False if any of them exists no more.

    After this, `withdraw` with an earlier `rung_at` leaves them alone.
    """
    with transaction.atomic():
        tasks = Task.objects.filter(task_id__in=task_ids)
        found = len(tasks.locked().values_list("task_id"))
        tasks.unfinished().update(enqueued_at=Now())
    return found == len(task_ids)


def claim(
    *, worker: str, backend: str = DEFAULT_BACKEND, batch: uuid.UUID | None = None
) -> list[Claim]:
    """Make `worker` the owner of a task's next attempt, with a lease of `LEASE_S`.

    The task is the backend's one lost longest ago; where none is lost, the one whose turn it is of
    those whose owner may have more of them run. Nothing if there is nothing to do, or the backend
    is not online. One that is lost with its attempts used up fails instead.

    With `batch`, whose tasks are known to be quick, several of them if it is their turn and nothing
    bounds how many of them may run: a commit for each would take longer than the simulation.
    """
    bounds = turns.limits()
    values: dict[str, Any] = {
        "backend": backend,
        "batch": batch,
        "worker": worker,
        "worker_public": worker_id.public(worker),
        "lease_s": settings.LEASE_S,
        "max_attempts": settings.MAX_ATTEMPTS,
        **bounds,
    }
    statement = _CLAIM if batch is None or any(bounds.values()) else _CLAIM_ALIKE
    while True:
        rows = connection.prepared(statement, values, row_factory=dict_row)
        if claims := [_claimed(row, backend) for row in rows if row["attempt"] is not None]:
            return claims
        if rows and rows[0]["current_status"] == Status.PROCESSING:
            fail_exhausted(rows[0]["task_id"])
        elif statement == _CLAIM_ALIKE:  # it is another's turn
            statement = _CLAIM
        elif rows:  # its owner runs as many as it may: look behind all of that owner's
            statement = _CLAIM_OPEN
        else:
            return []


def _claimed(row: dict[str, Any], backend: str) -> Claim:
    """Count and log it too."""
    status, notes = row.pop("current_status"), row.pop("notes")
    claim = Claim(backend=backend, **row | {"options": json.loads(row["options"])})
    to = Status.PROCESSING
    _log_move(claim.task_id, status, to, claim.waited_s, notes, claim.correlation_id)
    if status == Status.PENDING:
        metrics.waited(claim.options, claim.waited_s)
    return claim


def renew(claims: Iterable[Claim]) -> set[Claim]:
    """Extend the leases of these claims in one statement; what the answer lacks is lost."""
    by_key = {(each.task_id, each.attempt): each for each in claims}
    if not by_key:
        return set()
    values = {
        "task_ids": [task_id for task_id, _ in by_key],
        "attempts": [attempt for _, attempt in by_key],
        "lease_s": settings.LEASE_S,
    }
    return {by_key[task_id, attempt] for task_id, attempt in connection.prepared(_RENEW, values)}


def expire_leases(workers: Sequence[str]) -> int:
    """End the leases of workers that are known to be gone; how many there were."""
    held = Task.objects.with_status(Status.PROCESSING).filter(worker__in=workers)
    with transaction.atomic():
        unexpired = held.filter(lease_expires_at__gte=Now()).locked()
        ids = list(unexpired.values_list("task_id", flat=True))
        return Task.objects.filter(task_id__in=ids).update(lease_expires_at=Now())


class Outcome(NamedTuple):
    """How an attempt of a task ended."""

    task_id: uuid.UUID
    attempt: int
    notes: str
    result: Mapping[str, Any] | None = None
    code: str | None = None
    message: str | None = None
    correlation_id: str | None = None


def completed(claim: Claim, result: Mapping[str, Any]) -> Outcome:
    """The end of an attempt that has a result."""
    notes = f"attempt {claim.attempt} succeeded"
    return Outcome(claim.task_id, claim.attempt, notes, result, correlation_id=claim.correlation_id)


def failed(claim: Claim, *, code: str, message: str) -> Outcome:
    """The end of an attempt that shows what is wrong with the task."""
    return Outcome(
        *(claim.task_id, claim.attempt, f"{code}: {message}", None, code, message),
        correlation_id=claim.correlation_id,
    )


def finish(outcomes: Sequence[Outcome], *, lost: bool = False) -> int:
    """processing → completed or failed, all in one commit; of how many.

    Nothing is written of those that no longer are their owner's. `lost`: nor are they anybody's.
    """
    rows = json_text.dumps([each._asdict() for each in outcomes]).decode()
    seconds = dict(connection.prepared(_FINISH, {"outcomes": rows, "lost": lost}))
    for each in outcomes:
        if each.task_id not in seconds:
            _stale(each.task_id, each.attempt)
            continue
        to = Status.COMPLETED if each.code is None else Status.FAILED
        if each.code is not None:
            transaction.on_commit(metrics.FAILURES.labels(each.code).inc)
        _log_move(
            *(each.task_id, Status.PROCESSING, to, seconds[each.task_id]),
            *(each.code or each.notes, each.correlation_id),
        )
    return len(seconds)


def complete(claim: Claim, result: Mapping[str, Any]) -> bool:
    """processing → completed. False, and nothing written, if the claim is no longer the owner."""
    return bool(finish([completed(claim, result)]))


def fail(claim: Claim, *, code: str, message: str) -> bool:
    """processing → failed. False, and nothing written, if the claim is no longer the owner."""
    return bool(finish([failed(claim, code=code, message=message)]))


class Waiting(NamedTuple):
    """A pending task, as its message needs it."""

    task_id: uuid.UUID
    correlation_id: str
    backend: str


def waiting_behind(claim: Claim) -> list[Waiting]:
    """If the claim's owner has a limit of running tasks: which is next, on each backend.

    Their messages may be gone: they came while the limit was reached, and found nothing to do.
    """
    if claim.max_running is None:
        return []
    rows = connection.prepared(_WAITING_BEHIND, {"owner": claim.owner_id or 0})
    return list(map(Waiting._make, rows))


def fail_exhausted(task_id: uuid.UUID) -> bool:
    """processing → failed for a lost task whose attempts are used up; False if it has some left."""
    with transaction.atomic():
        lost = Task.objects.lease_expired().exhausted().filter(task_id=task_id)
        found = lost.select_for_update().values_list("attempt", "worker").first()
        if found is None:
            return False
        attempt, worker = found
        how = "was lost" if worker else "was handed back"
        message = (
            f"All {settings.MAX_ATTEMPTS} attempts to run this circuit ended without an "
            "answer: its worker or simulation died each time. A smaller circuit may pass; if other "
            "tasks fail like this too, the workers need attention."
        )
        notes = f"{ATTEMPTS_EXHAUSTED}: attempt {attempt} {how}"
        outcome = Outcome(task_id, attempt, notes, code=ATTEMPTS_EXHAUSTED, message=message)
        return bool(finish([outcome], lost=True))


def hand_back(claim: Claim, *, reason: str, count_attempt: bool) -> bool:
    """End this attempt's lease now, so that the next message or recovery claims the task anew.

    `count_attempt`: whether the attempt counts against the cap (its simulation died) or not (an
    orderly shutdown). False if the claim is no longer the owner.
    """
    notes = f"attempt {claim.attempt} handed back: {reason}"
    values = {
        **{"task_id": claim.task_id, "attempt": claim.attempt},
        **{"notes": notes, "count_attempt": count_attempt},
    }
    rows = connection.prepared(_HAND_BACK, values)
    if not rows:
        _stale(claim.task_id, claim.attempt)
        return False
    ((seconds,),) = rows
    status = Status.PROCESSING
    _log_move(claim.task_id, status, status, seconds, notes, claim.correlation_id)
    return True


def _stale(task_id: uuid.UUID, attempt: int) -> None:
    metrics.CLAIMS_LOST.inc()
    log.warning("stale_owner", task_id=str(task_id), attempt=attempt)


def cancel(task_ids: Iterable[uuid.UUID], *, reason: str) -> list[uuid.UUID]:
    """pending or processing → cancelled, for those of these tasks that have not ended; their ids.

    A running simulation is stopped when its lease is renewed next.
    """
    rows = connection.prepared(_CANCEL, {"task_ids": list(task_ids), "reason": reason})
    for task_id, status, seconds in rows:
        _log_move(task_id, status, Status.CANCELLED, seconds, reason)
    return [task_id for task_id, _, _ in rows]


def _log_move(
    task_id: uuid.UUID,
    from_: str,
    to: Status,
    seconds: float,
    notes: str,
    correlation_id: str | None = None,
) -> None:
    """Count and log the move, at commit. `notes`: no error's message, it may quote the circuit."""
    move = {"from": str(from_), "to": to.value, "seconds": seconds, "notes": notes}
    if correlation_id is not None:  # else it is that of whoever asked for the move
        move["correlation_id"] = correlation_id
    transaction.on_commit(lambda: metrics.moved(from_, to))
    transaction.on_commit(lambda: log.info("task_transition", task_id=str(task_id), **move))
