"""The list's filters and its pages."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from tasks_app.api.serializers import StrictSerializer
from tasks_app.models import Status, Task

MAX_IDS = 500
PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
NEWEST_FIRST = ("-submitted_at", "-task_id")
OLDEST_FIRST = ("submitted_at", "task_id")


class TaskPages(CursorPagination):
    """Pages that stay put while tasks arrive: a cursor names a row, not a number."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"
    offset_cutoff = 10_000  # tasks of a batch share their time of submission

    def __init__(self, *, oldest_first: bool = False) -> None:
        self.ordering = OLDEST_FIRST if oldest_first else NEWEST_FIRST

    def get_page_size(self, request: Request) -> int | None:
        """With `ids` all of them unless asked otherwise: who names them wants to see them.

        A short page would also tempt PostgreSQL to look for them among all tasks, newest first.
        """
        asked = request.query_params
        if "ids" in asked and self.page_size_query_param not in asked:
            return MAX_IDS
        return super().get_page_size(request)

    def decode_cursor(self, request: Request) -> Any:
        """404, like any other bad cursor, for one that names no time."""
        cursor = super().decode_cursor(request)
        try:
            if cursor is None or cursor.position is None or parse_datetime(str(cursor.position)):
                return cursor
        except ValueError:
            pass
        raise NotFound("Invalid cursor")


class FilterSerializer(StrictSerializer):
    """Query parameters of the list; those that may be repeated are lists."""

    status = serializers.ListField(
        child=serializers.ChoiceField(choices=Status.choices), required=False
    )
    tag = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        help_text="Repeated: tasks that have all of them.",
    )
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MAX_IDS, required=False)
    name = serializers.CharField(max_length=200, required=False)
    batch_id = serializers.UUIDField(required=False)
    submitted_after = serializers.DateTimeField(required=False)
    submitted_before = serializers.DateTimeField(required=False)
    ordering = serializers.ChoiceField(
        choices=["-submitted_at", "submitted_at"],
        required=False,
        help_text="Newest first if absent.",
    )
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, required=False)
    cursor = serializers.CharField(required=False)


def listed(query: QueryDict) -> dict[str, Any]:
    """What `FilterSerializer` checks: repeated parameters and comma-separated ones are the same."""
    data: dict[str, Any] = {}
    for name in query:
        values = query.getlist(name)
        if name in ("status", "tag", "ids"):
            data[name] = [part for value in values for part in value.split(",") if part]
        else:
            data[name] = values[-1]
    return data


def filtered(tasks: QuerySet[Task], wanted: Mapping[str, Any]) -> QuerySet[Task]:
    """The tasks that pass the checked filters."""
    if "status" in wanted:
        tasks = tasks.filter(current_status__in=wanted["status"])
    if "tag" in wanted:
        tasks = tasks.filter(tags__contains=wanted["tag"]).exclude(tags=[])
    if "ids" in wanted:
        tasks = tasks.filter(task_id__in=wanted["ids"])
    if "name" in wanted:
        tasks = tasks.filter(name=wanted["name"]).exclude(name="")
    if "batch_id" in wanted:
        tasks = tasks.filter(batch_id=wanted["batch_id"])
    if "submitted_after" in wanted:
        tasks = tasks.filter(submitted_at__gt=wanted["submitted_after"])
    if "submitted_before" in wanted:
        tasks = tasks.filter(submitted_at__lt=wanted["submitted_before"])
    return tasks
