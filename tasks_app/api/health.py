"""Is it alive, is it ready, and what is wrong: three questions, three routes."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_app import pace
from tasks_app.api.content import AnyMediaType
from tasks_app.api.serializers import HealthSerializer, ProbeSerializer
from tasks_app.models import Status, Task
from tasks_app.postgresql.base import DATABASE_ERRORS, deadline
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueDepths, QueueUnavailable

CHECK_S = 1.0  # each dependency's time to answer


def _database_answers() -> bool:
    """Whether PostgreSQL answers and takes writes: one that is read-only accepts no task."""
    try:
        with deadline(CHECK_S), connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            return bool(cursor.fetchone() == ("off",))
    except DATABASE_ERRORS:
        return False


def queue_depths() -> QueueDepths | None:
    """What the queues hold; None if RabbitMQ does not answer in time."""
    try:
        return broker.depths(timeout_s=CHECK_S)
    except QueueUnavailable:
        return None


def _word(answers: bool) -> str:
    return "connected" if answers else "disconnected"


class HealthView(APIView):
    """For people and dashboards: always 200, and it names what is away."""

    @extend_schema(operation_id="health", summary="Health", responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        database, depths = _database_answers(), queue_depths()
        queue: dict[str, Any] | None = None
        if depths is not None:
            queue = {
                "ready": depths.ready,
                "consumers": depths.consumers,
                "dead_letters": depths.dead_letters,
            }
        health = {
            "status": "healthy" if database and queue else "degraded",
            "database_status": _word(database),
            "queue_status": _word(queue is not None),
            "queue": queue,
            "timestamp": timezone.now(),
        }
        return Response(health)


class LiveView(APIView):
    """For a supervisor: this process answers. Asks nothing of anybody else."""

    @extend_schema(operation_id="live", summary="Liveness probe", responses=ProbeSerializer)
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyView(APIView):
    """For a load balancer: 200 if a submission can be accepted now, 503 otherwise."""

    @extend_schema(
        operation_id="ready",
        summary="Readiness probe",
        responses={200: ProbeSerializer, 503: ProbeSerializer},
    )
    def get(self, request: Request) -> Response:
        ready = _database_answers() and queue_depths() is not None
        return Response({"status": "ready" if ready else "not ready"}, status=200 if ready else 503)


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
                tasks.add_metric([Status.PENDING.value], pace.pending())
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
