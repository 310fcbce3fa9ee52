"""gunicorn's threaded worker, without the detour of each request through its main thread.

gunicorn's own (`gthread`) waits for requests in one thread and hands each to another and back:
four switches between threads that want the same interpreter lock, a fifth of the time of a small
request. Here all threads wait together; the kernel wakes one, which reads the request, answers
it and gives the connection back (Schmidt et al., *Leader/Followers*, 2000). Reading, answering
and everything about HTTP is gunicorn's. TLS ends at the proxy.
"""

import os
import select
import socket
import struct
import threading
import time
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from quantumtasks.connection_counts import ConnectionCount

TICK_S, STOPPING_TICK_S = 1.0, 0.1
SILENCE_S = 5  # how long a client may neither send nor take anything while a thread serves it
# How long a client has to send its first request, or one that crosses the end of the server; and
# to take the last answer on its connection (RFC 9112, section 9.6).
LINGER_S = 2.0
LINGER_BYTES = 65_536  # that a client may still send meanwhile
ACCEPTS = 32  # connections that a thread takes at once: new clients wait no longer than old ones
LEAVE_S, LOOK_S = 0.01, 0.0005  # how long a connection is left to a process that has fewer
_ONCE = select.EPOLLIN | select.EPOLLONESHOT  # one thread gets the event, and must ask anew


class Log(Logger):  # type: ignore[misc]
    def access(self, *_: Any) -> None:
        """Nothing: the API's middleware writes a line for each request."""


class Connection(TConn):  # type: ignore[misc]
    expires = 0.0  # when to close it, unless something comes; monotonic
    early = False  # a request came together with the one before, and lies in a buffer
    lingers: int | None = None  # bytes taken since the last answer; None before it


def _cork(client: socket.socket, corked: bool) -> None:
    if client.family != socket.AF_UNIX:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)


def _has_sent(connection: Connection) -> bool:
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return connection.early or bool(poll.poll(0))


