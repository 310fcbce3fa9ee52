"""What becomes of calls when connections break, and what never leaves for elsewhere."""

import asyncio
import logging
import multiprocessing
import secrets
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from quantumtasks_client import ApiError, AsyncClient, Client, ServiceUnreachable
from testing import packages
from testing.service import LIMIT_S, Proxy
from tests.site import BELL, Site

SUBMISSIONS = 1000


class Cutter:
    """A TCP proxy that cuts the connection of every fifth submission.

    In turn before anything of it has passed, in its middle, instead of its answer, and in the
    middle of its answer. What is accepted in the last two cases only the service knows.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.submissions = self.cuts = 0

    @contextmanager
    def running(self) -> Iterator["Cutter"]:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server, suppress(OSError):
            while request := client.recv(65536):
                cut = self._next_cut() if request.startswith(b"POST") else None
                if cut == 0:
                    return
                server.sendall(request[: len(request) // 2] if cut == 1 else request)
                if cut == 1:
                    return
                answer = self._answer(client, server)
                if cut == 2:
                    return
                client.sendall(answer[: len(answer) // 2] if cut == 3 else answer)
                if cut == 3:
                    return

    def _next_cut(self) -> int | None:
        with self._lock:
            self.submissions += 1
            if self.submissions % 5:
                return None
            self.cuts += 1
            return self.cuts % 4

    def _answer(self, client: socket.socket, server: socket.socket) -> bytes:
        """One answer, whole; meanwhile the rest of the request passes, if it came in pieces."""
        answer = b""
        while not _is_whole(answer):
            server.settimeout(0.01)
            client.settimeout(0.01)
            with suppress(TimeoutError):
                piece = server.recv(65536)
                if not piece:
                    raise ConnectionError
                answer += piece
                continue
            with suppress(TimeoutError):
                server.sendall(client.recv(65536))
        client.settimeout(None)
        server.settimeout(None)
        return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    lengths = [
        line[15:] for line in head.splitlines() if line.lower().startswith(b"content-length")
    ]
    return bool(end) and len(body) >= int(lengths[0])


def test_a_thousand_submissions_make_a_thousand_tasks(site: Site, client: Client) -> None:
    tag = secrets.token_hex(8)
    with (
        Cutter(site.service.port).running() as cutter,
        Client(f"http://127.0.0.1:{cutter.port}", site.token) as cut_off,
        ThreadPoolExecutor(8) as pool,
    ):
        tasks = list(
            pool.map(lambda _: cut_off.submit(BELL, shots=1, tags=[tag]), range(SUBMISSIONS))
        )
    assert cutter.cuts >= SUBMISSIONS // 5
    replayed = sum("accepted before" in task.message for task in tasks)
    assert replayed == pytest.approx(cutter.cuts / 2, abs=cutter.cuts / 10)
    stored = [task.task_id for task in client.list(tag=tag, page_size=500)]
    assert len(stored) == SUBMISSIONS
    assert sorted(stored) == sorted(task.task_id for task in tasks)


def test_so_it_is_with_asyncio(site: Site, client: Client) -> None:
    tag = secrets.token_hex(8)

    async def submit_all(port: int) -> list[str]:
        async with AsyncClient(f"http://127.0.0.1:{port}", site.token) as cut_off:
            calls = (cut_off.submit(BELL, shots=1, tags=[tag]) for _ in range(100))
            return [task.task_id for task in await asyncio.gather(*calls)]

    with Cutter(site.service.port).running() as cutter:
        ids = asyncio.run(submit_all(cutter.port))
    assert cutter.cuts >= 20
    assert sorted(task.task_id for task in client.list(tag=tag)) == sorted(ids)


class Elsewhere(BaseHTTPRequestHandler):
    """Another service; `seen` has the requests that reached it."""

    seen: list[str] = []
    target = ""

    def do_GET(self) -> None:
        self.seen.append(str(self.headers))
        self.send_response(307)
        self.send_header("Location", self.target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def asks_anew(proxy: Proxy, ask: Callable[[], object]) -> bool:
    """Whether a process that is forked now asks by a connection of its own."""
    fork = multiprocessing.get_context("fork")
    asked, over = fork.Event(), fork.Event()

    def child() -> None:
        try:
            ask()
        finally:
            asked.set()
            over.wait()

    before = proxy.outgoing_ports()
    process = fork.Process(target=child)
    process.start()
    assert asked.wait(LIMIT_S)
    after = proxy.outgoing_ports()
    over.set()
    process.join()
    return after > before


def test_a_forked_process_has_connections_of_its_own(site: Site) -> None:
    with (
        Proxy(site.service.port) as proxy,
        Client(f"http://127.0.0.1:{proxy.port}", site.token) as client,
    ):
        client.queue()
        assert asks_anew(proxy, client.queue)


def test_so_has_one_that_is_forked_while_a_loop_runs(site: Site) -> None:
    async def asks() -> bool:
        async with AsyncClient(f"http://127.0.0.1:{proxy.port}", site.token) as client:
            await client.queue()
            return asks_anew(proxy, lambda: asyncio.run(client.queue()))

    with Proxy(site.service.port) as proxy:
        assert asyncio.run(asks())


def test_a_redirect_is_told_and_not_followed(site: Site) -> None:
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{elsewhere.server_port}"
        Elsewhere.target, Elsewhere.seen = f"http://localhost:{elsewhere.server_port}/x", []
        with Client(here, site.token) as client, pytest.raises(ApiError, match="/x: use that URL"):
            client.queue()
        elsewhere.shutdown()
    assert len(Elsewhere.seen) == 1


def test_a_token_is_in_no_repr_and_no_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Client(site.url, site.token) as client:
        client.wait(client.submit(BELL))
        with pytest.raises(ApiError) as caught:
            client.get("no-id")
        told = f"{client!r} {vars(client)!r} {caught.value!r} {caplog.text}"
    assert "/tasks" in caplog.text
    assert site.token not in told
    assert site.token.removeprefix("qt_") not in told


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of an authority that nobody knows, with its key."""
    path = tmp_path / "localhost.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(path), "-out", str(tmp_path / "certificate.pem")]
    if packages.found("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as file:
        file.write((tmp_path / "certificate.pem").read_text())
    return path


def test_a_service_that_cannot_prove_who_it_is_gets_no_token(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        elsewhere.socket = context.wrap_socket(elsewhere.socket, server_side=True)
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        Elsewhere.seen = []
        url = f"https://localhost:{elsewhere.server_port}"
        with (
            Client(url, "qt_secret", patience_s=0) as client,
            pytest.raises(ServiceUnreachable, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.queue()
        elsewhere.shutdown()
    assert not Elsewhere.seen
