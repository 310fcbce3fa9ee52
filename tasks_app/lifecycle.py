"""The state machine, and the only code that writes a task's status.

            claim                complete
 pending ──────────▶ processing ──────────▶ completed
    │                 │   ▲  │
    │ cancel          │   └──┘ claim again (lease expired or worker gone; attempt + 1)
    ▼                 │
 cancelled ◀──────────┤ cancel
                      └─────────▶ failed   (bad circuit, limit, attempts used up)

Every move locks the row, checks the arrow, and adds its `StatusHistory` row in the same
transaction. `complete`, `fail`, `hand_back` and `renew` act only on the attempt they are given:
an owner that lost its lease and wakes up late, or has handed its attempt back, changes nothing.
All times are the database's, taken once the row is locked.

What every task goes through is one statement each, which needs no BEGIN and COMMIT: an UPDATE that
names the state (and attempt) it starts from. Whoever comes second waits for the row, finds its
state changed and changes nothing. The rarer moves lock the row first (`_move`).
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

from tasks_app import worker_id
from tasks_app.models import TERMINAL, Status, StatusHistory, Task
from tasks_app.postgresql.base import prepared

ARROWS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.CANCELLED}),
    Status.PROCESSING: frozenset({Status.PROCESSING, *TERMINAL}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

ATTEMPTS_EXHAUSTED = "attempts_exhausted"

_GIVEN = (
    *("task_id", "circuit", "shots", "seed", "options", "name", "tags"),
    *("owner_id", "batch_id", "batch_index", "correlation_id"),
)
_DEFAULTED = tuple(
    field.attname
    for field in Task._meta.concrete_fields
    if field.has_db_default() and field.attname not in _GIVEN
)
_SUBMIT = f"""
    WITH submitted AS (
        INSERT INTO tasks_app_task ({", ".join(_GIVEN)})
        SELECT {", ".join(_GIVEN)} FROM json_populate_recordset(NULL::tasks_app_task, %s::json)
        RETURNING *
    ), history AS (
        INSERT INTO tasks_app_statushistory (task_id, status, notes)
        SELECT task_id, 'pending', 'submitted' FROM submitted
    )
    SELECT {", ".join(_DEFAULTED)} FROM submitted LIMIT 1
"""  # noqa: S608  # names of columns
_CLAIM = """
    WITH lost AS MATERIALIZED (
        SELECT task_id FROM tasks_app_task
        WHERE current_status = 'processing' AND lease_expires_at < statement_timestamp()
        ORDER BY lease_expires_at LIMIT 1
    ), claimed AS (
        UPDATE tasks_app_task
        SET current_status = 'processing', attempt = attempt + 1, worker = %(worker)s::text,
            started_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
        WHERE task_id = %(task_id)s AND current_status = 'pending'
            AND NOT (%(lost_first)s AND EXISTS (SELECT FROM lost))
        RETURNING task_id, attempt, circuit, shots, seed, options, correlation_id, started_at,
            submitted_at
    ), history AS (
        INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
        SELECT task_id, 'processing', started_at,
            'attempt ' || attempt || ' on ' || %(worker)s::text
        FROM claimed
    )
    SELECT lost.task_id, attempt, circuit, shots, seed, options, correlation_id,
        extract(epoch FROM started_at - submitted_at)::float8
    FROM (SELECT) AS always LEFT JOIN lost ON true LEFT JOIN claimed ON true
"""
_FINISH = """
    WITH finished AS (
        UPDATE tasks_app_task
        SET current_status = %(to)s::text, completed_at = clock_timestamp(),
            lease_expires_at = NULL, result = %(result)s, error_code = %(code)s,
            error_message = %(message)s
        WHERE task_id = %(task_id)s AND attempt = %(attempt)s AND current_status = 'processing'
            AND worker <> ''
        RETURNING task_id, completed_at, started_at
    ), history AS (
        INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
        SELECT task_id, %(to)s::text, completed_at, %(notes)s FROM finished
    )
    SELECT extract(epoch FROM completed_at - started_at)::float8 FROM finished
