"""Browse tasks and their history. Read-only: what happens to a task is `lifecycle`'s business.

Made for millions of rows: every list, filter and search is a walk along one index that ends
after a page, nothing counts the whole table, and circuits and results, which may be megabytes,
are read only for the page that shows them.
"""

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.paginator import Paginator
from django.db.models import F, Model, Q, QuerySet, TextField, Window
from django.db.models.functions import Cast, Lag
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django_dramatiq import admin as dramatiq_admin

from tasks_app.admin import access, moves  # `access` also registers the other pages
from tasks_app.admin.results import drawing, outcome, rendered
from tasks_app.models import Status, StatusHistory, Task, TaskQuerySet
from tasks_app.wording import duration, short_id

LIST_ROWS = 10_000  # the list ends here: filters and search lead to older tasks
# White on these passes WCAG AA, on the light theme as on the dark one.
BADGES = {
    Status.PENDING: "#64748b",
    Status.PROCESSING: "#1d4ed8",
    Status.COMPLETED: "#15803d",
    Status.FAILED: "#b91c1c",
    Status.CANCELLED: "#854d0e",
}


def badge(status: str) -> str:
    """The status as a coloured pill."""
    return format_html(
        '<span style="background:{};color:#fff;border-radius:1em;padding:2px 9px;'
        'font-size:12px;white-space:nowrap">{}</span>',
        BADGES[Status(status)],
        Status(status).label,
    )


def nowrap(text: str) -> str:
    """Text that a narrow column must not break."""
    return format_html('<span style="white-space:nowrap">{}</span>', text)


def time_column(label: str, field: str) -> Callable[[Any, Model], str]:
    """A column, or line of a page, for a field that holds a time: to the millisecond."""

    @admin.display(description=f"{label} (UTC)", ordering=field)
    def column(self: Any, row: Model) -> str:
        time = getattr(row, field)
        return nowrap(f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}" if time else "-")

    return column


def span(time: timedelta | None) -> str:
    """A duration, in a narrow column."""
    return nowrap(duration(None if time is None else time.total_seconds()))


