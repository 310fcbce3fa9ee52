"""Many connections, idle ones, ones that never end: none keeps others from being served."""

import os
import resource
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest

from quantumtasks import serving
from tasks_app.tests.conftest import database_url
from testing.service import HASTY, LIMIT_S, SLACK, Service, eventually

SILENCE_S = 5.0
THREADS = 2


@contextmanager
def connections(service: Service, count: int) -> Iterator[list[socket.socket]]:
    address = ("127.0.0.1", service.port)
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, timeout=LIMIT_S))
            for _ in range(count)
        ]


def ask(connection: socket.socket, *headers: str, path: str = "/health/live") -> None:
    lines = (f"GET {path} HTTP/1.1", "Host: localhost", *headers)
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")


def answer(connection: socket.socket, *, status: int = 200) -> bytes:
    """One answer: all of it, head and body."""
    received = b""
    while not received.endswith(b"}"):
        data = connection.recv(65536)
        assert data, f"closed after {received!r}"
        received += data
    assert received.startswith(b"HTTP/1.1 %d" % status), received
    return received


def ended(connection: socket.socket) -> bool:
    """Wait until the server has ended the connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def start(service: Service, options: str = "") -> None:
    service.start_api(processes=1, WEB_THREADS=str(THREADS), GUNICORN_CMD_ARGS=options)


def test_more_connections_than_threads_are_all_served_again_and_again(service: Service) -> None:
    start(service)
    with connections(service, 20 * THREADS) as clients:
        for _ in range(3):
            for client in clients:
                ask(client)
            for client in reversed(clients):
                assert b"connection: close" not in answer(client).lower()


def test_a_process_that_stands_still_keeps_nobody_out(service: Service) -> None:
    api = service.start_api(processes=2)
    eventually(lambda: len(api.children()) == 2, within_s=LIMIT_S, what="both processes are there")
    for stopped in api.children():
        os.kill(stopped, signal.SIGSTOP)
        eventually(partial(_stands_still, stopped), what="it stands still")
        with connections(service, 8) as clients:
            for client in clients:
                ask(client)
                answer(client)
        os.kill(stopped, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    stats = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat"))
    return {stat.rpartition(")")[2].split()[0] for stat in stats} == {"T"}


def test_requests_sent_at_once_are_answered_in_turn(service: Service) -> None:
    start(service)
    with connections(service, 1) as (client,):
        names = [f"{n}" for n in range(50)]
        heads = [
            f"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Correlation-ID: {n}" for n in names
        ]
        client.sendall("\r\n\r\n".join([*heads, ""]).encode())
        received = b""
        while received.count(b"HTTP/1.1 200") < len(names) or not received.endswith(b"}"):
            received += client.recv(65536)
    lines = received.decode().split("\r\n")
    assert [line.split(": ")[1] for line in lines if line.startswith("X-Correlation-ID")] == names


def test_clients_that_never_close_cost_others_nothing(service: Service) -> None:
    """Each has its answer, which was the last on its connection, and sits there."""
    start(service)
    with connections(service, 50) as clients:
        for client in clients:
            ask(client, "Connection: close")
        for client in clients:
            answer(client)
            assert client.recv(1) == b"", "the server has said all it had to say"
        others = service.get("/health/live")
        assert others.status == 200
        assert others.seconds < SILENCE_S * SLACK, "not one after the other"
        # Bytes that come late are taken, and the connections end all the same.
        eventually(lambda: all(map(_refused, clients)), what="the end of the connections")


def _refused(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_clients_that_read_nothing_do_not_keep_others_out_for_ever(service: Service) -> None:
    """Each asks for more than any buffer takes, and holds a thread until it is given up."""
    start(service, HASTY)
    with connections(service, 2 * THREADS) as clients:
        for client in clients:
            client.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
        eventually(lambda: _idle_s(service) > 1, what="full buffers")
        assert service.request("GET", "/health/live", timeout_s=LIMIT_S).status == 200


def test_what_comes_too_late_of_a_body_is_not_the_next_request(service: Service) -> None:
    """Nothing waited for it: the request was refused by its head."""
    start(service, f"{HASTY} --keep-alive 600")
    with connections(service, 1) as (client,):
        client.sendall(
            b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nOrigin: http://elsewhere.example\r\n"
            b"Content-Type: application/json\r\nContent-Length: 80\r\n\r\n"
        )
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 403") and received.count(b"HTTP/1.1") == 1


def _send(size: int, *, taken_at_once: int) -> None:
    """An answer, sent to a client that takes so much of it each tenth of a second."""
    ours, theirs = socket.socketpair()
    client = serving.Client(fileno=ours.detach())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.patience_s = serving.ANSWER_S

    def take() -> None:
        while theirs.recv(taken_at_once, socket.MSG_WAITALL):
            time.sleep(0.1)

    reader = threading.Thread(target=take)
    reader.start()
    try:
        client.sendall(bytes(size))
    finally:
        client.close()
        reader.join()
        theirs.close()


def test_a_long_answer_is_sent_as_long_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "ANSWER_S", 2.0)
    a_second_of = 10 * 16_384
    _send(4 * a_second_of, taken_at_once=16_384)
    monkeypatch.setattr(serving, "ANSWER_BYTES_S", 4 * a_second_of)
    with pytest.raises(TimeoutError):  # each piece in its time, and all of them not
        _send(4 * a_second_of, taken_at_once=16_384)


def test_everybody_may_ask_for_the_description_at_once(service: Service) -> None:
    """A library makes it, and fails when two threads make their first."""
    start(service)
    with connections(service, 10) as clients:
        for client in clients:
            client.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [client.recv(12) for client in clients] == 10 * [b"HTTP/1.1 200"]


def _idle_s(service: Service) -> float:
    last = [line for line in service.processes[0].lines() if line["event"] == "request"][-1]
    return (datetime.now(UTC) - datetime.fromisoformat(last["timestamp"])).total_seconds()


def test_idle_connections_end_and_make_room(service: Service) -> None:
    start(service, "--keep-alive 1 --worker-connections 10")
    with connections(service, 12) as clients:
        late = clients.pop()
        ask(late)
        for client in clients[:5]:
            ask(client)
            answer(client)
        assert b"HTTP/1.1 200" in answer(late), "served once there was room for it"
        assert all(ended(client) for client in clients)
    assert service.get("/health/live").status == 200


def test_a_process_without_descriptors_left_lives_on(service: Service) -> None:
    start(service)
    (pid,) = service.processes[0].children()
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, used + 4))
    with connections(service, 12):
        event = "no connection can be accepted"
        eventually(lambda: event in service.processes[0].log.read_text(), what="it has run out")
    assert service.get("/health/live").status == 200
    assert service.processes[0].children() == [pid]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_request_that_waits_for_a_thread_is_answered(service: Service, stopped: bool) -> None:
    """However long it takes until one is free: an idle connection would be closed by then."""
    start(service, "--keep-alive 1")
    (api,) = service.processes
    with psycopg.connect(database_url()) as database, connections(service, 5) as clients:
        database.execute("LOCK TABLE tasks_app_task")
        *slow, client = clients
        for each in slow:
            ask(each, path=f"/tasks/{uuid.uuid4()}")
        ask(client)
        if stopped:
            api.signal(signal.SIGTERM)
        for each in slow:
            assert answer(each, status=503)
        answer(client)
    if stopped:
        assert api.wait() == 0


def test_a_request_that_crosses_the_end_of_the_server_is_answered(service: Service) -> None:
    start(service)
    (api,) = service.processes
    with connections(service, 2) as (client, silent):
        for each in (client, silent):
            ask(each)
            answer(each)
        api.signal(signal.SIGTERM)
        ask(client)
        while b"connection: close" not in answer(client).lower():
            ask(client)
        assert ended(client)
        eventually(lambda: _turned_away(service), what="no more connections")
        assert ended(silent)
        assert api.wait() == 0


def _turned_away(service: Service) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.port)).close()
    except ConnectionRefusedError:
        return True
    return False
