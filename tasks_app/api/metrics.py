"""`GET /metrics` for Prometheus: the work at hand, read from PostgreSQL and RabbitMQ.

The figures are the same from every API process, because none is kept in one. Only pending and
processing tasks are counted: small partial indexes hold them, while finished ones grow for ever.
"""

from collections.abc import Iterator

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from quantumtasks.postgresql.base import deadline
from tasks_app import presence
from tasks_app.api.health import CHECK_S, queue_depths
from tasks_app.api.negotiation import AnyMediaType
from tasks_app.models import Status, Task
from tasks_app.outage import DATABASE_ERRORS


class ServiceCollector(Collector):
    """Gauges of the whole service; those of a dependency that is away are left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._database()
        yield from self._queue()

    def _database(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("quantumtasks_database_up", "1 if PostgreSQL answers.")
        tasks = GaugeMetricFamily("quantumtasks_tasks", "Unfinished tasks.", labels=["status"])
        oldest = GaugeMetricFamily(
            "quantumtasks_oldest_pending_seconds", "How long the oldest pending task has waited."
        )
        lost = GaugeMetricFamily(
            "quantumtasks_leases_expired", "Processing tasks whose worker is lost."
        )
        try:
            with deadline(CHECK_S):
                tasks.add_metric([Status.PENDING.value], presence.pending())
                processing = Task.objects.with_status(Status.PROCESSING).count()
                tasks.add_metric([Status.PROCESSING.value], processing)
                oldest.add_metric([], Task.objects.all().oldest_pending_s())
                lost.add_metric([], Task.objects.all().lease_expired().count())
        except DATABASE_ERRORS:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield from (up, tasks, oldest, lost)

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("quantumtasks_queue_up", "1 if RabbitMQ answers.")
        depths = queue_depths()
        if depths is None:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, help_text, value in (
            ("quantumtasks_queue_messages", "Messages ready in the task queue.", depths.ready),
            ("quantumtasks_queue_consumers", "Worker processes that consume.", depths.consumers),
            ("quantumtasks_dead_letters", "Messages nobody could work on.", depths.dead_letters),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)


class MetricsView(APIView):
    """Prometheus text."""

    content_negotiation_class = AnyMediaType

    @extend_schema(
        operation_id="metrics",
        summary="Metrics",
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(ServiceCollector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
