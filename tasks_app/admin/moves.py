"""What an operator may do to a task, from its page: buttons, and the routes that they lead to.

Each is a function that others use too, named in the audit; the page itself stays a record. It takes
the permission to change tasks, which staff have only if they were given it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from tasks_app import access, lifecycle, submission
from tasks_app.correlation import correlation_id
from tasks_app.models import TERMINAL, Status, Task
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueUnavailable

PERMISSION = "tasks_app.change_task"


class Refused(Exception):
    """It cannot be done now; the text says why."""


@dataclass(frozen=True, slots=True)
class Move:
    """A button."""

    label: str
    what: str  # it does, for who points at it
    fits: frozenset[Status]  # where it is offered
    audited_as: str
    make: Callable[[HttpRequest, Task], Task]
    """Does it; the task to show then. Raises `Refused`."""


def _cancel(request: HttpRequest, task: Task) -> Task:
    reason = f"cancelled by {access.name_of(request.user)}"
    if not lifecycle.cancel([task.task_id], reason=reason):
        raise Refused("The task has ended meanwhile.")
    return task


def _run_again(request: HttpRequest, task: Task) -> Task:
    try:
        return submission.run_again(task, correlation_id=correlation_id()).tasks[0]
    except access.LimitExceeded as error:
        raise Refused(f"Its owner's limit '{error.limit}' is {error.allowed:,}.") from error
    except QueueUnavailable as error:
        raise Refused("RabbitMQ does not answer: nothing was submitted.") from error


def _ring(request: HttpRequest, task: Task) -> Task:
    try:
        broker.ring([task])
    except QueueUnavailable as error:
        raise Refused("RabbitMQ does not answer; recovery rings when it is back.") from error
    lifecycle.note_rung([task.task_id])
    return task


_LIVING = frozenset(Status) - frozenset(TERMINAL)
MOVES: Mapping[str, Move] = {
    "cancel": Move(
        "Cancel", "A running simulation stops within a second.", _LIVING, "task_cancelled", _cancel
    ),
    "rerun": Move(
        "Run again", "A new task of the same owner.", frozenset(Status), "task_rerun", _run_again
    ),
    "ring": Move(
        "Ring again", "Tell the workers once more that it waits.", _LIVING, "task_rung", _ring
    ),
}


def buttons(request: HttpRequest, task: Task) -> list[dict[str, str]]:
    """Those that the task's page shows to whoever asks."""
    if not _may(request):
        return []
    return [
        {
            "label": move.label,
            "what": move.what,
            "url": reverse("admin:tasks_app_task_move", args=[task.task_id, name]),
        }
        for name, move in MOVES.items()
        if task.current_status in move.fits
    ]


def routes(guarded: Callable[[Any], Any]) -> list[URLPattern]:
    """`guarded`: what an admin's views are wrapped in."""
    name = "tasks_app_task_move"
    return [path("<uuid:task_id>/do/<str:move>/", guarded(require_POST(_make)), name=name)]


def _make(request: HttpRequest, task_id: Any, move: str) -> HttpResponse:
    if move not in MOVES:
        raise Http404
    if not _may(request):
        raise PermissionDenied
    task = Task.objects.select_related("batch").defer("result").filter(task_id=task_id).first()
    if task is None:
        raise Http404
    chosen = MOVES[move]
    try:
        task = chosen.make(request, task)
    except Refused as error:
        messages.error(request, str(error))
    else:
        access.audit(request, chosen.audited_as, task_id)
        messages.success(request, f"{chosen.label}: done.")
    return redirect(reverse("admin:tasks_app_task_change", args=[task.task_id]))


def _may(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.has_perm(PERMISSION)
