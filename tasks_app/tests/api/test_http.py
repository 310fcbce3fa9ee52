"""HTTP as clients really speak it, and as they should not: raw sockets against gunicorn."""

import json
import socket
from collections.abc import Iterator

import pytest

from tasks_app.models import Task
from testing.service import BELL, LIMIT_S, Service

SUBMISSION = json.dumps({"circuit": BELL}).encode()


@pytest.fixture
def api(service: Service) -> Iterator[Service]:
    service.start_api(processes=1)
    yield service
    assert service.get("/health/live").status == 200, "it serves nobody any more"


def talk(api: Service, sent: bytes, *, finish: bool = True) -> list[bytes]:
    """Send bytes as they are; the responses' heads and bodies until the server closes."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=LIMIT_S) as connection:
        connection.sendall(sent)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    return [b"HTTP/1.1 " + part for part in received.split(b"HTTP/1.1 ")[1:]]


def request(head: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (f"{head} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def statuses(answers: list[bytes]) -> list[int]:
    return [int(answer.split()[1]) for answer in answers]


def test_requests_of_every_shape_are_answered_and_none_is_smuggled(api: Service) -> None:
    close = "Connection: close"
    length = f"Content-Length: {len(SUBMISSION)}"
    chunked = "Transfer-Encoding: chunked"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SUBMISSION), SUBMISSION)
    hidden = request("DELETE /hidden")

    # An ordinary one, to know that this is how it is done.
    (answer,) = talk(api, request("POST /tasks", length, close, body=SUBMISSION))
    assert answer.startswith(b"HTTP/1.1 202")
    assert Task.objects.count() == 1

    # Chunked: refused with a reason, instead of being taken for an empty body.
    (answer,) = talk(api, request("POST /tasks", chunked, close, body=chunks))
    assert answer.startswith(b"HTTP/1.1 411")
    assert b'"length_required"' in answer

    # Less than announced, and then nothing: never a task of half a body.
    short = request("POST /tasks", length, close, body=SUBMISSION[:-5])
    assert set(statuses(talk(api, short))) <= {400}

    # More than announced: what is too much is no body and no request.
    for finish in (True, False):
        long = request("POST /tasks", "Content-Length: 10", close, body=SUBMISSION)
        assert set(statuses(talk(api, long, finish=finish))) == {400}

    # Lengths that are none, or two.
    for lies in (["-1"], ["x"], ["1e3"], ["5", "6"], ["0x10"], ["9" * 400]):
        headers = [f"Content-Length: {lie}" for lie in lies]
        lying = request("POST /tasks", *headers, close, body=SUBMISSION)
        assert set(statuses(talk(api, lying))) <= {400, 413}, lies

    # Both ways at once, the classic of smuggling.
    both = request("POST /tasks", length, chunked, close, body=b"0\r\n\r\n" + hidden)
    assert set(statuses(talk(api, both))) <= {400, 411}

    # A body that is refused unread is not read as the next request.
    large = request("POST /tasks", "Content-Length: 7000000", body=hidden * 50)
    answers = talk(api, large)
    assert statuses(answers)[:1] == [413]
    assert b"/hidden" not in b"".join(answers)

    # Two requests on one connection get their own answers and ids.
    pair = talk(
        api,
        request("GET /health/live", "X-Correlation-ID: one")
        + request("GET /health/live", "X-Correlation-ID: two", close),
    )
    assert statuses(pair) == [200, 200]
    assert b"X-Correlation-ID: one" in pair[0]
    assert b"X-Correlation-ID: two" in pair[1]

    # Nonsense.
    long_line = b"GET /" + b"a" * 9000
    for garbage in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", long_line):
        assert set(statuses(talk(api, garbage))) <= {400, 414}
    many = request("GET /health/live", *[f"X-{n}: y" for n in range(500)], close)
    assert set(statuses(talk(api, many))) <= {400, 431}
    injected = request("GET /health/live", "X-Correlation-ID: a\r\n b: c", close)
    for answer in talk(api, injected):
        assert b"\r\n b: c" not in answer and b"\r\nb: c" not in answer

    assert Task.objects.count() == 1
    paths = [line["path"] for line in api.processes[0].lines() if line["event"] == "request"]
    assert "/hidden" not in paths
    assert not [line for line in api.processes[0].lines() if line.get("level") == "error"]


@pytest.mark.parametrize(
    "parameter", ["charset*=none''utf-8", "charset*=utf-8''%00", "x*0*=none''a", "charset*=none"]
)
def test_a_content_type_that_nobody_can_read_is_none_that_is_taken(
    api: Service, parameter: str
) -> None:
    headers = {"Content-Type": f"application/json; {parameter}"}
    for path in ("/tasks", "/login", "/runtime/v1/jobs", "/console", "/admin/login/", "/nothing"):
        answer = api.request("POST", path, SUBMISSION, headers)
        assert 400 <= answer.status < 500 or answer.status == 202, (path, answer)
        assert answer.headers["X-Correlation-ID"]
    assert api.request("GET", "/tasks", headers=headers).status == 200


@pytest.mark.parametrize("path", ["/tasks", "/tasks/"])
def test_submitting_never_redirects(api: Service, path: str) -> None:
    answer = api.post(path, {"circuit": BELL})
    assert answer.status == 202
    assert answer.headers["Location"] == (
        f"http://127.0.0.1:{api.port}/tasks/{answer.body['task_id']}"
    )


def test_head_and_options(api: Service) -> None:
    for path in ("/health", "/health/live/", "/metrics", "/docs", "/openapi.yaml", "/tasks"):
        has_options = path not in ("/docs", "/openapi.yaml")
        (answer,) = talk(api, request(f"HEAD {path}", "Accept: */*", "Connection: close"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (statuses([answer]), body) == ([200], b"")
        assert b"X-Correlation-ID" in head
        options = api.request("OPTIONS", path, headers={"Accept": "*/*"})
        assert options.status == (200 if has_options else 405), (path, options)
        allowed = options.headers["Allow"].split(", ")
        assert ("GET" in allowed, "OPTIONS" in allowed) == (True, has_options)


def test_clients_that_fall_silent_do_not_keep_others_out_for_ever(api: Service) -> None:
    """Each holds a thread, and there are eight."""
    in_the_body = request("POST /tasks", "Content-Length: 5000", body=b"{")
    in_the_head = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\n"
    idle = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(10)]
    try:
        for connection in idle:
            connection.sendall(in_the_body if connection in idle[::2] else in_the_head)
        answer = api.request("GET", "/health/live", timeout_s=LIMIT_S)
        assert answer.status == 200
    finally:
        for connection in idle:
            connection.close()
