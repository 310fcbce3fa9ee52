"""`GET /batches/{id}/results`: a line for each element, whatever its size and the client's pace."""

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.http import StreamingHttpResponse
from pytest_django.fixtures import Settings

from tasks_app import lifecycle
from tasks_app.api import batch_results
from tasks_app.models import Batch, Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get, post, unknown_id
from tasks_app.tests.unit.tasks import RESULT, claimed
from testing.service import Service, eventually

database = pytest.mark.django_db
MIB = 2**20
# Copies of a batch's first element, its result included, as its further elements.
SAME = ", ".join({str(f.column) for f in Task._meta.concrete_fields} - {"task_id", "batch_index"})
COPY = f"""
INSERT INTO tasks_app_task (task_id, batch_index, {SAME})
SELECT (left(task_id::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, n, {SAME}
FROM tasks_app_task, generate_series(1, %(copies)s) AS n WHERE batch_id = %(batch_id)s
"""


def path(batch: Batch) -> str:
    return f"/batches/{batch.batch_id}/results"


def ask(batch: Batch, **headers: str) -> StreamingHttpResponse:
    response: Any = get(path(batch), **headers)
    assert isinstance(response, StreamingHttpResponse), response.content
    return response


def lines(content: bytes) -> list[dict[str, Any]]:
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def large(size: int, *, result_bytes: int = 1_000_000) -> Batch:
    """A batch whose elements have completed, each with a result of this size."""
    batch = Batch.objects.create(size=size)
    first = people.task_of(None, batch=batch, batch_index=0)
    memory = ["0110"] * (result_bytes // 8)
    lifecycle.complete(claimed(first.task_id), RESULT | {"memory": memory})
    with people.unguarded(), connection.cursor() as cursor:
        cursor.execute(COPY, {"batch_id": batch.batch_id, "copies": size - 1})
    return batch


# -- lines --------------------------------------------------------------------------------------


@database
def test_a_line_for_each_element_in_order() -> None:
    batch = people.batch_of(None, *Status)
    response = ask(batch)

    assert (response.status_code, response["Content-Type"]) == (200, "application/x-ndjson")
    ids = [str(task.task_id) for task in Task.objects.order_by("batch_index")]
    nothing = {"result": None, "error_code": None, "error_message": None}
    assert lines(response.getvalue()) == [
        {"index": 0, "task_id": ids[0], "status": "pending"} | nothing,
        {"index": 1, "task_id": ids[1], "status": "processing"} | nothing,
        {"index": 2, "task_id": ids[2], "status": "completed"} | nothing | {"result": RESULT},
        {"index": 3, "task_id": ids[3], "status": "failed"}
        | {"result": None, "error_code": "bad", "error_message": "It is bad."},
        {"index": 4, "task_id": ids[4], "status": "cancelled"} | nothing,
    ]


@database
def test_of_an_element_that_was_retried_the_latest_is_told(empty_queue: None) -> None:
    batch = people.batch_of(None, Status.FAILED, Status.COMPLETED)
    post({}, f"/batches/{batch.batch_id}/retry")
    assert [line["status"] for line in lines(ask(batch).getvalue())] == ["pending", "completed"]


@database
def test_a_result_that_holds_line_breaks_is_one_line() -> None:
    batch = people.batch_of(None, Status.PENDING)
    noted = RESULT | {"metadata": {"notes": ["a\nb\u2028c"]}}
    lifecycle.complete(claimed(Task.objects.get().task_id), noted)
    content = ask(batch).getvalue()
    assert content.count(b"\n") == 1
    assert json.loads(content)["result"] == noted


@database
def test_an_unknown_batch_is_404_and_what_is_no_id_400() -> None:
    error(get(f"/batches/{unknown_id()}/results"), 404, "not_found")
    error(get("/batches/nonsense/results"), 400, "invalid_batch_id")


@database
@pytest.mark.parametrize("accept", ["application/x-ndjson", "application/json", "text/plain"])
def test_they_are_lines_of_json_whatever_is_accepted(accept: str) -> None:
    response = ask(people.batch_of(None, Status.COMPLETED), Accept=accept)
    assert response["Content-Type"] == "application/x-ndjson"


@database
def test_they_are_compressed_if_asked() -> None:
    batch = large(3)
    plain, packed = ask(batch), ask(batch, **{"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain["Vary"]
    content, compressed = plain.getvalue(), packed.getvalue()
    assert gzip.decompress(compressed) == content
    assert len(compressed) < len(content) / 10


# -- parts --------------------------------------------------------------------------------------


@database
def test_parts_are_bounded_in_bytes() -> None:
    sent = [(len(part), len(lines(part))) for part in ask(large(10, result_bytes=MIB // 2))]
    assert [count for _, count in sent] == [2] * 5
    assert all(size < 1.2 * MIB for size, _ in sent)


@database
def test_what_happens_while_they_are_sent_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_results, "PART_BYTES", 1)
    batch = people.batch_of(None, *[Status.COMPLETED] * 2, *[Status.PENDING] * 3)
    _, deleted, ended, waiting, _ = Task.objects.order_by("batch_index")
    sent: Iterator[bytes] = iter(ask(batch))

    content = next(sent)
    lifecycle.complete(claimed(ended.task_id), RESULT)
    Task.objects.filter(task_id=deleted.task_id).delete()
    lifecycle.cancel([waiting.task_id], reason="not wanted")

    told = lines(content + b"".join(sent))
    assert [(line["index"], line["status"], line["result"]) for line in told] == [
        (0, "completed", RESULT),
        (2, "completed", RESULT),
        (3, "cancelled", None),
        (4, "pending", None),
    ]


@pytest.mark.django_db(transaction=True)  # closing an answer closes the test's connection
def test_some_may_be_sent_more_than_a_part_at_a_time() -> None:
    assert django_settings.MAX_STREAMS == 2
    short, long = large(1), large(5)
    streams = [ask(long), ask(long)]

    refused = get(path(long))
    error(refused, 503, "too_many_streams")
    assert int(refused["Retry-After"]) >= 1
    assert len(lines(ask(short).getvalue())) == 1

    next(iter(streams[0]))  # one has begun, the other one not
    for stream in streams:
        stream.close()
    assert len(lines(ask(long).getvalue())) == 5


@database
def test_somebody_elses_elements_are_not_told(settings: Settings) -> None:
    settings.API_AUTH = "required"
    batch = people.batch_of(people.user("ada"), Status.COMPLETED)
    bob = people.token(people.user("bob"))
    error(people.ask("GET", path(batch), bob), 404, "not_found")


# -- in a process -------------------------------------------------------------------------------


def peak_kib(pid: int) -> int:
    """The largest resident memory of the process since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def reading(service: Service, batch: Batch, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """A client that has its answer's head, and takes as little of the rest as it likes."""
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
    client.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    try:
        client.request("GET", path(batch), headers=headers)
        yield client.getresponse()
    finally:
        client.close()


@pytest.mark.parametrize(("encoding", "size"), [("identity", 1000), ("gzip", 200)])
def test_a_thousand_large_results_take_no_memory(
    service: Service, encoding: str, size: int
) -> None:
    (pid,) = service.start_api(processes=1).children()
    batch = large(size)
    with reading(service, batch) as answer:
        answer.readline()
    forget_peak(pid)
    before = peak_kib(pid)

    with reading(service, batch, **{"Accept-Encoding": encoding}) as answer:
        assert answer.status == 200
        stream: Any = gzip.GzipFile(fileobj=answer) if encoding == "gzip" else answer
        received = [(len(line), line[: line.index(b",")]) for line in stream]

    assert [start for _, start in received] == [b'{"index":%d' % n for n in range(size)]
    assert sum(length for length, _ in received) > 1_000_000 * size
    assert peak_kib(pid) - before < 32 * 1024


def test_who_stops_reading_holds_a_thread_and_nothing_of_the_database(service: Service) -> None:
    service.start_api(processes=1)
    batch = large(50)
    with reading(service, batch) as answer, reading(service, batch):
        answer.readline()
        refused = service.get(path(batch))
        assert (refused.status, refused.body["code"]) == (503, "too_many_streams")
        eventually(lambda: not at_work(), what="no session has anything to do")
        assert service.get(f"/tasks/{Task.objects.all()[0].task_id}").status == 200
        assert json.loads(answer.readline())["index"] == 1
    eventually(
        lambda: service.get(path(batch)).status == 200,
        what="there is a place again",
    )


def at_work() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND (state <> 'idle' OR xact_start IS NOT NULL)"
        )
        return [state for (state,) in cursor.fetchall()]


def test_an_answer_that_breaks_off_can_be_told_from_a_whole_one(service: Service) -> None:
    service.start_api(processes=1)
    with reading(service, large(50)) as answer:
        answer.readline()
        eventually(lambda: not at_work(), what="buffers are full")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
    assert service.get("/health/ready").status == 200
