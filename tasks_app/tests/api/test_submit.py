"""POST /tasks: what is accepted, what is refused, and what is left behind."""

import base64
import gzip
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import dramatiq
import pytest
from django.conf import LazySettings
from structlog.testing import capture_logs

from tasks_app.models import StatusHistory, Task
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.tests.api.client import CIRCUIT, error, get, post, qpy, send
from tasks_app.tests.unit.queues import rung, taken

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]

MIB = 1_048_576


@pytest.fixture
def no_broker(empty_queue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A RabbitMQ address where nobody listens."""
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)


def nothing_happened() -> None:
    assert not Task.objects.exists()
    assert not StatusHistory.objects.exists()
    assert taken() == []


# -- accepted ----------------------------------------------------------------------------------


def test_a_submission_is_stored_and_rung_for() -> None:
    response = post({"circuit": CIRCUIT, "shots": 7, "seed": 5})

    assert response.status_code == 202
    body = json.loads(response.content)
    assert set(body) == {"task_id", "status", "submitted_at", "message", "correlation_id"}
    task = Task.objects.get()
    assert (body["task_id"], body["status"]) == (str(task.task_id), "pending")
    assert (task.circuit, task.shots, task.seed) == (CIRCUIT, 7, 5)
    assert datetime.fromisoformat(body["submitted_at"]) == task.submitted_at
    assert datetime.fromisoformat(body["submitted_at"]).tzinfo == UTC
    assert rung() == [task.task_id]
    assert [(h.status, h.notes) for h in task.history.all()] == [("pending", "submitted")]


def test_the_location_leads_to_the_task() -> None:
    response = post({"circuit": CIRCUIT})
    task_id = json.loads(response.content)["task_id"]
    assert response["Location"] == f"http://testserver/tasks/{task_id}"
    assert (
        json.loads(get(response["Location"].removeprefix("http://testserver")).content)["task_id"]
        == task_id
    )


def test_shots_are_1024_and_the_seed_is_open_unless_given() -> None:
    assert post({"circuit": CIRCUIT}).status_code == 202
    task = Task.objects.get()
    assert (task.shots, task.seed) == (1024, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"shots": 1},
        {"shots": 100_000},
        {"seed": 0},
        {"seed": None},
        {"seed": 2**53 - 1},
        {"circuit": "x"},  # whether it is a program is for the worker to say
        {"circuit": "  \n x \t "},
        {"circuit": "// ψ 量子 \U0001f600"},
    ],
)
def test_the_limits_themselves_are_accepted(fields: dict[str, Any]) -> None:
    response = post({"circuit": CIRCUIT} | fields)
    assert response.status_code == 202, response.content
    task = Task.objects.get()
    for name, value in fields.items():
        assert getattr(task, name) == value


@pytest.mark.parametrize(
    "circuit", ["x" * MIB, "é" * (MIB // 2)], ids=["one-byte text", "two-byte text"]
)
def test_a_circuit_of_exactly_one_mebibyte_is_accepted(circuit: str) -> None:
    assert post({"circuit": circuit}).status_code == 202
    assert Task.objects.get().circuit == circuit


def test_every_escape_of_json_may_be_used_for_a_large_circuit() -> None:
    """Six bytes for each: the body is far larger than the circuit."""
    raw = b'{"circuit": "' + b"\\u0041" * MIB + b'"}'
    assert post(raw).status_code == 202
    assert Task.objects.get().circuit == "A" * MIB


@pytest.mark.parametrize("path", ["/tasks", "/tasks/"])
def test_a_trailing_slash_makes_no_difference(path: str) -> None:
    assert post({"circuit": CIRCUIT}, path=path).status_code == 202


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8"],
)
def test_json_is_utf_8(content_type: str) -> None:
    body = json.dumps({"circuit": "// é"}, ensure_ascii=False).encode()
    assert post(body, content_type=content_type).status_code == 202
    assert Task.objects.get().circuit == "// é"


# -- refused -----------------------------------------------------------------------------------

SAMPLEX: dict[str, Any] = {
    **{"samplex_json": "{}", "arguments": {}, "shape": [2]},
    **{"first": 0, "count": 2},
}
BAD_VALUES: dict[str, list[Any]] = {
    "shots": [True, False, "10", "", 1.5, 1.0, 0, -1, 100_001, 10**30, None, [], [1], {}, "NaN"],
    "seed": [True, "1", 1.5, -1, 2**53, 10**30, [], {}],
    "circuit": [
        *(None, True, 1, 1.5, [], ["x"], {}, {"a": "b"}),
        *("", " ", "\n\t \r", "\u2003", "a\x00b", "\x00", "\ud800", "x\udfffx"),
    ],
    "name": [None, 1, "x" * 201, "\x00", "\ud800"],
    "parameter_sets": [None, {}, [], [1], [{"a": "1"}], [{"a": 1}] * 1001, [{"a": 1}, {"b": 1}]],
    "observables": [
        *(None, {}, [], [1], [{}], ["ZZ"], [{"ZA": 1}], [{"ZZ": 1, "Z": 1}], [{"": 1}]),
        *([{"Z": None}], [{"Z": True}], [{"Z": "1"}], [{"Z": 10**400}], [{"Z": 1}] * 1001),
        [{"Z": -1e101}],
        [{f"{'X' * i}{'Z' * (300 - i)}": 1 for i in range(250)}] * 81,
    ],
    "precision": [None, True, "0", -0.1, 1.5],
    "samplex": [
        *(None, [], {}, {"samplex_json": "{}"}, SAMPLEX | {"more": 1}, SAMPLEX | {"count": 1001}),
        *(SAMPLEX | {"first": -1}, SAMPLEX | {"shape": [0]}, SAMPLEX | {"arguments": []}),
        *(SAMPLEX | {"arguments": {"a\x00": 1}}, SAMPLEX | {"arguments": {"a": [{"\ud800": 1}]}}),
        SAMPLEX | {"arguments": {"a": ["\x00"]}},
    ],
    "outputs": [None, "counts", [], ["state"], [1], ["counts"] * 9],
    "tags": [None, "x", {}, [1], [""], ["x" * 65], ["\x00"], ["\ud800"], ["x"] * 33],
    "method": [None, 1, [], {}, "magic", "\x00"],
    "memory": [None, 0, "true", []],
    "parameters": [
        *(None, [], "x", {"a": "1"}, {"a": None}, {"a": []}, {"a": [[1], []]}, {"a": ["1"]}),
        *({"a": 10**400}, {"a\x00": 1.0}, {"\ud800": 1.0}, {"a": [1, [None]]}, {"a": [10**400]}),
        *({"a": [[[[[[[[1]]]]]]]]}, {"a": [{}]}, [[]], {"a": [1] * 10_001}),
        *({"a": [[1] * 100] * 100, "b": 1}, {"a": [[[]] * 5_001] * 2}),
        [1] * 10_001,
        {f"a{number}": 1 for number in range(10_001)},
    ],
    "noise": [
        *(None, [], "x", {"a": "\x00"}, {"\x00": 1}, {"a": "\ud800"}, {"\udfff": 1}),
        *({"a": [{"b": "x\x00"}]}, {"readout": 1.5}, {"readout": True}, {"readout": "0.1"}),
        *({"gates": {"\x00": 0.1}}, {"gates": {"\ud800": 0.1}}),
    ],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_VALUES.items() for value in values],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(name: str, value: Any) -> None:
    body = error(post({"circuit": CIRCUIT, name: value}), 400, "validation_error")
    assert list(body["details"]) == [name]
    assert name in body["error"]
    nothing_happened()


@pytest.mark.parametrize(
    "raw",
    [
        b'"parameters": {"a": 1e999}',
        b'"noise": {"a": 1e999}',
        b'"noise": {"a": -1e999}',
        b'"noise": {"a": [[1e999]]}',
        b'"shots": 1e3',
        b'"shots": 1e999',
        b'"seed": -0.0',
    ],
)
def test_a_number_that_is_none_of_json_is_refused(raw: bytes) -> None:
    assert post(b'{"circuit": "x", ' + raw + b"}").status_code == 400
    nothing_happened()


def test_a_missing_circuit_is_named() -> None:
    body = error(post({"shots": 5}), 400, "validation_error")
    assert list(body["details"]) == ["circuit"]
    nothing_happened()


def test_all_that_is_wrong_is_named_together_with_unknown_fields() -> None:
    body = error(
        post({"shots": 0, "seed": "x", "Shots": 1, "circiut": CIRCUIT}), 400, "validation_error"
    )
    assert set(body["details"]) == {"circuit", "shots", "seed", "Shots", "circiut"}


@pytest.mark.parametrize("name", ["status", "task_id", "", "\x00", "\ud800", "é", "x" * 300_000])
def test_an_unknown_field_is_refused_whatever_its_name(name: str) -> None:
    error(post({"circuit": CIRCUIT, name: 1}), 400, "validation_error")
    nothing_happened()


def test_a_thousand_unknown_fields_make_no_long_answer() -> None:
    fields = {f"unknown-{number:05}": number for number in range(1000)}
    error(post({"circuit": CIRCUIT} | fields), 400, "validation_error")


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"true",
        b"17",
        b'"text"',
        b"[]",
        b'[{"circuit": "x"}]',
    ],
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    error(post(raw), 400, "validation_error")
    nothing_happened()


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"{'circuit': 'x'}",
        b'{"circuit": "x"} more',
        b'{"circuit": "x",}',
        b'{"circuit": "x", "shots": NaN}',
        b'{"circuit": "x", "shots": Infinity}',
        b'{"circuit": "x", "shots": -Infinity}',
        b'{"circuit": "x", "shots": ' + b"9" * 5000 + b"}",
        b'{"circuit": "x", "shots": ' + b"-9" * 50_000 + b"}",
        b'{"circuit": "\xff\xfe"}',
        b'{"circuit": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"circuit": "x"}',
        '{"circuit": "x"}'.encode("utf-16"),
        b'{"circuit": "line\nbreak"}',
        b"\x00",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"circuit": "x", "noise": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b"circuit=x",
        b"--x\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    error(post(raw), 400, "malformed_request")
    nothing_happened()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"circuit": "\xff"}', "not UTF-8, as JSON is: look at byte 13"),
        (b'{"circuit": "x", "shots": ' + b"9" * 5000 + b"}", "A number in the body is too large."),
        (b'{"circuit": "x", "shots": 1e999}', "A number in the body is too large."),
        (b'{"circuit": "x", "shots": NaN}', "not JSON, which has no NaN"),
        (b'{"circuit": "x", "shots": 1, "noise": {}, "shots": 2}', "has 'shots' more than once"),
        (b'{"circuit": "x", "noise": {"a": 1, "a": 1}}', "has 'a' more than once"),
        (b'{"circuit": "x"', "Expecting ',' delimiter: line 1 column 16"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_text(raw: bytes, says: str) -> None:
    assert says in error(post(raw), 400, "malformed_request")["error"]


def test_a_compressed_body_is_refused_as_such() -> None:
    raw = gzip.compress(json.dumps({"circuit": CIRCUIT}).encode())
    refused = post(raw, **{"Content-Encoding": "gzip"})
    assert "Content-Encoding" in error(refused, 415, "unsupported_media_type")["error"]
    assert post({"circuit": CIRCUIT}, **{"Content-Encoding": "identity"}).status_code == 202


def test_an_empty_body_is_refused() -> None:
    response = post(b"")
    assert response.status_code == 400
    error(response, 400, json.loads(response.content)["code"])
    nothing_happened()


@pytest.mark.parametrize("depth", [65, 500, 900, 1000, 2000])
@pytest.mark.parametrize("name", ["noise", "method", "circuit", "tags", "unknown"])
def test_deep_nesting_is_refused_wherever_it_is(name: str, depth: int) -> None:
    raw = f'{{"circuit": "x", "{name}": '.encode() + b'{"a":[' * depth + b"1" + b"]}" * depth
    error(post(raw + b"}"), 400, "malformed_request")


def test_a_value_is_not_repeated_at_length() -> None:
    error(post({"circuit": "x", "method": "y" * 500_000}), 400, "validation_error")


@pytest.mark.parametrize(
    ("circuit", "size"),
    [
        ("x" * (MIB + 1), MIB + 1),
        ("é" * (MIB // 2) + "x", MIB + 1),
        ("\U0001f600" * (MIB // 4 + 1), MIB + 4),
    ],
    ids=["one-byte text", "two-byte text", "four-byte text"],
)
def test_a_larger_circuit_is_refused_with_its_size_in_bytes(circuit: str, size: int) -> None:
    body = error(post({"circuit": circuit}), 413, "circuit_too_large")
    assert body["details"] == {"circuit": {"bytes": size, "max_bytes": MIB}}
    nothing_happened()


def test_a_circuit_may_be_qpy() -> None:
    assert post({"circuit": qpy(), "circuit_format": "qpy"}).status_code == 202
    task = Task.objects.get()
    assert (task.circuit, task.options) == (qpy(), {"circuit_format": "qpy"})


@pytest.mark.parametrize(
    ("circuit", "says"),
    [
        (CIRCUIT, "no base64"),
        (base64.b64encode(CIRCUIT.encode()).decode(), "does not begin with QISKIT"),
        (qpy()[:16], "ends in its header"),
        (qpy(12), "QPY 12 is not supported, 13 to 18 are"),
        (qpy(19), "QPY 19 is not supported, 13 to 18 are"),
    ],
)
def test_what_is_no_qpy_is_refused_at_once(circuit: str, says: str) -> None:
    body = error(post({"circuit": circuit, "circuit_format": "qpy"}), 400, "validation_error")
    assert says in body["details"]["circuit"][0]
    nothing_happened()


def test_a_circuit_is_as_large_as_its_file() -> None:
    room = MIB - len(base64.b64decode(qpy()))
    assert post({"circuit": qpy(more=bytes(room)), "circuit_format": "qpy"}).status_code == 202
    larger = {"circuit": qpy(more=bytes(room + 1)), "circuit_format": "qpy"}
    body = error(post(larger), 413, "circuit_too_large")
    assert body["details"] == {"circuit": {"bytes": MIB + 1, "max_bytes": MIB}}


def test_another_format_is_refused_by_name() -> None:
    body = error(post({"circuit": CIRCUIT, "circuit_format": "quil"}), 400, "validation_error")
    assert body["details"] == {"circuit_format": ["Not one of openqasm, qpy."]}


def test_a_body_too_large_for_any_circuit_is_refused_unread(settings: LazySettings) -> None:
    raw = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    error(post(raw), 413, "payload_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "nonsense",
        "",
    ],
)
def test_another_media_type_is_refused(content_type: str) -> None:
    raw = json.dumps({"circuit": CIRCUIT}).encode()
    refused = error(post(raw, content_type=content_type), 415, "unsupported_media_type")
    assert "application/json" in refused["error"]
    nothing_happened()


@pytest.mark.parametrize(
    "charset", ["zlib", "bz2", "hex", "base64", "rot13", "punycode", "idna", "utf-16", "nonsense"]
)
def test_a_charset_is_not_what_python_makes_of_it(charset: str) -> None:
    """Some of Python's "encodings" decompress: a small body could fill the memory."""
    import zlib

    raw = zlib.compress(json.dumps({"circuit": CIRCUIT}).encode())
    response = post(raw, content_type=f"application/json; charset={charset}")
    error(response, 400, "malformed_request")
    plain = json.dumps({"circuit": "// é"}, ensure_ascii=False).encode()
    response = post(plain, content_type=f"application/json; charset={charset}")
    assert response.status_code == 202, response.content  # JSON is UTF-8
    assert Task.objects.get().circuit == "// é"


def test_an_answer_that_is_no_json_cannot_be_had() -> None:
    response = post({"circuit": CIRCUIT}, accept="text/html")
    assert "application/json" in error(response, 406, "not_acceptable")["error"]
    nothing_happened()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "FROBNICATE"])
