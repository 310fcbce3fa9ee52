"""When the client asks again: as steps, without a service or a clock."""

import re
from typing import Any

import pytest

from quantumtasks_client import (
    ApiError,
    Conflict,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    ServiceUnavailable,
    ServiceUnreachable,
)
from quantumtasks_client.exchange import (
    Answer,
    Emit,
    Lines,
    Lost,
    Pause,
    Read,
    Request,
    Step,
    Steps,
    collected,
)
from quantumtasks_client.operations import Operations

URL = "https://quantum.example.org"
ACCEPTED = (
    b'{"task_id": "1", "status": "pending", "submitted_at": "2026-11-26T00:00:00Z", '
    b'"message": "Task accepted.", "correlation_id": "c"}'
)
BATCH = (
    b'{"batch_id": "1", "name": "", "size": 3, "submitted_at": "2026-11-26T00:00:00Z", "counts": '
    b'{"pending": 0, "processing": 0, "completed": 3, "failed": 0, "cancelled": 0}, "tasks": ['
    b'{"index": 0, "task_id": "0", "status": "completed", "error_code": null},'
    b'{"index": 1, "task_id": "1", "status": "completed", "error_code": null},'
    b'{"index": 2, "task_id": "2", "status": "completed", "error_code": null}]}'
)
WITHOUT_1 = BATCH.replace(
    b'{"index": 1, "task_id": "1", "status": "completed", "error_code": null},', b""
)
LINES = [
    f'{{"index": {n}, "task_id": "{n}", "status": "completed", "result": {{"shots": {n}}}}}\n'
    for n in range(3)
]
OK = Answer(202, {}, ACCEPTED)


