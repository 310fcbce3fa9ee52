"""The lists' filters and their pages."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.utils.urls import replace_query_param

from tasks_app.api.fields import BoundedListField, KnownChoiceField, StrictSerializer, shown
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Batch, Status, Task, TaskQuerySet

MAX_IDS = 500
MAX_REPEATED = 32
PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
_CURSOR = re.compile(r"(-?)(\d{1,17})\.([0-9a-f]{32})", re.ASCII)
_LOOKUPS = {
    "status": "current_status__in",
    "tag": "tags__contains",
    "ids": "task_id__in",
    "name": "name",
    "batch_id": "batch_id",
    "submitted_after": "submitted_at__gt",
    "submitted_before": "submitted_at__lt",
}
Row = TypeVar("Row", Task, Batch)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BatchFilterSerializer(StrictSerializer):
    """Query parameters of both lists; those that may be repeated are lists."""

    tag = BoundedListField(
        child=serializers.CharField(max_length=64, trim_whitespace=False),
        max_length=MAX_REPEATED,
        required=False,
        help_text="All of them.",
    )
    name = serializers.CharField(
        max_length=200, trim_whitespace=False, required=False, help_text="Exactly this name."
    )
    submitted_after = serializers.DateTimeField(required=False, help_text="Later than this.")
    submitted_before = serializers.DateTimeField(required=False, help_text="Earlier than this.")
    ordering = KnownChoiceField(
        ["-submitted_at", "submitted_at"], required=False, help_text="Newest first if absent."
    )
    page_size = serializers.IntegerField(
        min_value=1, max_value=MAX_PAGE_SIZE, required=False, help_text="How many a page."
    )
    cursor = serializers.CharField(
        required=False, help_text="Where a page begins: from `next` or `previous`."
    )


class FilterSerializer(BatchFilterSerializer):
    """Query parameters of the list of tasks."""

    status = BoundedListField(
        child=KnownChoiceField(Status.choices),
        max_length=MAX_REPEATED,
        required=False,
        help_text="Any of them.",
    )
    ids = BoundedListField(
        child=serializers.UUIDField(),
        max_length=MAX_IDS,
        required=False,
        help_text=f"Up to {MAX_IDS}.",
    )
    batch_id = serializers.UUIDField(required=False, help_text="Elements of this batch.")
    backend = serializers.CharField(
        max_length=64, trim_whitespace=False, required=False, help_text="On this backend."
    )


def listed(query: QueryDict) -> dict[str, Any]:
    """What `FilterSerializer` checks: statuses and ids may be repeated or separated by commas.

    A tag may hold a comma, so that tags are repeated.
    """
    data: dict[str, Any] = {}
    for name in query:
        values = query.getlist(name)
        if name in ("status", "ids"):
            data[name] = [part for value in values for part in value.split(",") if part]
        else:
            data[name] = values if name == "tag" else values[-1]
    return data


def filtered(rows: QuerySet[Row], wanted: Mapping[str, Any]) -> QuerySet[Row]:
    """The tasks, or batches, that pass the checked filters."""
    given = {lookup: wanted[name] for name, lookup in _LOOKUPS.items() if name in wanted}
    rows = rows.filter(**given)
    if "tag" in wanted:  # as the condition of its index has it, and a name's
        rows = rows.exclude(tags=[])
    return rows.exclude(name="") if "name" in wanted else rows


def filtered_tasks(tasks: TaskQuerySet, wanted: Mapping[str, Any]) -> QuerySet[Task]:
    """The tasks that pass the checked filters, those that batches do not have too."""
    if "backend" in wanted:
        tasks = tasks.filter(backend=wanted["backend"])
        if wanted["backend"] != DEFAULT_BACKEND:  # as the condition of its index has it
            tasks = tasks.exclude(backend=DEFAULT_BACKEND)
    return filtered(tasks, wanted)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row beyond which a page begins: whatever becomes of that row, none other is skipped.

    Tasks of a batch share their time of submission, so that a time alone names no row.
    """

    submitted_at: datetime
    pk: uuid.UUID
    backwards: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises 404 for what is no cursor."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise NotFound("Invalid cursor")
        submitted_at = _EPOCH + timedelta(microseconds=int(match[2]))
        return cls(submitted_at, uuid.UUID(match[3]), match[1] == "-")

    def __str__(self) -> str:
        microseconds = (self.submitted_at - _EPOCH) // timedelta(microseconds=1)
        return f"{'-' * self.backwards}{microseconds}.{self.pk.hex}"

    def beyond(self, rows: QuerySet[Row], *, rising: bool) -> QuerySet[Row]:
        """The rows after this one in an order, along the index on the time alone."""
        if rising:
            later = rows.filter(submitted_at__gte=self.submitted_at)
            return later.exclude(submitted_at=self.submitted_at, pk__lte=self.pk)
        earlier = rows.filter(submitted_at__lte=self.submitted_at)
        return earlier.exclude(submitted_at=self.submitted_at, pk__gte=self.pk)


def page(
    found: QuerySet[Row],
    wanted: Mapping[str, Any],
    *,
    url: str,
    shown_as: type[serializers.BaseSerializer[Any]] | None = None,
) -> dict[str, Any]:
    """The page of filtered rows that was asked for, and the addresses of its neighbours; the rows
    as they are, for templates, unless `shown_as` says how.

    With `ids` all of them unless asked otherwise: who names them wants to see them, and a short
    page would tempt PostgreSQL to look for them among all tasks, newest first.
    """
    size = wanted.get("page_size", MAX_IDS if "ids" in wanted else PAGE_SIZE)
    cursor = Cursor.read(wanted["cursor"]) if "cursor" in wanted else None
    backwards = cursor is not None and cursor.backwards
    rising = (wanted.get("ordering") == "submitted_at") != backwards
    if cursor is not None:
        found = cursor.beyond(found, rising=rising)
    order = ("submitted_at", "pk") if rising else ("-submitted_at", "-pk")
    rows = list(found.order_by(*order)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()

    def link(there: bool, row: Row | None, towards: bool) -> str | None:
        if not there or row is None:
            return None
        return replace_query_param(url, "cursor", str(Cursor(row.submitted_at, row.pk, towards)))

    first, last = (rows[0], rows[-1]) if rows else (None, None)
    return {
        "next": link(more or backwards, last, False),
        "previous": link(more if backwards else cursor is not None, first, True),
        "results": [shown(shown_as, row) for row in rows] if shown_as else rows,
    }
