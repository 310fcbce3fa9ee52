"""gunicorn's threaded worker, in which a client that says or takes nothing costs nobody a thread.

`gthread` waits 5 s for the first byte of a connection in one of its few threads, and 2 s in its
main thread for a client to close after its last answer: a stranger with some connections stops
the service. Here both wait in the poller, and what a thread waits for has a deadline: a head and
a body as a whole, not only each piece, and an answer at a pace. Before strangers stands a proxy all
the same, which takes a request whole before a thread sees it (deploy/nginx/nginx.conf).
"""

import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from tasks_app.postgresql.base import waited_s

LEAVE_S = 0.001
PAUSE_S = 0.1
SILENCE_S = 5  # how long a client may send nothing
HEAD_S, BODY_S = 10, 30  # how long it may take over the whole
ANSWER_S, ANSWER_BYTES_S = 60.0, 32_768  # how far it may lag behind this pace with an answer
PIECE = 65_536


class Client(socket.socket):
    """A client's socket: silence, or the end of its time, is as if it had closed.

    For good: what comes later is the rest of a body that is waited for no more, and would be
    taken for the next request.
    """

    until = 0.0
    given_up = False
    patience_s = ANSWER_S

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.gettimeout() == 0:  # from the poller
            return super().recv(size, flags)
        self.settimeout(min(SILENCE_S, max(self.until - time.monotonic(), 0.001)))
        try:
            return super().recv(size, flags)
        except TimeoutError:
            self.given_up = True
            return b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """In pieces, each of which earns the client its time: however long the answer is, only
        who takes nothing, or too little of it, is given up."""
        for start in range(0, len(data), PIECE):
            piece = memoryview(data)[start : start + PIECE]
            self.patience_s = min(ANSWER_S, self.patience_s + len(piece) / ANSWER_BYTES_S)
            began = time.monotonic()
            self.settimeout(max(self.patience_s, 0.001))
            super().sendall(piece, flags)
            self.patience_s -= time.monotonic() - began


class Log(Logger):  # type: ignore[misc]
    def access(self, *_: Any) -> None:
        """Nothing: the API's middleware writes a line for each request."""


class Worker(ThreadWorker):  # type: ignore[misc]
    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:  # who has come is answered, others can go elsewhere
                while self.nr_conns < self.worker_connections and self.accept(listener):
                    pass
                listener.close()

    def accept(self, listener: Any) -> bool:
        if self.alive and self.nr_conns >= self.cfg.threads:
            time.sleep(LEAVE_S)  # leave it to a process whose threads are free, if there is one
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process was faster
            return False
        except OSError as error:  # no descriptor is left: silent clients will soon free some
            self.log.warning("no connection can be accepted: %s", error)
            time.sleep(PAUSE_S)
            return False
        self.nr_conns += 1
        client = Client(fileno=client.detach())
        connection = TConn(self.cfg, client, address, listener.getsockname())
        self._await(connection, self.on_pending_socket_readable)
        return True

    def enqueue_req(self, connection: Any) -> None:
        connection.arrived = time.monotonic()
        super().enqueue_req(connection)

    def handle(self, connection: Any) -> Any:
        waited_s.set(time.monotonic() - connection.arrived)  # for this thread
        connection.sock.until = time.monotonic() + HEAD_S
        connection.sock.patience_s = ANSWER_S
        answered = super().handle(connection)
        return False if connection.sock.given_up else answered

    def handle_request(self, request: Any, connection: Any) -> Any:
        connection.sock.until = time.monotonic() + BODY_S
        return super().handle_request(request, connection)

    def finish_request(self, connection: Any, answered: Any) -> None:
        if answered.exception() or answered.result():
            super().finish_request(connection, answered)
            return
        try:  # RFC 9112, section 9.6: the client may not have taken the answer yet
            connection.sock.shutdown(socket.SHUT_WR)
            self._await(connection, self._drain)
        except OSError:
            self.nr_conns -= 1
            connection.close()

    def _await(self, connection: Any, come: Callable[[Any, Any], None]) -> None:
        """Call `come` when the client sends something; close after `SILENCE_S`."""
        connection.sock.setblocking(False)
        connection.timeout = time.monotonic() + SILENCE_S
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(come, connection))

    def _drain(self, connection: Any, client: socket.socket) -> None:
        try:
            if client.recv(65536):
                return
        except OSError:  # it is gone
            pass
        self.poller.unregister(client)
        self.pending_conns.remove(connection)
        self.nr_conns -= 1
        connection.close()