"""
# In the order of their ids, like `renew`: neither waits for the other in a circle.
_CANCEL_ALL = """
    WITH locked AS MATERIALIZED (
        SELECT task_id, current_status,
            extract(epoch FROM statement_timestamp() - CASE current_status
                WHEN 'pending' THEN submitted_at ELSE started_at END)::float8 AS seconds
        FROM tasks_app_task
        WHERE task_id = ANY(%(task_ids)s) AND current_status IN ('pending', 'processing')
        ORDER BY task_id FOR UPDATE
    ), cancelled AS (
        UPDATE tasks_app_task AS task
        SET current_status = 'cancelled', completed_at = clock_timestamp(),
            lease_expires_at = NULL
        FROM locked
        WHERE task.task_id = locked.task_id AND task.current_status IN ('pending', 'processing')
        RETURNING task.task_id, task.completed_at, locked.current_status, seconds
    ), history AS (
        INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
        SELECT task_id, 'cancelled', completed_at, %(reason)s FROM cancelled
    )
    SELECT task_id, current_status, seconds FROM cancelled ORDER BY task_id
"""

log = structlog.get_logger(__name__)


class IllegalTransition(Exception):
    """The task's present state has no arrow to the wanted one. `status` is the present state."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"A task that is {status} cannot be changed that way.")
        self.status = status


class TaskNotFound(Exception):
    """There is no task with this id."""


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

    def __str__(self) -> str:
        return f"{self.task_id}/{self.attempt}"


def submit(**fields: Any) -> Task:
    """A new pending task and its first history row, committed. `fields` are Task's."""
    task = Task(**fields)
    submit_all([task])
    return task


def submit_all(tasks: Sequence[Task]) -> None:
    """`submit` for unsaved tasks, all or none, in one statement."""
    rows = []
    for task in tasks:
        values = vars(task)
        if isinstance(values["name"], DatabaseDefault):
            values["name"] = ""
        rows.append({name: values[name] for name in _GIVEN})
    (row,) = prepared(_SUBMIT, [json.dumps(rows, default=str)])
    defaults = dict(zip(_DEFAULTED, row, strict=True))
    for task in tasks:
        vars(task).update(defaults)
        task._state.adding, task._state.db = False, connection.alias


def withdraw(*task_ids: uuid.UUID, rung_at: datetime | None = None) -> bool:
    """Delete tasks that are all still pending, history included; False, and none deleted, if not.

    For a submission whose messages the queue did not confirm: the client is told that nothing
    was accepted, so nothing may stay. A message that arrived all the same finds no task.
    With `rung_at`, tasks for which somebody has rung since then stay too: a repeated submission
    with the same idempotency key has promised them to its client.
    """
    with transaction.atomic():
        tasks = Task.objects.filter(task_id__in=task_ids)
        locked = list(
            tasks.select_for_update()
            .order_by("task_id")
            .values_list("current_status", "enqueued_at")
        )
        if len(locked) < len(task_ids) or any(
            status != Status.PENDING or (rung_at is not None and at > rung_at)
            for status, at in locked
        ):
            return False
        tasks.delete()
    log.warning("tasks_withdrawn", task_ids=[str(task_id) for task_id in task_ids[:20]])
    return True


def vouch(task_ids: Sequence[uuid.UUID]) -> bool:
    """Note that these tasks were rung for just now; False if any of them exists no more.

    After this, `withdraw` with an earlier `rung_at` leaves them alone.
    """
    with transaction.atomic():
        tasks = Task.objects.filter(task_id__in=task_ids)
        found = list(tasks.select_for_update().order_by("task_id").values_list("task_id"))
        if len(found) < len(task_ids):
            return False
        tasks.with_status(Status.PENDING).update(enqueued_at=Now())
    return True


def claim(task_id: uuid.UUID, *, worker: str, lost_first: bool = False) -> Claim | None:
    """Make `worker` the owner of the task's next attempt, with a lease of `LEASE_S`.

    None if there is nothing to do: terminal, unknown, or owned by a worker whose lease is good.
    A task whose owner is lost is claimed anew; with its attempts used up it fails instead.
    With `lost_first` the claim may be another task's: the one whose owner was lost longest ago.
    """
    values: dict[str, Any] = {
        "task_id": task_id,
        "worker": worker,
        "lease_s": settings.LEASE_S,
        "lost_first": lost_first,
    }
    (row,) = prepared(_CLAIM, values)
    lost_id, attempt, circuit, shots, seed, options, correlation_id, seconds = row
    if attempt is not None:
        note = f"attempt {attempt} on {worker}"
        _log_move(task_id, Status.PENDING, Status.PROCESSING, seconds, note)
        return Claim(
            task_id=task_id,
            attempt=attempt,
            circuit=circuit,
            shots=shots,
            seed=seed,
            options=json.loads(options),
            correlation_id=correlation_id,
        )
    if lost_first and lost_id is not None:
        return _claim_locked(lost_id, worker=worker) or claim(task_id, worker=worker)
    return _claim_locked(task_id, worker=worker)


