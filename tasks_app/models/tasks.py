"""`Task` and its append-only `StatusHistory`; batches, and the keys of idempotent submissions.

The constraints say what a row may look like in each state, and triggers (migration 0002) which
moves and edits exist at all, so that no code path, admin page or psql session can break the
state machine. The machine itself is `lifecycle`, the only writer of status.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce, Now
from uuid_utils.compat import uuid7

from tasks_app.circuits.backend import DEFAULT_BACKEND


def new_task_id() -> uuid.UUID:
    """A time-ordered id (UUIDv7): new rows land on the index's last page, however many exist."""
    return uuid7()


class Status(models.TextChoices):
    """The five states of a task; the last three are terminal."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


MAX_PRIORITY = 100  # and as far below 0
TURN_BITS = 54  # of a turn, below what its priority makes of it (sql/submit.sql)
INTERNAL_ERROR = "internal_error"  # the `error_code` of what was our own fault
TERMINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class TaskQuerySet(models.QuerySet["Task"]):
    """Reads that more than one place needs. All times are the database's."""

    def with_status(self, *statuses: Status) -> "TaskQuerySet":
        return self.filter(current_status__in=statuses)

    def unfinished(self) -> "TaskQuerySet":
        return self.filter(completed_at__isnull=True)

    def lease_expired(self) -> "TaskQuerySet":
        """Running tasks whose worker has not renewed its lease in time."""
        return self.with_status(Status.PROCESSING).filter(lease_expires_at__lt=Now())

    def exhausted(self) -> "TaskQuerySet":
        """Tasks that have used up the attempts that count against them."""
        return self.filter(attempt__gte=F("handed_back") + settings.MAX_ATTEMPTS)

    def locked(self) -> "TaskQuerySet":
        """Locked until the transaction's end, in the order in which every statement locks many:
        of two that want the same rows the second waits, and holds none that the first still needs.
        """
        return self.select_for_update().order_by("task_id")

    def without_bodies(self) -> "TaskQuerySet":
        """Rows without circuit and result, which may be a megabyte each."""
        return self.defer("circuit", "result")


class Batch(models.Model):
    """Tasks that were submitted together, all or none."""

    batch_id = models.UUIDField(primary_key=True, default=new_task_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, db_index=False
    )
    name = models.CharField(max_length=200, db_default="")
    tags = ArrayField(
        models.CharField(max_length=64),
        default=list,
        help_text="That it was submitted with, for elements that bring none themselves.",
    )
    size = models.PositiveIntegerField(help_text="Number of elements.")
    circuit = models.TextField(null=True, help_text="Of all elements that bring none themselves.")
    submitted_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "batches"
        indexes = [
            models.Index(fields=["submitted_at"], name="batch_submitted"),
            models.Index(
                fields=["owner", "submitted_at"],
                name="batch_owner_submitted",
                condition=Q(owner__isnull=False),
            ),
            models.Index(fields=["name", "submitted_at"], name="batch_name", condition=~Q(name="")),
            GinIndex(fields=["tags"], name="batch_tags", condition=~Q(tags=[])),
        ]

    def __str__(self) -> str:
        return str(self.batch_id)


