"""The console's pages. What they show of a task their scripts ask the API for."""

import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.exceptions import NotFound

from tasks_app import access, backends, pace
from tasks_app.api import filters
from tasks_app.api.backends import summary
from tasks_app.api.fields import checked
from tasks_app.api.views import read_batch
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.circuits.job import METHODS
from tasks_app.console import charts
from tasks_app.console.examples import EXAMPLES
from tasks_app.console.pages import page, public_page, shown
from tasks_app.models import TERMINAL, ApiToken, Backend, Status, Task

OUTPUT_LABELS = {
    "counts": "Counts",
    "circuit": "Drawing",
    "probabilities": "Exact probabilities",
    "statevector": "State vector",
    "memory": "Every shot",
    "registers": "Registers",
}
MAX_TOKENS = 200  # that the page shows, the newest


@page
def run(request: HttpRequest) -> HttpResponse:
    """An editor, its settings, and what becomes of the program."""
    known = backends.known()
    context = {
        "examples": [each for each in EXAMPLES if each.get("backend", DEFAULT_BACKEND) in known],
        "backends": _default_first(known.values()),
        **{"methods": METHODS, "outputs": OUTPUT_LABELS},
    }
    return shown(request, "run", **context)


@page
def task(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """One task."""
    if not access.visible_tasks(request.user).filter(task_id=task_id).exists():
        raise NotFound("There is no task with this id.")
    return shown(request, "task", task_id=task_id)


@page
def tasks(request: HttpRequest) -> HttpResponse:
    """Tasks, newest first, a page at a time."""
    wanted = checked(filters.FilterSerializer, filters.listed(_filled_in(request.GET)))
    visible = access.visible_tasks(request.user).without_bodies()
    found = filters.filtered_tasks(visible, wanted).select_related("owner")
    url = request.get_full_path()
    rows = filters.page(found, wanted, url=url)
    is_moving = any(task.current_status not in TERMINAL for task in rows["results"])
    context = {
        "statuses": Status.values,
        "chosen": wanted.get("status", ()),
        "batch_id": wanted.get("batch_id"),
        "is_moving": is_moving,
        "backends": _default_first(backends.known().values()),
    }
    return shown(request, "tasks", **rows, **context, wanted=request.GET, here=url)


@page
def batches(request: HttpRequest) -> HttpResponse:
    """Batches, newest first, a page at a time."""
    wanted = checked(filters.BatchFilterSerializer, filters.listed(_filled_in(request.GET)))
    found = filters.filtered(access.visible_batches(request.user), wanted)
    rows = filters.page(found, wanted, url=request.get_full_path())
    return shown(request, "batches", **rows, wanted=request.GET)


@page
def batch(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """A batch: the states of its elements, and what they came to."""
    batch, elements = read_batch(batch_id, request.user)
    settings = {task.batch_index: task.options.get("parameters", {}) for task in elements}
    context = {"batch": batch, "elements": elements, "settings": settings}
    return shown(request, "batch", **context, **_states(elements))


@page
def queue(request: HttpRequest) -> HttpResponse:
    """How long the queue is, who works on it, and how the last hour went."""
    hour = pace.last_hour()
    now = {"pending": pace.pending(), **pace.pace()}
    each = [summary(backend) for backend in _default_first(backends.known().values())]
    return shown(request, "queue", now=now, backends=each, **charts.last_hour(hour))


@page
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens."""
    owner = access.owner_of(request.user)
    found = ApiToken.objects.filter(owner=owner).order_by("-id")[:MAX_TOKENS] if owner else []
    return shown(request, "tokens", tokens=found)


@public_page
def log_in(request: HttpRequest) -> HttpResponse:
    """Name and password, and then to where one wanted to go."""
    wanted = request.GET.get("next", "")
    is_here = url_has_allowed_host_and_scheme(wanted, {request.get_host()})
    return shown(request, "login", next=wanted if is_here else reverse("console:run"))


def _filled_in(query: QueryDict) -> QueryDict:
    """A form's fields without those that were left empty."""
    given = QueryDict(mutable=True)
    for name, values in query.lists():
        given.setlist(name, [value for value in values if value])
        if not given.getlist(name):
            del given[name]
    return given


def _default_first(known: Iterable[Backend]) -> list[Backend]:
    return sorted(known, key=lambda backend: (backend.name != DEFAULT_BACKEND, backend.name))


def _states(tasks: list[Task]) -> dict[str, Any]:
    """How many are in each state, and whether all have ended."""
    counts = Counter(task.current_status for task in tasks)
    return {
        "counts": [(status.value, counts[status]) for status in Status if counts[status]],
        "has_ended": not any(task.current_status not in TERMINAL for task in tasks),
        "has_failed": bool(counts[Status.FAILED]),
    }