def _claim_locked(task_id: uuid.UUID, *, worker: str) -> Claim | None:
    """`claim` of one task in whatever state it is, with its row locked."""
    with transaction.atomic():
        task = (
            Task.objects.select_for_update()
            .defer("result")
            .annotate(lease_expired=Q(lease_expires_at__lt=Now()))
            .filter(task_id=task_id)
            .first()
        )
        if task is None:
            log.warning("task_unknown", task_id=str(task_id))
            return None
        note = f"attempt {task.attempt + 1} on {worker}"
        if task.current_status == Status.PROCESSING:
            expired = task.lease_expired  # type: ignore[attr-defined]  # annotated above
            if not expired and not worker_id.is_gone(task.worker):
                log.info("message_duplicate", task_id=str(task_id), owner=task.worker)
                return None
            lost = _how_lost(task)
            if task.attempt - task.handed_back >= settings.MAX_ATTEMPTS:
                _fail_exhausted(task, lost=lost)
                return None
            note = f"{note}; {lost}"
        elif task.current_status != Status.PENDING:
            log.info("message_duplicate", task_id=str(task_id), status=task.current_status)
            return None
        _move(
            task,
            Status.PROCESSING,
            notes=note,
            attempt=F("attempt") + 1,
            worker=worker,
            started_at=Now(),
            lease_expires_at=_lease_end(),
        )
    return Claim(
        task_id=task.task_id,
        attempt=task.attempt + 1,
        circuit=task.circuit,
        shots=task.shots,
        seed=task.seed,
        options=task.options,
        correlation_id=task.correlation_id,
    )


def renew(claims: Iterable[Claim]) -> set[Claim]:
    """Extend the leases of these claims in one statement; what the answer lacks is lost."""
    # In the order in which `cancel_all` locks them: neither waits for the other in a circle.
    by_key = {(c.task_id, c.attempt): c for c in sorted(claims, key=lambda c: c.task_id)}
    if not by_key:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tasks_app_task SET lease_expires_at = now() + make_interval(secs => %s)"
            " FROM unnest(%s::uuid[], %s::int[]) AS held (task_id, attempt)"
            " WHERE tasks_app_task.task_id = held.task_id"
            " AND tasks_app_task.attempt = held.attempt AND current_status = 'processing'"
            " AND worker <> ''"
            " RETURNING held.task_id, held.attempt",
            [
                settings.LEASE_S,
                [task_id for task_id, _ in by_key],
                [attempt for _, attempt in by_key],
            ],
        )
        return {by_key[row] for row in cursor.fetchall()}


def complete(claim: Claim, result: Mapping[str, Any]) -> bool:
    """processing → completed. False, and nothing written, if the claim is no longer the owner."""
    notes = f"attempt {claim.attempt} succeeded"
    return _finish(claim, Status.COMPLETED, notes=notes, result=json.dumps(result))


def fail(claim: Claim, *, code: str, message: str) -> bool:
    """processing → failed. False, and nothing written, if the claim is no longer the owner."""
    return _finish(claim, Status.FAILED, notes=f"{code}: {message}", code=code, message=message)


def _finish(
    claim: Claim,
    to: Status,
    *,
    notes: str,
    result: str | None = None,
    code: str | None = None,
    message: str | None = None,
) -> bool:
    values: dict[str, Any] = {
        "task_id": claim.task_id,
        "attempt": claim.attempt,
        "to": to.value,
        "notes": notes,
        "result": result,
        "code": code,
        "message": message,
    }
    rows = prepared(_FINISH, values)
    if not rows:
        log.warning("stale_owner", task_id=str(claim.task_id), attempt=claim.attempt)
        return False
    _log_move(claim.task_id, Status.PROCESSING, to, rows[0][0], code or notes)
    return True