class Task(models.Model):
    """One submitted circuit and everything that became of it."""

    task_id = models.UUIDField(primary_key=True, default=new_task_id, editable=False)
    circuit = models.TextField(
        null=True, help_text="OpenQASM 2 or 3 program, as submitted; empty: its batch's."
    )
    shots = models.IntegerField(
        validators=[MinValueValidator(1)], help_text="How often the circuit is run."
    )
    seed = models.BigIntegerField(
        null=True,
        validators=[MinValueValidator(0)],
        help_text="Seed asked for; empty: the worker draws one and reports it.",
    )
    options = models.JSONField(
        default=dict, help_text="Further run options: method, memory, parameters, noise."
    )
    name = models.CharField(max_length=200, db_default="")
    tags = ArrayField(models.CharField(max_length=64), default=list)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, db_index=False
    )
    batch = models.ForeignKey(Batch, null=True, on_delete=models.DO_NOTHING, db_index=False)
    batch_index = models.IntegerField(null=True, help_text="Position in its batch.")
    rerun_of = models.UUIDField(
        null=True, help_text="The task that it runs again, which may be gone."
    )
    correlation_id = models.CharField(max_length=128, help_text="X-Correlation-ID of the request.")
    traceparent = models.CharField(
        max_length=55, null=True, help_text="The span that submitted it, where traces are on."
    )
    # No foreign key: each submission would lock the same few rows. A trigger keeps backends that
    # tasks wait for (migration 0009).
    backend = models.CharField(max_length=64, default=DEFAULT_BACKEND, db_default=DEFAULT_BACKEND)
    priority = models.SmallIntegerField(
        default=0,
        db_default=0,
        validators=[MinValueValidator(-MAX_PRIORITY), MaxValueValidator(MAX_PRIORITY)],
        help_text="Higher ones go first.",
    )
    turn = models.BigIntegerField(
        db_default=MAX_PRIORITY << TURN_BITS,
        help_text="Its place in the line: its priority and its owner's share. The least is next.",
    )
    submitted_at = models.DateTimeField(db_default=Now())
    current_status = models.CharField(
        max_length=10, choices=Status.choices, db_default=Status.PENDING
    )
    started_at = models.DateTimeField(null=True, help_text="Latest claim by a worker.")
    completed_at = models.DateTimeField(null=True, help_text="When it reached a terminal state.")
    result = models.JSONField(null=True)
    stored_bytes = models.BigIntegerField(
        db_default=0, help_text="Of its own circuit, its options and its result, as text."
    )
    error_code = models.CharField(max_length=64, null=True)
    error_message = models.TextField(null=True)
    # What the zero-loss protocol needs (docs/architecture.md).
    attempt = models.IntegerField(
        db_default=0, help_text="Number of claims so far; the fence that keeps late results out."
    )
    handed_back = models.IntegerField(
        db_default=0, help_text="Attempts ended by a worker's orderly shutdown: not held against."
    )
    worker = models.CharField(max_length=200, db_default="", help_text="Who claimed it last.")
    lease_expires_at = models.DateTimeField(
        null=True, help_text="While processing: when the worker counts as lost."
    )
    enqueued_at = models.DateTimeField(
        db_default=Now(), help_text="When a message for it was last sent to the queue."
    )

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="task_has_a_circuit",
                condition=Q(circuit__isnull=False) | Q(batch__isnull=False),
            ),
            # What a row may hold in each state. One call, because PostgreSQL prepares a check's
            # expression anew for every statement, and a function's once a session.
            models.CheckConstraint(
                name="task_fits_its_status",
                condition=Func(
                    *("current_status", "shots", "seed", "batch_index", "attempt", "handed_back"),
                    *("started_at", "completed_at", "lease_expires_at"),
                    *("result", "error_code", "error_message"),
                    function="tasks_app_task_fits",  # migration 0002
                    output_field=models.BooleanField(),
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["submitted_at"], name="task_submitted"),
            models.Index(fields=["current_status", "submitted_at"], name="task_status_submitted"),
            models.Index(
                fields=["owner", "submitted_at"],
                include=["stored_bytes"],  # an owner's sum without a look at the rows
                name="task_owner_submitted",
                condition=Q(owner__isnull=False),
            ),
            models.Index(fields=["correlation_id"], name="task_correlation"),
            models.Index(
                fields=["batch", "submitted_at"],
                name="task_batch",
                condition=Q(batch__isnull=False),
            ),
            models.Index(fields=["name", "submitted_at"], name="task_name", condition=~Q(name="")),
            GinIndex(fields=["tags"], name="task_tags", condition=~Q(tags=[])),
            models.Index(
                fields=["backend", "submitted_at"],
                name="task_backend",
                condition=~Q(backend=DEFAULT_BACKEND),
            ),
            # The line. Claims and recovery read these three only: as small as the work at hand.
            models.Index(
                fields=["backend", "turn", "task_id"],
                name="task_turn",
                condition=Q(current_status=Status.PENDING),
            ),
            models.Index(
                Coalesce("owner", 0),  # 0: nobody, who takes turns as owners do
                "backend",
                "turn",
                name="task_owner_turn",
                condition=Q(current_status=Status.PENDING),
            ),
            models.Index(
                fields=["backend", "lease_expires_at"],
                name="task_leased",
                condition=Q(current_status=Status.PROCESSING),
            ),
            models.Index(
                fields=["completed_at"],
                name="task_internal_error",
                condition=Q(error_code=INTERNAL_ERROR),
            ),
        ]

    def __str__(self) -> str:
        return str(self.task_id)

    @property
    def program(self) -> str:
        """The circuit, its own or the one that its batch shares."""
        shared = self.batch.circuit if self.circuit is None and self.batch else None
        return self.circuit or shared or ""


class StatusHistory(models.Model):
    """One transition of one task. Rows are only ever added; they go when their task goes."""

    # The constraint is made by migration 0002 with ON DELETE CASCADE: history leaves with its
    # task in the database itself, which is the only deletion that the trigger lets through.
    task = models.ForeignKey(
        Task,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="history",
    )
    status = models.CharField(max_length=10, choices=Status.choices)
    transitioned_at = models.DateTimeField(db_default=Now())
    notes = models.TextField(db_default="")

    class Meta:
        ordering = ["id"]  # given while the task's row is locked; a clock may be set back
        verbose_name_plural = "status history"
        indexes = [
            models.Index(fields=["task", "transitioned_at"], name="history_task_time"),
        ]

    def __str__(self) -> str:
        return f"{self.status} at {self.transitioned_at:%Y-%m-%d %H:%M:%S}"


class IdempotencyKey(models.Model):
    """An `Idempotency-Key` that an owner has used, and what it led to."""

    # Both constraints are made by migration 0002 with ON DELETE CASCADE: a key goes with its task.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, db_index=False
    )
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64, help_text="Of the request's path and body.")
    task = models.ForeignKey(
        Task, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    task_ids = ArrayField(
        models.UUIDField(), default=list, help_text="What it led to; empty: not yet."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "key"], name="idempotency_key_unique", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.key
