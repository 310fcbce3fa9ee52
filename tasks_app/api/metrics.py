"""For Prometheus: the state of the service, and what its processes have counted."""

from collections.abc import Iterator

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from tasks_app import metrics, pace
from tasks_app.api import health
from tasks_app.api.content import AnyMediaType
from tasks_app.models import INTERNAL_ERROR, Status, Task
from tasks_app.postgresql.base import DATABASE_ERRORS, deadline


class ServiceCollector(Collector):
    """Gauges of the whole service; those of a dependency that is away are left out.

    The same from every API process, because none is kept in one. All are counted along small
    partial indexes: finished tasks grow for ever.
    """

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, figures in (("database", _database_gauges()), ("queue", _queue_gauges())):
            yield _gauge(f"{name}_up", f"1 if the {name} answers.", figures is not None)
            yield from figures or ()


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"quantumtasks_{name}", what, value=value)


def _database_gauges() -> list[GaugeMetricFamily] | None:
    tasks = Task.objects.all()
    unfinished = GaugeMetricFamily("quantumtasks_tasks", "Unfinished tasks.", labels=["status"])
    try:
        with deadline(health.CHECK_S):
            now = pace.pace()
            lost, oldest_s = tasks.lease_expired().count(), now["oldest_pending_s"]
            bugs = tasks.filter(error_code=INTERNAL_ERROR).count()
            unfinished.add_metric([Status.PENDING.value], pace.pending())
            unfinished.add_metric([Status.PROCESSING.value], now["processing"])
    except DATABASE_ERRORS:
        return None
    return [
        unfinished,
        _gauge("oldest_pending_seconds", "Age of the oldest pending task.", oldest_s),
        _gauge("workers", "Worker processes alive.", now["workers"]),
        _gauge("slots", "Circuits that they can run at a time.", now["slots"]),
        _gauge("leases_expired", "Processing tasks whose worker is lost.", lost),
        _gauge("internal_errors", "Tasks that failed by a fault of our own code.", bugs),
    ]


def _queue_gauges() -> list[GaugeMetricFamily] | None:
    depths = health.queue_depths()
    if depths is None:
        return None
    return [
        _gauge("queue_messages", "Messages ready in the task queue.", depths.ready),
        _gauge("queue_consumers", "Worker processes that consume.", depths.consumers),
        _gauge("dead_letters", "Messages nobody could work on.", depths.dead_letters),
    ]


class MetricsView(APIView):
    """Prometheus text."""

    content_negotiation_class = AnyMediaType

    @extend_schema(
        operation_id="metrics",
        summary="Metrics",
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        told = generate_latest(metrics.registry(ServiceCollector()))
        return HttpResponse(told, content_type=CONTENT_TYPE_LATEST)
