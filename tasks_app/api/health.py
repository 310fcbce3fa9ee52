"""Is it alive, is it ready, and what is wrong: three questions, three routes."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import ProgrammingError, connection
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_app import backends, pace
from tasks_app.api.auth import AUTHENTICATION
from tasks_app.api.fields import shown
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Worker
from tasks_app.postgresql import schema
from tasks_app.postgresql.base import DATABASE_ERRORS, deadline, remaining_s
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueDepths, QueueUnavailable

CHECK_S = 1.0  # each dependency's time to answer
LEAST_S = 0.1  # RabbitMQ's, when PostgreSQL took nearly all


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    """A worker process that is alive; its name is `host:pid:start:namespace`."""

    missing_walls = serializers.SerializerMethodField(help_text="What its kernel lacks.")

    class Meta:
        model = Worker
        fields = ["worker", "slots", "backends", "walls", "missing_walls"]

    def get_missing_walls(self, worker: Worker) -> list[str] | None:
        return worker.missing_walls


class FaultSerializer(serializers.Serializer[Any]):
    """A part of the service that fails."""

    component = serializers.ChoiceField(choices=["database", "schema", "queue"])
    code = serializers.CharField(help_text="Of the error that a submission would get.")
    since = serializers.DateTimeField(
        help_text="When it failed first since this API process last saw it work."
    )


class HealthSerializer(serializers.Serializer[Any]):
    """The state of the service and of what it depends on."""

    status = serializers.ChoiceField(choices=["healthy", "degraded"])
    database_status = serializers.ChoiceField(choices=["connected", "disconnected"])
    schema_status = serializers.ChoiceField(
        choices=["current", "outdated"],
        allow_null=True,
        help_text="Whether every migration was applied; null if unknown.",
    )
    queue_status = serializers.ChoiceField(choices=["connected", "disconnected"])
    queue = serializers.DictField(
        allow_null=True,
        help_text="Messages ready, consumers and dead letters, of the default backend; null if "
        "unknown.",
    )
    queues = serializers.DictField(help_text="The same of each backend.")
    at_fault = FaultSerializer(many=True, help_text="Empty if all is well.")
    timestamp = serializers.DateTimeField()
    workers = WorkerSerializer(
        many=True, required=False, help_text="For staff, while the database is connected."
    )


class ProbeSerializer(serializers.Serializer[Any]):
    """The answer of a probe."""

    status = serializers.CharField()
    reason = serializers.CharField(
        required=False, help_text="The code of the error that a submission would get."
    )


_CODES = {
    "database": "database_unavailable",
    "schema": "schema_outdated",
    "queue": "queue_unavailable",
}
_failing_since: dict[str, datetime] = {}  # as probes and scrapes of this process have seen it


def _note(component: str, *, works: bool) -> None:
    if works:
        _failing_since.pop(component, None)
    else:
        _failing_since.setdefault(component, timezone.now())


def _fault(component: str) -> dict[str, Any]:
    since = _failing_since.get(component) or timezone.now()
    return {"component": component, "code": _CODES[component], "since": since}


def _schema_fits() -> bool | None:
    """Whether the tables are those that this code needs; None if PostgreSQL does not answer or
    takes no writes: one that is read-only accepts no task."""
    fits = None
    with suppress(*DATABASE_ERRORS), deadline(CHECK_S), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone() == ("off",):
            fits = schema.fits()
    _note("database", works=fits is not None)
    if fits is not None:
        _note("schema", works=fits)
    return fits


def queue_depths() -> dict[str, QueueDepths]:
    """What the queue of each known backend holds; nothing if RabbitMQ does not answer in time."""
    names, depths = {DEFAULT_BACKEND}, {}
    with suppress(*DATABASE_ERRORS, ProgrammingError), deadline(CHECK_S):  # no such table
        names |= backends.known().keys()
    # What PostgreSQL left of the request's time: a queue that is there needs little.
    left_s = max(LEAST_S, min(CHECK_S, remaining_s()))
    with suppress(QueueUnavailable):
        depths = {name: broker.depths(name, timeout_s=left_s) for name in sorted(names)}
    _note("queue", works=bool(depths))
    return depths


def _word(answers: bool) -> str:
    return "connected" if answers else "disconnected"


class HealthView(APIView):
    """For people and dashboards: always 200, and it names what is away."""

    authentication_classes = AUTHENTICATION

    def perform_authentication(self, request: Request) -> None:
        """Later: who asks matters to staff only, and the database may be away."""

    @extend_schema(operation_id="health", summary="Health", responses=HealthSerializer, auth=[])
    def get(self, request: Request) -> Response:
        fits, depths = _schema_fits(), queue_depths()
        fails = {"database": fits is None, "schema": fits is False, "queue": not depths}
        found: dict[str, Any] = {
            "status": "degraded" if any(fails.values()) else "healthy",
            "database_status": _word(fits is not None),
            "schema_status": None if fits is None else "current" if fits else "outdated",
            "queue_status": _word(bool(depths)),
            "queue": asdict(depths[DEFAULT_BACKEND]) if depths else None,
            "queues": {name: asdict(each) for name, each in depths.items()},
            "at_fault": [_fault(component) for component in fails if fails[component]],
            "timestamp": timezone.now(),
        }
        with suppress(AuthenticationFailed, *DATABASE_ERRORS), deadline(CHECK_S):
            if fits and isinstance(request.user, User) and request.user.is_staff:
                alive = pace.alive_workers().order_by("worker")
                found["workers"] = [shown(WorkerSerializer, worker) for worker in alive]
        return Response(found)


@extend_schema(operation_id="live", summary="Liveness probe", responses=ProbeSerializer)
@api_view(["GET", "HEAD"])
def live(request: Request) -> Response:
    """For a supervisor: this process answers. Asks nothing of anybody else."""
    return Response({"status": "alive"})


@extend_schema(
    operation_id="ready",
    summary="Readiness probe",
    responses={200: ProbeSerializer, 503: ProbeSerializer},
)
@api_view(["GET", "HEAD"])
def ready(request: Request) -> Response:
    """For a load balancer: 200 if a submission can be accepted now, 503 otherwise."""
    fits = _schema_fits()
    if not fits:
        fails = "database" if fits is None else "schema"
    elif not queue_depths():
        fails = "queue"
    else:
        return Response({"status": "ready"})
    return Response({"status": "not ready", "reason": _CODES[fails]}, status=503)
