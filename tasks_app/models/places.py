"""Where tasks are run: backends, and the worker processes that serve them."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from tasks_app.circuits import WALLS
from tasks_app.circuits.backend import DEFAULT_BACKEND


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
