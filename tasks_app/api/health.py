"""Is it alive, is it ready, and what is wrong: three questions, three routes."""

from typing import Any

from django.db import connection
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quantumtasks.postgresql.base import deadline
from tasks_app import broker
from tasks_app.api.serializers import HealthSerializer, ProbeSerializer
from tasks_app.outage import DATABASE_ERRORS
from tasks_app.publisher import QueueDepths, QueueUnavailable

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