class Script:
    """Takes an operation's steps with answers prepared, and keeps them."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.steps: list[Step] = []

    def run(self, steps: Steps[Any]) -> Any:
        result: object = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as end:
                assert not self._answers
                return end.value
            self.steps.append(step)
            result = None if isinstance(step, Pause | Emit) else self._answers.pop(0)

    @property
    def requests(self) -> list[Request]:
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]


def submission(patience_s: float = 1000) -> Steps[Any]:
    return Operations(patience_s, URL).submit("OPENQASM 3.0;", {"shots": 1}, None)


@pytest.mark.parametrize(
    "first",
    [Lost("reset"), Answer(502, {}), Answer(503, {}), Answer(504, {}), Answer(503, {}, b"<")],
)
def test_what_may_pass_is_sent_again_as_it_was(first: object) -> None:
    script = Script(first, OK)
    assert script.run(submission()).task_id == "1"
    once, again = script.requests
    assert (once.path, once.body, once.headers) == (again.path, again.body, again.headers)
    assert once.headers["Idempotency-Key"]
    assert len(script.pauses) == 1


def test_two_submissions_have_two_keys() -> None:
    keys = set()
    for _ in range(2):
        script = Script(OK)
        script.run(submission())
        keys.add(script.requests[0].headers["Idempotency-Key"])
    assert len(keys) == 2


def test_pauses_grow_to_a_bound() -> None:
    script = Script(*[Answer(503, {})] * 12, OK)
    script.run(submission())
    assert script.pauses[0] <= 0.1
    assert 2.5 <= max(script.pauses) <= 5
    assert script.pauses[-1] >= 2.5


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_as_long_as_asked_for(status: int) -> None:
    script = Script(Answer(status, {"retry-after": "7"}), OK)
    script.run(submission())
    assert 7 < script.pauses[0] < 8


def test_a_call_that_goes_on_asking_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    Script(*[Answer(503, {"retry-after": "7"})] * 2, OK).run(submission())
    assert caplog.messages == ["The answer was HTTP 503. Trying again, for up to 1000 s."]


def test_a_certificate_that_nobody_vouches_for_is_told_at_once() -> None:
    lost = Lost("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    with pytest.raises(ServiceUnreachable, match="SSL_CERT_FILE"):
        Script(lost).run(submission())


@pytest.mark.parametrize("cut", [Lost("reset"), Answer(504, {})])
def test_a_wait_that_is_cut_short_goes_on_however_often(cut: object) -> None:
    going = Answer(200, {}, BATCH.replace(b'"pending": 0', b'"pending": 3'))
    script = Script(*[cut, going] * 3, Answer(200, {}, BATCH))
    assert script.run(Operations(0.1, URL).wait_batch("1", None, None)).ended
    wait = (("wait", "30"),)
    assert [request.query for request in script.requests] == [wait, ()] * 3 + [wait]


def test_a_date_to_retry_after_is_understood() -> None:
    script = Script(Answer(503, {"retry-after": "Thu, 26 Nov 2020 00:00:00 GMT"}), OK)
    script.run(submission())
    assert script.pauses[0] <= 0.1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(503, {"retry-after": "60"}), ServiceUnavailable),
        (Answer(503, {}), ServiceUnavailable),
        (Lost("refused"), ServiceUnreachable),
    ],
)
def test_patience_has_an_end(answer: object, kind: type[Exception]) -> None:
    script = Script(answer)
    with pytest.raises(kind):
        script.run(submission(patience_s=0))
    assert not script.pauses


def test_a_limit_that_waiting_does_not_lift_is_told_at_once() -> None:
    with pytest.raises(LimitExceeded):
        Script(Answer(429, {}, b'{"error": "No.", "code": "limit_exceeded"}')).run(submission())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "validation_error", InvalidRequest),
        (404, "not_found", NotFound),
        (409, "brand_new", Conflict),
        (413, "circuit_too_large", InvalidRequest),
        (418, "brand_new", InvalidRequest),
        (500, "internal_error", ServiceUnavailable),
    ],
)
def test_what_is_final_is_raised_by_its_code_or_status(
    status: int, code: str, kind: type[ApiError]
) -> None:
    body = f'{{"error": "No.", "code": "{code}", "details": {{"a": 1}}, "correlation_id": "c"}}'
    with pytest.raises(kind, match=r"No\.") as caught:
        Script(Answer(status, {}, body.encode())).run(submission())
    error = caught.value
    assert (error.status, error.code, error.details, error.correlation_id) == (
        *(status, code, {"a": 1}, "c"),
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": 1}', b"\xff"])
def test_an_error_of_a_proxy_is_an_error_too(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="HTTP 400") as caught:
        Script(Answer(400, {}, body)).run(submission())
    assert caught.value.code == "http_400"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_an_answer_of_something_else_is_no_result(body: bytes) -> None:
    with pytest.raises(ServiceUnreachable, match="no Quantum Tasks service"):
        Script(Answer(200, {}, body)).run(Operations(0, URL).get("1"))


def test_a_stream_that_breaks_off_goes_on_where_it_was() -> None:
    text = "".join(LINES).encode()
    first, second, third = text[:30], text[30:100], text[100:]
    batch = Answer(200, {}, BATCH)
    script = Script(
        *(batch, Answer(200, {}, stream="a"), first, second, Lost("reset"), batch),
        *(Lost("refused"), Answer(200, {}, stream="b"), text[:150], None, batch),
        *(Answer(200, {}, stream="c"), first, second, third, None),
    )
    elements = script.run(collected(Operations(1000, URL).results("1", None, None)))
    assert [element.index for element in elements] == [0, 1, 2]
    assert [element.get_result().shots for element in elements] == [0, 1, 2]
    assert "".join(step.stream for step in script.steps if isinstance(step, Read)) == "aaabbcccc"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_come_whole_however_they_are_cut(size: int) -> None:
    text = "".join(LINES).encode()
    lines = Lines()
    found = [line for n in range(0, len(text), size) for line in lines.of(text[n : n + size])]
    assert found == text.splitlines()


def test_a_line_skipped_is_a_task_deleted() -> None:
    text = f"{LINES[0]}{LINES[2]}".encode()
    without = re.sub(rb'\{"index": 1,.*?\},', b"", BATCH)
    answers = [Answer(200, {}, BATCH), Answer(200, {}, stream="a"), text, None]
    script = Script(*answers, Answer(200, {}, without))
    elements = script.run(collected(Operations(0, URL).results("1", None, None)))
    assert [element.index for element in elements] == [0, 2]


def test_a_stream_that_never_ends_well_is_an_error() -> None:
    batch = Answer(200, {}, BATCH)
    script = Script(batch, Answer(200, {}, stream="a"), b'{"index', None, batch)
    with pytest.raises(ServiceUnreachable, match="ended early"):
        script.run(collected(Operations(0, URL).results("1", None, None)))


def test_numbers_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(ValueError, match="precision"):
        Script().run(Operations(0, URL).submit("", {"precision": float("nan")}, None))
