"""What was submitted, as it would be submitted again; and the same with changes."""

from typing import Any

from rest_framework.exceptions import ValidationError

from tasks_app.api.errors import WHOLE
from tasks_app.api.fields import checked, first_of
from tasks_app.api.submissions import SubmissionSerializer
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Task

FIXED = ("circuit", "circuit_format")


def submission_of(task: Task) -> dict[str, Any]:
    """A body of `POST /tasks` that leads to the same task again, without what was left out."""
    fields = {
        **{"circuit": task.program, "shots": task.shots, "seed": task.seed},
        **task.options,
        **{"name": task.name, "tags": task.tags, "priority": task.priority or None},
        "backend": None if task.backend == DEFAULT_BACKEND else task.backend,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def changed(task: Task, changes: Any) -> dict[str, Any]:
    """The validated submission with other options; null leaves out what the task had.

    Raises `ValidationError`.
    """
    if not isinstance(changes, dict):
        raise ValidationError({WHOLE: ["An object is required."]})
    if fixed := changes.keys() & set(FIXED):
        raise ValidationError(first_of(sorted(fixed), "It cannot be changed: submit a new task."))
    fields = submission_of(task) | changes
    return checked(SubmissionSerializer, {k: v for k, v in fields.items() if v is not None})
