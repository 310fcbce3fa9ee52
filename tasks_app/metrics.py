"""Every figure that is counted where it happens, with its name; who knows of an event counts it.

Those of several processes are added up, of processes that have died too: `metric_files` says
where. What can be asked of PostgreSQL or RabbitMQ is not counted here, but told by `api.metrics`.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tasks_app.circuits.job import METHODS
from tasks_app.metric_files import VARIABLE

HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OF_A_REQUEST = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_OF_A_TASK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)

_own = CollectorRegistry()


def _counter(name: str, what: str, *labels: str) -> Counter:
    return Counter(f"quantumtasks_{name}", what, labels, registry=_own)


def _histogram(name: str, what: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"quantumtasks_{name}_seconds", what, labels, registry=_own, buckets=buckets)


REQUESTS = _histogram(
    "request",
    "HTTP requests, and seconds until their answer or its beginning.",
    *("route", "method", "status"),
    buckets=_OF_A_REQUEST,
)
SUBMISSIONS = _counter("submissions", "Valid submissions, of a task or a batch.", "outcome")
TRANSITIONS = _counter("transitions", "Moves of tasks from one status to another.", "from", "to")
WAITING = _histogram(
    "task_waiting",
    "Seconds from a task's submission to its first claim, by the method asked for.",
    "method",
    buckets=_OF_A_TASK,
)
RUNNING = _histogram(
    "task_running",
    "Seconds of simulations that gave a result, reading and compiling included, by their method.",
    "method",
    buckets=_OF_A_TASK,
)
FAILURES = _counter("failures", "Tasks that failed.", "code")
CLAIMS_LOST = _counter(
    "claims_lost", "Attempts whose outcome was dropped: cancelled, or another worker's by then."
)
RECOVERED = _counter("recovered", "Tasks found by recovery that nobody worked on.", "kind")
PUBLISHES_REFUSED = _counter(
    "publishes_refused", "Calls to publish messages that RabbitMQ did not confirm in time."
)
SANDBOXES_ENDED = _counter("sandboxes_ended", "Simulation children ended.", "reason")


@cache
def _series(metric: Any, *labels: object) -> Any:
    """A metric's series with these labels: to look for it costs as much as to count."""
    return metric.labels(*labels)


def known_method(method: str | None) -> str:
    """What a request's method is called: labels are kept for ever, and none is a client's text."""
    return method if method in HTTP_METHODS else "other"


def request(route: str, method: str | None, status: int, seconds: float) -> None:
    """Count a request."""
    _series(REQUESTS, route, known_method(method), status).observe(seconds)


def submitted(outcome: str) -> None:
    """Count a submission."""
    _series(SUBMISSIONS, outcome).inc()


def moved(from_: str, to: str, tasks: int = 1) -> None:
    """Count tasks that have moved."""
    _series(TRANSITIONS, from_, to).inc(tasks)


def waited(options: Mapping[str, Any], seconds: float) -> None:
    """Count a task that was claimed for the first time."""
    _series(WAITING, options.get("method", METHODS[0])).observe(seconds)


def ran(result: Mapping[str, Any], seconds: float) -> None:
    """Count a simulation. What it was done by is a child's word, and not believed as it is."""
    method = result["metadata"].get("method")
    _series(RUNNING, method if method in METHODS else "other").observe(seconds)


def recovered(counts: Mapping[str, int]) -> None:
    """Count what a pass of recovery has found, by kind."""
    for kind, tasks in counts.items():
        _series(RECOVERED, kind).inc(tasks)


def sandbox_ended(reason: str) -> None:
    _series(SANDBOXES_ENDED, reason).inc()


def registry(*more: Collector) -> CollectorRegistry:
    """What to tell: all of this service's processes together, and `more`."""
    told = CollectorRegistry()
    for collector in more:
        told.register(collector)
    if VARIABLE in os.environ:
        MultiProcessCollector(told)  # type: ignore[no-untyped-call]
    else:
        told.register(_own)
    return told