def test_other_methods_are_refused_with_those_that_exist(method: str) -> None:
    response = send(method, "/tasks")
    error(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_options_names_the_methods() -> None:
    response = send("OPTIONS", "/tasks")
    assert response.status_code == 200
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


# -- correlation id ----------------------------------------------------------------------------


@pytest.mark.parametrize("offered", ["a", "x" * 128, "!~", "018f-aa/b:c=1"])
def test_an_offered_correlation_id_is_kept_everywhere(offered: str) -> None:
    with capture_logs() as logs:
        response = post({"circuit": CIRCUIT}, **{"X-Correlation-ID": offered})

    assert response["X-Correlation-ID"] == offered
    assert json.loads(response.content)["correlation_id"] == offered
    assert Task.objects.get().correlation_id == offered
    (body,) = taken()
    assert dramatiq.Message.decode(body).options == {"correlation_id": offered}
    assert {"task_submitted", "request"} <= {e["event"] for e in logs}


@pytest.mark.parametrize("offered", ["", " ", "a b", "x" * 129, "é", "a\tb", "\x7f", "a\x00b"])
def test_an_unusable_correlation_id_is_replaced(offered: str) -> None:
    response = post({"circuit": CIRCUIT}, **{"X-Correlation-ID": offered})
    given = response["X-Correlation-ID"]
    assert given != offered
    assert str(uuid.UUID(given)) == given
    assert Task.objects.get().correlation_id == given


def test_without_one_each_request_gets_its_own() -> None:
    ids = {post({"circuit": CIRCUIT})["X-Correlation-ID"] for _ in range(5)}
    assert len(ids) == 5


# -- when the queue is away --------------------------------------------------------------------


@pytest.mark.usefixtures("no_broker")
def test_without_the_queue_nothing_is_kept() -> None:
    response = post({"circuit": CIRCUIT})

    error(response, 503, "queue_unavailable")
    assert int(response["Retry-After"]) >= 1
    assert not Task.objects.exists()
    assert not StatusHistory.objects.exists()


@pytest.mark.usefixtures("no_broker")
def test_without_the_queue_the_task_is_kept_if_the_operator_wants_it(
    settings: LazySettings,
) -> None:
    settings.QUEUE_DOWN_POLICY = "accept"

    response = post({"circuit": CIRCUIT})

    assert response.status_code == 202
    assert "when the queue is back" in json.loads(response.content)["message"]
    assert Task.objects.get().current_status == "pending"


def test_arrays_are_kept_as_they_are() -> None:
    given = {"a": [[1, 2.0], [True, -0.5]], "b": [[[[[[[1]]]]]]], "c": [[1] * 99] * 100}
    assert post({"circuit": CIRCUIT, "parameters": given}).status_code == 202
    assert repr(Task.objects.get().options["parameters"]) == repr(given)


def test_parameters_keep_their_types_because_the_program_declares_them() -> None:
    given = {"n": 2, "theta": 0.5, "flag": True}
    assert post({"circuit": CIRCUIT, "parameters": given}).status_code == 202
    kept = Task.objects.get().options["parameters"]
    assert [(name, type(value)) for name, value in sorted(kept.items())] == [
        ("flag", bool),
        ("n", int),
        ("theta", float),
    ]
