"""What `tracing` does where it is on: the only module that imports OpenTelemetry.

The exporter's settings are OpenTelemetry's own, from the environment: `OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` and others.
"""

import atexit
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int]

EXPORT_S, CLOSE_S = 3.0, 3.0
_PARTS = ("parse", "compile", "run")  # `…_seconds` of a result's metadata, one after the other

_propagator = TraceContextTextMapPropagator()
_lock = threading.Lock()
_providers: dict[int, TracerProvider] = {}  # by process: threads do not survive a fork


def _provider() -> TracerProvider:
    with _lock:
        provider = _providers.get(os.getpid())
        if provider is None:
            name = os.environ.get("OTEL_SERVICE_NAME", "quantum-tasks")
            resource = Resource.create({SERVICE_NAME: name})
            provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_S)))
            _providers[os.getpid()] = provider
            atexit.register(close)
        return provider


def _start(name: str, context: Context | None = None, **more: Any) -> Span:
    return _provider().get_tracer("quantumtasks").start_span(name, context, **more)


def _of(traceparent: str | None) -> Context:
    """The context that a `traceparent` names; one that begins a trace if it is none."""
    return _propagator.extract({"traceparent": traceparent or ""}, Context())


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span))
    return carrier["traceparent"]


@contextmanager
def request(method: str, traceparent: str | None) -> Iterator[tuple[Span, str]]:
    """Around a request; its span, and the `traceparent` of what it leads to."""
    attributes = {"http.request.method": method}
    span = _start(method, _of(traceparent), kind=SpanKind.SERVER, attributes=attributes)
    with trace.use_span(span, end_on_exit=True):
        yield span, _traceparent(span)


@contextmanager
def attempt(traceparent: str | None, *, waited_s: float, attributes: Attributes) -> Iterator[None]:
    now = time.time_ns()
    begun = now - int(1e9 * waited_s)
    name = "queue" if attributes["attempt"] == 1 else "attempt that was lost, and queue"
    queued = _start(name, _of(traceparent), kind=SpanKind.PRODUCER, start_time=begun)
    queued.end(now)
    context = trace.set_span_in_context(queued)
    span = _start("attempt", context, kind=SpanKind.CONSUMER, attributes=attributes)
    with trace.use_span(span, end_on_exit=True):
        yield


def ran(metadata: Mapping[str, Any], seconds: float) -> None:
    ended = time.time_ns()
    sandbox = _start("sandbox", start_time=ended - int(1e9 * seconds))
    context, parts = trace.set_span_in_context(sandbox), []
    at = ended
    for name in reversed(_PARTS):
        took = metadata.get(f"{name}_seconds")
        if isinstance(took, int | float) and 0 <= took <= seconds:  # a child's word
            parts.append((name, at - int(1e9 * took), at))
            at = parts[-1][1]
    for name, begun, end in reversed(parts):
        _start(name, context, start_time=begun).end(end)
    sandbox.end(ended)


def failed(code: str) -> None:
    trace.get_current_span().set_status(Status(StatusCode.ERROR, code))


def close() -> None:
    """Send what is left within `CLOSE_S`: whoever takes spans may have stopped."""
    with _lock:
        provider = _providers.pop(os.getpid(), None)
    if provider is not None:
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(CLOSE_S)
