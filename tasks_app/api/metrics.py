"""For Prometheus: the state of the service, and what its processes have counted."""

from collections.abc import Iterator, Mapping

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from tasks_app import backends, metrics, pace
from tasks_app.api import health
from tasks_app.api.content import AnyMediaType
from tasks_app.circuits.backend import DEFAULT_BACKEND
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


def _by_backend(name: str, what: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(f"quantumtasks_{name}", what, labels=["backend"])
    for backend, value in values.items():
        found.add_metric([backend], value)
    return found


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
            each = {name: pace.pace_lately(name) for name in backends.known()}
            waiting = {name: pace.pending(name) for name in each}
            online = {name: float(each.online) for name, each in backends.known().items()}
    except DATABASE_ERRORS:
        return None
    return [
        unfinished,
        _gauge("oldest_pending_seconds", "Age of the oldest pending task.", oldest_s),
        _gauge("workers", "Worker processes alive.", now["workers"]),
        _gauge("slots", "Circuits that they can run at a time.", now["slots"]),
        _gauge("leases_expired", "Processing tasks whose worker is lost.", lost),
        _gauge("internal_errors", "Tasks that failed by a fault of our own code.", bugs),
        _by_backend("backend_online", "1 if the backend's tasks may start.", online),
        _by_backend("backend_pending", "Tasks that wait for the backend.", waiting),
        _by_backend(
            "backend_processing",
            "Tasks that run on the backend.",
            {name: found["processing"] for name, found in each.items()},
        ),
        _by_backend(
            "backend_slots",
            "Circuits that the workers who serve the backend can run at a time.",
            {name: found["slots"] for name, found in each.items()},
        ),
    ]


def _queue_gauges() -> list[GaugeMetricFamily] | None:
    found = health.queue_depths()
    if not found:
        return None
    ready = {name: depths.ready for name, depths in found.items()}
    consumers = {name: depths.consumers for name, depths in found.items()}
    dead_letters = found[DEFAULT_BACKEND].dead_letters
    return [
        _by_backend("queue_messages", "Messages ready in the backend's queue.", ready),
        _by_backend("queue_consumers", "Worker processes that consume them.", consumers),
        _gauge("dead_letters", "Messages nobody could work on.", dead_letters),
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
