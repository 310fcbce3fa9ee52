"""`Task` and its append-only `StatusHistory`; batches, and the keys of idempotent submissions.

The constraints say what a row may look like in each state, and triggers (migration 0002) which
moves and edits exist at all, so that no code path, admin page or psql session can break the
state machine. The machine itself is `lifecycle`, the only writer of status.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce, Now
from uuid_utils.compat import uuid7

from tasks_app.circuits import WALLS
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
MAX_WEIGHT = 1000
INTERNAL_ERROR = "internal_error"  # the `error_code` of what was our own fault
TERMINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class Backend(models.Model):
    """A simulator, or a simulated device, that tasks are run on."""

    name = models.CharField(
        primary_key=True,
        max_length=64,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9_]*\Z", "Lower-case letters, digits and underscores.")
        ],
        help_text="What tasks call it, and a part of its queue's name.",
    )
    kind = models.CharField(max_length=64, help_text="What runs its circuits.")
    description = models.TextField(blank=True, db_default="")
    online = models.BooleanField(
        default=True, db_default=True, help_text="Offline, none of its tasks starts: they wait."
    )
    max_qubits = models.PositiveIntegerField(null=True, blank=True, help_text="Qubits of a task.")
    max_shots = models.PositiveIntegerField(null=True, blank=True, help_text="Shots of a task.")
    definition = models.JSONField(
        default=dict, blank=True, help_text="What its kind needs to know of it (docs/backends.md)."
    )
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Set by a trigger; workers read it anew then."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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


class RuntimeSession(models.Model):
    """What the IBM Runtime client groups jobs by: a session, or a batch in its own words."""

    session_id = models.UUIDField(primary_key=True, default=new_task_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    backend = models.CharField(max_length=64)
    mode = models.CharField(max_length=10, help_text="dedicated or batch.")
    max_time_s = models.PositiveIntegerField(null=True, help_text="How long it takes jobs.")
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, help_text="From when on it takes no job.")

    def __str__(self) -> str:
        return str(self.session_id)


class RuntimeJob(models.Model):
    """What the IBM Runtime client asked for with a batch, in its own words."""

    # The constraint is made by migration 0011 with ON DELETE CASCADE: it goes with its batch.
    batch = models.OneToOneField(
        Batch, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    program = models.CharField(max_length=16)
    backend = models.CharField(max_length=64)
    session = models.ForeignKey(
        RuntimeSession, null=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    params = models.JSONField(help_text="As sent, null in the place of circuits of tasks.")
    parts = models.JSONField(help_text="What each task is of it, in order.")

    def __str__(self) -> str:
        return str(self.pk)


class ApiToken(models.Model):
    """A bearer token. Only its hash is kept: it is shown once, when it is made."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    label = models.CharField(max_length=100, help_text="What it is for.")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    read_only = models.BooleanField(default=False, help_text="May read, not submit or cancel.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.label} ({'read-only' if self.read_only else 'full'})"


class OwnerLimits(models.Model):
    """One owner's limits, where they differ from the settings'. 0: no limit."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="task_limits"
    )
    pending = models.PositiveIntegerField(null=True, blank=True, help_text="Tasks waiting.")
    per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Submissions.")
    stored_mb = models.PositiveIntegerField(
        null=True, blank=True, help_text="MiB of circuits, options and results kept."
    )
    shots = models.PositiveIntegerField(null=True, blank=True, help_text="Shots of a task.")
    qubits = models.PositiveIntegerField(null=True, blank=True, help_text="Qubits of a task.")
    max_running = models.PositiveIntegerField(
        null=True, blank=True, help_text="Tasks running at a time."
    )
    max_priority = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_PRIORITY)],
        help_text="Highest priority of a task. Here 0 means none above 0.",
    )
    weight = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_WEIGHT)],
        help_text="Turns for each one of an owner with weight 1.",
    )

    class Meta:
        verbose_name_plural = "owner limits"

    def __str__(self) -> str:
        return f"limits of {self.owner}"


class AuditEntry(models.Model):
    """Who did what to a token, a task or a login. Append-only (trigger, migration 0002)."""

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150, help_text="User name; empty: anonymous.")
    action = models.CharField(max_length=32)
    target = models.CharField(max_length=200)
    address = models.GenericIPAddressField(null=True)
    correlation_id = models.CharField(max_length=128)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(
                fields=["address", "at"],
                name="audit_failed_logins",
                condition=Q(action="login_failed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor or 'anonymous'} {self.action} {self.target}"


class Worker(models.Model):
    """A worker process, as it last reported itself."""

    worker = models.CharField(max_length=200, primary_key=True)
    slots = models.PositiveIntegerField(help_text="Circuits that it runs at a time.")
    backends = ArrayField(
        models.CharField(max_length=64),
        db_default=[DEFAULT_BACKEND],
        help_text="Whose tasks it runs.",
    )
    walls = ArrayField(
        models.CharField(max_length=32),
        null=True,
        help_text="What stands around its simulations (docs/security.md); null: not yet known.",
    )
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.worker

    @property
    def missing_walls(self) -> list[str] | None:
        """What its kernel lacks; None while nobody knows."""
        return None if self.walls is None else sorted({*WALLS} - {*self.walls})
