"""Strangers who hold connections: with nginx in front, and without."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from django.contrib.auth.models import User

from tasks_app.models import AuditEntry
from tasks_app.tests.api import people
from testing import nginx as front
from testing import packages
from testing.service import BELL, HASTY, LIMIT_S, Service, eventually

NGINX = pytest.mark.skipif(packages.found("nginx") is None, reason="nginx is not installed")
HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = (
    b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 60000\r\n\r\n{"circuit":"'
)


@contextmanager
def trickling(port: int, count: int, *begun: bytes) -> Iterator[list[socket.socket]]:
    """Connections that begin so, in turn, and add a byte now and then, without end."""
    done = Event()
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT_S))
            for _ in range(count)
        ]
        for index, client in enumerate(clients):
            client.sendall(begun[index % len(begun)])

        def trickle() -> None:
            while not done.wait(1):
                for client in clients:
                    with suppress(OSError):
                        client.send(b"x")

        thread = Thread(target=trickle)
        thread.start()
        try:
            yield clients
        finally:
            done.set()
            thread.join()


def ended(client: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        while client.recv(4096):
            pass
    return True


@pytest.fixture
def behind(service: Service, tmp_path: Path) -> Iterator[int]:
    """The service with its front door, whose port this is."""
    service.start_api(processes=1, WEB_THREADS="2", TRUSTED_PROXIES="127.0.0.1")
    with front.nginx(tmp_path / "nginx", service.port) as port:
        service.port = port  # clients know no other
        yield port


def test_without_a_proxy_slow_clients_are_cut_off(service: Service) -> None:
    service.start_api(processes=1, WEB_THREADS="2", GUNICORN_CMD_ARGS=HASTY)
    with trickling(service.port, 2, HEAD, BODY) as clients:
        assert all(ended(client) for client in clients)
        assert service.request("GET", "/health/live", timeout_s=LIMIT_S).status == 200


@NGINX
def test_slow_clients_keep_nobody_out(behind: int, service: Service) -> None:
    with trickling(behind, 90, HEAD, BODY) as clients:
        for _ in range(20):
            assert service.submit().status == 202
        assert all(ended(client) for client in clients[::2])  # the heads, after their time


@NGINX
def test_thousands_of_idle_connections_keep_nobody_out(behind: int, service: Service) -> None:
    """From several addresses, since one may have a hundred."""
    with ExitStack() as stack:
        for host in range(2, 28):
            for _ in range(100):
                client = stack.enter_context(socket.socket())
                client.bind((f"127.0.0.{host}", 0))
                client.connect(("127.0.0.1", behind))
        assert service.submit().status == 202


@NGINX
def test_one_address_has_a_hundred_connections(behind: int, service: Service) -> None:
    with trickling(behind, 110, BODY):
        refused = eventually(
            lambda: answer if (answer := service.get("/health/live")).status == 429 else None,
            what="a hundred are counted",
        )
    assert refused.body["code"] == "too_many_requests"
    assert refused.headers["Retry-After"] == "1"


@NGINX
def test_what_the_proxy_refuses_has_the_apis_shape(behind: int, service: Service) -> None:
    wrong = {
        413: service.request("POST", "/tasks", b"x" * 7_000_000),
        414: service.request("GET", "/tasks?ids=" + "x" * 40_000),
        400: service.request("GET", "/health/live", headers={"Host": "a b"}),
    }
    large_login = service.request("POST", "/login", b"x" * 20_000)
    for status, answer in [*wrong.items(), (413, large_login)]:
        assert answer.status in {status, 0} if status == 413 else answer.status == status, answer
        if answer.status:
            assert set(answer.body) == {"error", "code", "details", "correlation_id"}
            assert answer.headers["X-Correlation-ID"] == answer.body["correlation_id"] != ""
    largest = json.dumps({"circuit": "OPENQASM 3; //" + "\x01" * 1_048_000})
    assert service.request("POST", "/tasks", largest).status == 202
    sent = {"X-Correlation-ID": 'mine"1', "SCRIPT_NAME": "/x", "X-Script-Name": "/x"}
    assert service.request("GET", "/health/live", headers=sent).headers["X-Correlation-ID"] == (
        'mine"1'
    )
    for process in service.processes:
        process.stop()
    away = service.request("POST", "/tasks", b"{}", {"X-Correlation-ID": 'x"y'})
    assert (away.status, away.body["code"]) == (503, "service_unavailable")
    assert away.headers["Retry-After"] == "2"


@NGINX
def test_failed_logins_are_told_by_the_address_that_the_proxy_saw(
    behind: int, service: Service
) -> None:
    User.objects.create_user("ada", password=people.PASSWORD)
    forged = {"X-Forwarded-For": "203.0.113.9"}
    wrong = json.dumps({"username": "ada", "password": "wrong"})
    with socket.socket() as client:
        client.bind(("127.0.0.77", 0))
        client.connect(("127.0.0.1", behind))
        head = f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(wrong)}\r\n"
        head += "Content-Type: application/json\r\nX-Forwarded-For: 203.0.113.9\r\n"
        client.sendall(f"{head}Connection: close\r\n\r\n{wrong}".encode())
        client.settimeout(LIMIT_S)
        assert client.recv(12) == b"HTTP/1.1 401"
    assert AuditEntry.objects.get().address == "127.0.0.77"
    statuses = [service.request("POST", "/login", wrong, forged).status for _ in range(40)]
    assert statuses[:5] == [401] * 5
    assert set(statuses[5:]) == {429}
    assert AuditEntry.objects.count() == 6


@NGINX
@pytest.mark.skipif(packages.found("openssl") is None, reason="openssl is not installed")
def test_https_as_the_sites_comments_have_it(service: Service, tmp_path: Path) -> None:
    certificate, public = front.certificate_for_localhost(tmp_path)
    service.start_api(processes=1, HTTPS_ONLY="true", TRUSTED_PROXIES="127.0.0.1")
    with front.nginx(tmp_path / "nginx", service.port, certificate) as port:
        context = ssl.create_default_context(cafile=public)
        body = json.dumps({"circuit": BELL}).encode()
        plain = socket.create_connection(("127.0.0.1", port))
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(
                b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            answer = b""
            while data := client.recv(65536):
                answer += data
    assert answer.startswith(b"HTTP/1.1 202"), answer
    assert b"Location: https://localhost/tasks/" in answer
    assert b"Strict-Transport-Security" in answer


@NGINX
def test_an_ingress_is_believed_where_a_file_says_so(service: Service, tmp_path: Path) -> None:
    """Where none does, what a client says of itself is not."""
    User.objects.create_user("ada", password=people.PASSWORD)
    service.start_api(processes=1, HTTPS_ONLY="true", TRUSTED_PROXIES="127.0.0.1")
    api_port = service.port
    wrong = json.dumps({"username": "ada", "password": "wrong"})
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1, 192.0.2.7"}
    with front.nginx(tmp_path / "alone", api_port) as service.port:
        assert service.request("POST", "/login", wrong, told).status == 301  # to HTTPS
    with front.nginx(tmp_path / "behind", api_port, ingress=True) as service.port:
        assert service.request("POST", "/login", wrong, told).status == 401
        for address, status in (("192.0.2.7", 403), ("10.1.2.3", 200)):
            answer = service.request("GET", "/metrics", headers={"X-Forwarded-For": address})
            assert answer.status == status, answer
            assert status == 200 or answer.body["code"] == "permission_denied"
    assert AuditEntry.objects.get().address == "192.0.2.7"
