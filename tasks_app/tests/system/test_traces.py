"""One trace from the client through API, queue and worker into the sandbox."""

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from testing.service import BELL, ROOT, Service, eventually

TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver(ThreadingHTTPServer):
    """Takes spans as a collector does: OTLP, protobuf over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, trace_id: str) -> dict[str, Span]:
        return {span.name: span for span in list(self.spans) if span.trace_id.hex() == trace_id}


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told = ExportTraceServiceRequest.FromString(body)
        for resource in told.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(service: Service, receiver: Receiver) -> Service:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    service.start_api(processes=1, **env)
    service.start_worker(processes=1, threads=1, **env)
    return service


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def traced_task(service: Service, circuit: str, parent: str | None) -> Any:
    headers = {} if parent is None else {"traceparent": parent}
    answer = service.post("/tasks", {"circuit": circuit}, **headers)
    assert answer.status == 202, answer
    return service.finished(answer.body["task_id"])


def test_one_trace_runs_from_the_client_into_the_sandbox(
    traced: Service, receiver: Receiver
) -> None:
    task = traced_task(traced, BELL, f"00-{TRACE}-{CLIENT}-01")
    names = {"POST tasks", "queue", "attempt", "sandbox", "parse", "compile", "run"}
    spans = eventually(
        lambda: s if (s := receiver.of(TRACE)).keys() >= names else None, what="all spans came"
    )
    assert spans.keys() == names

    parents = {"POST tasks": CLIENT}
    for child, parent in (
        *(("queue", "POST tasks"), ("attempt", "queue"), ("sandbox", "attempt")),
        *(("parse", "sandbox"), ("compile", "sandbox"), ("run", "sandbox")),
    ):
        parents[child] = spans[parent].span_id.hex()
    assert {name: span.parent_span_id.hex() for name, span in spans.items()} == parents

    assert attributes(spans["POST tasks"]) == {
        "http.request.method": "POST",
        "http.route": "tasks",
        "http.response.status_code": 202,
        "quantumtasks.correlation_id": task["correlation_id"],
    }
    assert attributes(spans["attempt"]) == {"task_id": task["task_id"], "attempt": 1, "shots": 1024}
    for inner, outer in (("sandbox", "attempt"), ("parse", "sandbox"), ("run", "sandbox")):
        assert spans[outer].start_time_unix_nano <= spans[inner].start_time_unix_nano
        assert spans[inner].end_time_unix_nano <= spans[outer].end_time_unix_nano
    run = spans["run"]
    took = (run.end_time_unix_nano - run.start_time_unix_nano) / 1e9
    assert took == pytest.approx(task["result"]["metadata"]["run_seconds"], abs=2e-6)


def test_a_failure_is_marked_and_a_trace_begins_where_the_client_has_none(
    traced: Service, receiver: Receiver
) -> None:
    for parent in (None, "00-nonsense-01", "x" * 5_000):
        receiver.spans.clear()
        traced_task(traced, "OPENQASM 3.0; nonsense", parent)
        (attempt,) = eventually(
            lambda: [span for span in list(receiver.spans) if span.name == "attempt"],
            what="the span came",
        )
        assert attempt.status.code == Status.StatusCode.STATUS_CODE_ERROR
        assert attempt.status.message == "syntax_error"
        trace_id = attempt.trace_id.hex()
        request = eventually(
            lambda trace_id=trace_id: receiver.of(trace_id).get("POST tasks"),  # type: ignore[misc]
            what="the request's span came",
        )
        assert not request.parent_span_id


def test_the_elements_of_a_batch_share_the_trace(traced: Service, receiver: Receiver) -> None:
    body = {"tasks": [{"circuit": BELL}, {"circuit": BELL}]}
    answer = traced.post("/tasks/batch", body, traceparent=f"00-{TRACE}-{CLIENT}-01")
    for task_id in answer.body["task_ids"]:
        traced.finished(task_id)
    eventually(
        lambda: sum(span.name == "attempt" for span in list(receiver.spans)) == 2,
        what="both attempts came",
    )
    assert {span.trace_id.hex() for span in receiver.spans if span.name == "attempt"} == {TRACE}


def test_without_a_receiver_the_service_works_and_ends(service: Service) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    processes = [
        service.start_api(processes=1, **env),
        service.start_worker(processes=1, threads=1, **env),
    ]
    assert traced_task(service, BELL, None)["status"] == "completed"
    for process in processes:
        process.stop()
        assert process.wait() == 0


@pytest.mark.parametrize("on", [False, True])
def test_where_it_is_off_nothing_of_it_is_imported(on: bool) -> None:
    code = (
        "import django, sys; django.setup(); import quantumtasks.wsgi, quantumtasks.urls; "
        "from django_dramatiq import setup; from tasks_app.worker import actors; "
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry.'))[:1])"
    )
    env = os.environ | ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if on else {})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert bool(re.search("opentelemetry", done.stdout)) is on, done.stdout