class SharedWorker(ThreadWorker):  # type: ignore[misc]
    """Threads that wait for connections and requests on one epoll instance.

    A connection belongs to whoever takes it out of `keepalived_conns`: the thread that the
    kernel tells of data, or the main thread when it has waited for too long.
    """

    age: int
    alive: bool
    wsgi: Any

    def init_process(self) -> None:
        self._epoll = select.epoll()
        self._listeners = {listener.fileno(): listener for listener in self.sockets}
        self._accepts = False
        self._accepting = threading.Lock()
        self._open: set[Connection] = set()
        self._count = ConnectionCount(self.age)
        self._by_descriptor: dict[int, Connection] = {}  # the latest with that number
        self.keepalived_conns: dict[Connection, bool] = {}
        Worker.init_process(self)

    def load_wsgi(self) -> None:
        """The application, whose answers leave in one piece: gunicorn sends head and body apart."""
        super().load_wsgi()
        application = self.wsgi

        def corked(environ: dict[str, Any], start_response: Any) -> Any:
            answer = application(environ, start_response)
            _cork(environ["gunicorn.socket"], True)
            return answer

        self.wsgi = corked

    def handle_exit(self, sig: int, frame: Any) -> None:
        Worker.handle_exit(self, sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        Worker.handle_quit(self, sig, frame)

    def run(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # connections inherit them
                listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SILENCE_S, 0))
        for _ in range(self.cfg.threads):
            threading.Thread(target=self._serve, daemon=True).start()
        while self.alive and self.is_parent_alive():
            self._accept(len(self._open) < self.worker_connections)
            self._tick()
        self.alive = False  # from now on each answer is its connection's last
        self._count.withdraw()
        self._accept(False)
        for listener in self.sockets:
            listener.close()
        linger_until = time.monotonic() + LINGER_S
        end = time.monotonic() + self.cfg.graceful_timeout - LINGER_S  # then gunicorn kills
        while self._open and time.monotonic() < end:
            self._tick(all_of_them=time.monotonic() > linger_until)

    def _tick(self, *, all_of_them: bool = False) -> None:
        """Wait for a moment or a signal, then close the connections on which nothing comes."""
        self.notify()
        if select.select([self.PIPE[0]], [], [], TICK_S if self.alive else STOPPING_TICK_S)[0]:
            os.read(self.PIPE[0], 4096)
        now = time.monotonic()
        for connection in list(self.keepalived_conns):
            if (all_of_them or connection.expires < now) and self._take(connection):
                if connection.lingers is None and _has_sent(connection):
                    self._await(connection)  # what it wants is a thread
                else:
                    self._close(connection)

    def _take(self, connection: Connection) -> bool:
        return self.keepalived_conns.pop(connection, False)

    def _accept(self, wanted: bool) -> None:
        with self._accepting:
            if wanted != self._accepts:
                self._accepts = wanted
                for descriptor in self._listeners:
                    if wanted:
                        self._epoll.register(descriptor, _ONCE)
                    else:
                        self._epoll.unregister(descriptor)

    # -- on each of the threads ----------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            for descriptor, _ in self._epoll.poll(maxevents=1):
                try:
                    if descriptor in self._listeners:
                        self._welcome(self._listeners[descriptor])
                    elif self._take(connection := self._by_descriptor[descriptor]):
                        self._answer(connection)
                except (Exception, SystemExit):
                    self.log.exception("connection_error")

    def _welcome(self, listener: Any) -> None:
        try:
            self._take_in(listener)
        finally:
            with self._accepting:
                if self._accepts:
                    self._epoll.modify(listener.fileno(), _ONCE)

    def _take_in(self, listener: Any) -> None:
        until = time.monotonic() + LEAVE_S
        for _ in range(ACCEPTS):
            if len(self._open) >= self.worker_connections:
                self._accept(False)  # the main thread looks when there is room again
                return
            while self._count.another_has_fewer() and time.monotonic() < until:
                time.sleep(LOOK_S)
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # another was faster, or it is gone
                return
            except OSError:
                if self.alive:
                    self._accept(False)  # no descriptor is left: not again before the next tick
                    raise
                return
            connection = Connection(self.cfg, client, address, listener.getsockname())
            connection.data_ready = True  # once a thread gets it
            connection.expires = time.monotonic() + max(self.cfg.keepalive, LINGER_S)
            self._open.add(connection)
            self._count.set(len(self._open))
            self._by_descriptor[client.fileno()] = connection
            self.keepalived_conns[connection] = True
            self._epoll.register(client.fileno(), _ONCE)

    def _answer(self, connection: Connection) -> None:
        keep = False
        try:
            keep = connection.lingers is None and self.handle(connection)
        finally:
            if keep:
                connection.expires = time.monotonic() + self.cfg.keepalive
                connection.early = bool(connection.parser.unreader.buf.getvalue())
                self._await(connection)
            else:
                self._end(connection)

    def _keepalive_after(self, connection: Connection, keepalive: bool) -> bool:
        _cork(connection.sock, False)
        return bool(super()._keepalive_after(connection, keepalive))

    def _await(self, connection: Connection) -> None:
        self.keepalived_conns[connection] = True
        # A request that has been read already wakes nobody, but there is always room for a byte.
        event = _ONCE | select.EPOLLOUT if connection.early else _ONCE
        self._epoll.modify(connection.sock.fileno(), event)

    def _end(self, connection: Connection) -> None:
        """Close, but only once the client has seen the answer, or had time to."""
        client: socket.socket = connection.sock
        try:
            if connection.lingers is None:
                connection.lingers, connection.early = 0, False
                connection.expires = time.monotonic() + LINGER_S
                client.shutdown(socket.SHUT_WR)
            received = len(client.recv(LINGER_BYTES, socket.MSG_DONTWAIT))
            connection.lingers += received
            waits = received > 0 and connection.lingers < LINGER_BYTES
        except BlockingIOError:
            waits = True
        except OSError:  # gone
            waits = False
        if waits:
            self._await(connection)
        else:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._count.set(len(self._open))
        connection.close()