def linked(label: str, field: str, parameter: str) -> Callable[[Any, Task], str]:
    """A line of a task's page: a link to the list of all tasks that share this, or a dash."""

    @admin.display(description=label)
    def line(self: Any, task: Task) -> str:
        value = getattr(task, field)
        if value is None:
            return "-"
        query = {parameter: getattr(value, "pk", value)}
        found = reverse("admin:tasks_app_task_changelist", query=query)
        return format_html('<a href="{}">{}</a>', found, value)

    return line


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts to `LIST_ROWS` at most, however many rows there are."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        in_order = self.object_list.order_by("-submitted_at")  # along the index, or it may scan
        return in_order[:LIST_ROWS].count()

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than the list shows."""
        return self.count == LIST_ROWS


# One list of tasks is enough: django-dramatiq's would stay empty. There is no use either for a
# sidebar that takes a fifth of the page.
admin.site.unregister(dramatiq_admin.Task)
admin.site.enable_nav_sidebar = False


class HistoryInline(access.NeverChanged, admin.TabularInline):  # type: ignore[type-arg]
    """The task's transitions, oldest first, each with the time since the one before."""

    model = StatusHistory
    template = "admin/tasks_app/task/history.html"
    verbose_name_plural = "history"
    fields = readonly_fields = ("state", "at", "after", "notes")
    at = time_column("at", "transitioned_at")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the task sees its history."""
        return True

    def get_queryset(self, request: HttpRequest) -> Any:
        before = Window(Lag("transitioned_at"), order_by=["id"])
        return super().get_queryset(request).annotate(since_last=F("transitioned_at") - before)

    @admin.display(description="status")
    def state(self, entry: StatusHistory) -> str:
        return badge(entry.status)

    def after(self, entry: StatusHistory) -> str:
        return span(entry.since_last)  # type: ignore[attr-defined]  # annotated above


@admin.register(Task)
class TaskAdmin(access.NeverChanged, admin.ModelAdmin):  # type: ignore[type-arg]
    """Tasks, newest first, and one page for each."""

    list_display = (
        "short", "status", "owner", "shots", "attempt", "submitted", "waited", "ran", "error_code",
    )  # fmt: skip
    list_select_related = ("owner",)
    list_filter = ("current_status", "submitted_at")
    ordering = ["-submitted_at"]
    sortable_by = ["submitted"]
    search_fields = ["task_id", "correlation_id", "name", "tags"]
    search_help_text = (
        "A task's id, its first 8 or more digits, its short form; or its whole correlation id, its "
        "whole name, or one of its tags."
    )
    actions = None
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    inlines = [HistoryInline]
    submitted = time_column("submitted", "submitted_at")
    started = time_column("started", "started_at")
    completed = time_column("completed", "completed_at")
    lease_ends = time_column("lease ends", "lease_expires_at")
    last_rung = time_column("last rung", "enqueued_at")
    of_owner = linked("owner", "owner", "owner")
    of_batch = linked("batch", "batch_id", "batch")
    correlation = linked("correlation id", "correlation_id", "q")

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        """The page of one task reads what is left out here when it shows it."""
        return Task.objects.without_bodies().defer("options")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Those of the filters and of links on the pages: any other could scan the whole table."""
        filters = {"current_status__exact", "submitted_at__gte", "submitted_at__lt"}
        return lookup in filters | {"owner", "batch"}

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Each way to name a task is a look-up in an index."""
        term = search_term.strip()
        wanted = Q(correlation_id=term)
        # As the conditions of the indexes have it.
        wanted |= Q(name=term) & ~Q(name="") | Q(tags__contains=[term]) & ~Q(tags=[])
        head, _, tail = re.sub(r"…|\.{2,3}", "…", term.lower()).partition("…")
        digits = head.replace("-", "")
        if re.fullmatch("[0-9a-f]{8,32}", digits) and re.fullmatch("([0-9a-f]{4,12})?", tail):
            first, last = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
            queryset = queryset.alias(id_text=Cast("task_id", TextField()))
            wanted |= Q(task_id__range=(first, last), id_text__endswith=tail)
        return queryset.filter(wanted) if term else queryset, False

    def get_fieldsets(self, request: HttpRequest, obj: Task | None = None) -> Any:
        """An outcome is shown only where there is one."""
        ends = {
            Status.COMPLETED: [("Result", {"fields": ["outcome", "drawing", "metadata"]})],
            Status.FAILED: [("Error", {"fields": ["error_code", "error_message"]})],
        }
        times = [("submitted", "waited"), ("started", "ran"), "completed"]
        delivery = [("attempt", "handed_back"), "worker", "lease_ends", "last_rung"]
        return [
            (None, {"fields": ["status", *times]}),
            ("Submission", {"fields": [("name", "tags"), "of_owner", "of_batch", "correlation"]}),
            *(ends.get(Status(obj.current_status), []) if obj else []),
            ("Circuit", {"fields": [("shots", "seed"), "options", "program"]}),
            ("Delivery", {"fields": delivery}),
        ]

    def get_urls(self) -> Any:
        return moves.routes(self.admin_site.admin_view) + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """With buttons for what may be done to this task."""
        context["moves"] = moves.buttons(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> Any:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The page's "History" button leads to the task's own history."""
        page = reverse("admin:tasks_app_task_change", args=[object_id])
        return redirect(f"{page}#history-group")

    @admin.display(description="task")
    def short(self, task: Task) -> str:
        return format_html('<code title="{}">{}</code>', task.task_id, short_id(task.task_id))

    @admin.display(description="status")
    def status(self, task: Task) -> str:
        return badge(task.current_status)

    def waited(self, task: Task) -> str:
        """Until the latest start, or until now."""
        end = task.started_at or task.completed_at or timezone.now()
        return span(end - task.submitted_at)

    def ran(self, task: Task) -> str:
        """Since the latest start, until the end or now."""
        end = task.completed_at or timezone.now()
        return span(end - task.started_at if task.started_at else None)

    def program(self, task: Task) -> str:
        """Anybody's text, so escaped."""
        return rendered("program", circuit=task.program)

    def outcome(self, task: Task) -> str:
        return outcome(task)

    def drawing(self, task: Task) -> str:
        return drawing(task)

    def metadata(self, task: Task) -> str:
        about = (task.result or {}).get("metadata", {})
        rows = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in sorted(about.items())]
        return rendered("metadata", rows=rows)