def hand_back(claim: Claim, *, reason: str, count_attempt: bool) -> bool:
    """End this attempt's lease now, so that the next message or recovery claims the task anew.

    `count_attempt`: whether the attempt counts against the cap (its simulation died) or not (an
    orderly shutdown). False if the claim is no longer the owner.
    """
    with transaction.atomic():
        task = _owned(claim)
        if task is None:
            return False
        _move(
            task,
            Status.PROCESSING,
            notes=f"attempt {claim.attempt} handed back: {reason}",
            worker="",
            lease_expires_at=Now() - timedelta(microseconds=1),
            handed_back=F("handed_back") + (0 if count_attempt else 1),
        )
    return True


def cancel(task_id: uuid.UUID, *, reason: str) -> None:
    """pending or processing → cancelled; a running simulation is stopped at the next renewal.

    Raises `TaskNotFound`, or `IllegalTransition` if the task is terminal.
    """
    with transaction.atomic():
        task = Task.objects.select_for_update().without_bodies().filter(task_id=task_id).first()
        if task is None:
            raise TaskNotFound(task_id)
        _move(task, Status.CANCELLED, notes=reason)


def cancel_all(task_ids: Iterable[uuid.UUID], *, reason: str) -> list[uuid.UUID]:
    """`cancel` for those of these tasks that have not ended, in one statement; their ids."""
    rows = prepared(_CANCEL_ALL, {"task_ids": list(task_ids), "reason": reason})
    for task_id, status, seconds in rows:
        _log_move(task_id, Status(status), Status.CANCELLED, seconds, reason)
    return [task_id for task_id, _, _ in rows]


def fail_if_exhausted(task_id: uuid.UUID) -> bool:
    """processing → failed for a lost task whose attempts are used up; False if it has some left."""
    with transaction.atomic():
        task = (
            Task.objects.select_for_update()
            .without_bodies()
            .lease_expired()
            .filter(task_id=task_id, attempt__gte=F("handed_back") + settings.MAX_ATTEMPTS)
            .first()
        )
        if task is None:
            return False
        _fail_exhausted(task, lost=_how_lost(task))
    return True


def _how_lost(task: Task) -> str:
    if not task.worker:  # `hand_back` has emptied it
        return f"attempt {task.attempt} was handed back"
    return f"attempt {task.attempt} on {task.worker} was lost"


def _fail_exhausted(task: Task, *, lost: str) -> None:
    message = (
        f"All {settings.MAX_ATTEMPTS} attempts to run this circuit ended without an answer: "
        "its worker or simulation died each time. A smaller circuit may pass; if other tasks "
        "fail like this too, the workers need attention."
    )
    _move(
        task,
        Status.FAILED,
        notes=f"{ATTEMPTS_EXHAUSTED}: {lost}",
        error_code=ATTEMPTS_EXHAUSTED,
        error_message=message,
    )


def _owned(claim: Claim) -> Task | None:
    """The claim's row, locked, if the claim still owns it; a stale owner is logged."""
    task = (
        Task.objects.select_for_update()
        .without_bodies()
        .with_status(Status.PROCESSING)
        .filter(task_id=claim.task_id, attempt=claim.attempt)
        .exclude(worker="")
        .first()
    )
    if task is None:
        log.warning("stale_owner", task_id=str(claim.task_id), attempt=claim.attempt)
    return task


def _move(task: Task, to: Status, *, notes: str, **changes: Any) -> None:
    """Write one arrow: the row (locked by the caller), its history and, at commit, its log line."""
    from_ = Status(task.current_status)
    if to not in ARROWS[from_]:
        raise IllegalTransition(from_)
    if to in TERMINAL:
        changes |= {"completed_at": Now(), "lease_expires_at": None}
    Task.objects.filter(task_id=task.task_id).update(current_status=to, **changes)
    entry = StatusHistory.objects.create(task=task, status=to, notes=notes)
    since = task.submitted_at if from_ == Status.PENDING else task.started_at
    seconds = (entry.transitioned_at - since).total_seconds() if since else None
    _log_move(task.task_id, from_, to, seconds, changes.get("error_code", notes))


def _log_move(
    task_id: uuid.UUID, from_: Status, to: Status, seconds: float | None, notes: str
) -> None:
    """The move's log line, at commit. `notes`: no error's message, which may quote the circuit."""
    transaction.on_commit(
        lambda: log.info(
            "task_transition",
            task_id=str(task_id),
            **{"from": from_.value, "to": to.value},
            seconds=seconds,
            notes=notes,
        )
    )


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_S)
