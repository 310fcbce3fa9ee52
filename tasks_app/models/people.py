"""Who may do how much, and who did what."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.tasks import MAX_PRIORITY

MAX_WEIGHT = 1000


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
