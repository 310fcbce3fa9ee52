"""A database wrapper whose waits end: a frozen server costs seconds, never a hang.

`statement_timeout` is kept by the server, so it is silent when the server or the network is
what froze. psycopg has a client-side bound for each wait; this gives it a value: what is left of
the request's time budget (`deadline`), or the statement timeout and a margin where there is none
(workers). A server that could not be reached is left alone for a moment (`ConnectBreaker`); of
several, the one that takes writes is found (`Servers`).
Queries slower than `SLOW_QUERY_S` are logged, as text without parameters. Statements that run for
every task are prepared once a connection, on both sides (`prepared`). And what counts as
"PostgreSQL is away", and waiting until it is back.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import psycopg
import structlog
from django import db
from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg.abc import RV, PQGen
from psycopg.rows import tuple_row
from psycopg.types.datetime import TimestamptzLoader

STATEMENT_WAIT_MARGIN_S = 5.0
HEALTH_CHECK_WAIT_S = 0.5
HEALTHY_FOR_S = 1.0  # a check costs a round trip: not before every request of a busy thread
REQUEST_DATABASE_S = 2.6  # of an HTTP request, whose answer comes within 3 s
MAX_WAITED_S = 0.4  # for a thread, of a request that may still begin to connect
CONNECT_S = 2.0  # psycopg gives an attempt no less, whatever is left
RETRY_CONNECT_S = 1.0
FIRST_DELAY_S = 0.1
MAX_DELAY_S = 3.0

# InternalError: a server that went read-only. Constraint and data errors are not outages.
DATABASE_ERRORS = (db.OperationalError, db.InterfaceError, db.InternalError)

T = TypeVar("T")
Values = Sequence[Any] | Mapping[str, Any]

log = structlog.get_logger(__name__)

waited_s: ContextVar[float] = ContextVar("waited_s", default=0.0)  # of a request, for a thread
_deadline: ContextVar[float | None] = ContextVar("database_deadline", default=None)


def why(error: BaseException) -> str:
    """What a log may tell of a database error: no password, and nothing of a statement, which
    begins on PostgreSQL's second line."""
    reason = str(error).partition("\n")[0][:300]
    for database in settings.DATABASES.values():
        if password := database.get("PASSWORD"):
            reason = reason.replace(password, "…")
    return reason


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All database waits of this block end `seconds` from now, with `OperationalError`.

    Inside another such block they end with that one's, if it ends first.
    """
    outer = _deadline.get()
    at = time.monotonic() + seconds
    token = _deadline.set(at if outer is None else min(at, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def request_deadline() -> AbstractContextManager[None]:
    """`deadline` for a request: what it waited for a thread is gone from `REQUEST_DATABASE_S`."""
    return deadline(REQUEST_DATABASE_S - waited_s.get())


def renew_deadline() -> None:
    """Begin a request's deadline anew, when it rightly spent its time elsewhere."""
    if _deadline.get() is not None:
        _deadline.set(time.monotonic() + REQUEST_DATABASE_S)


def remaining_s() -> float:
    """Seconds that a wait may take now: never negative, infinite where nothing bounds it."""
    at = _deadline.get()
    if at is not None:
        return max(0.0, at - time.monotonic())
    statement_s: float = settings.DB_STATEMENT_TIMEOUT_S
    return statement_s + STATEMENT_WAIT_MARGIN_S if statement_s else float("inf")


def _log_slow_query(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    start = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = time.perf_counter() - start
        if seconds > settings.SLOW_QUERY_S:
            log.warning("slow_query", seconds=round(seconds, 3), sql=str(sql)[:500])


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up, and is closed, when a wait overstays the deadline."""

    on_silence: Callable[[], object] | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        bound = remaining_s()
        if timeout is not None and timeout <= bound:  # psycopg's own: waiting for notifications
            return super().wait(gen, interval=interval, timeout=timeout)
        try:
            return super().wait(
                gen, interval=interval, timeout=None if bound == float("inf") else bound
            )
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()  # the answer may still come: nobody may read it as another's
            if self.on_silence:
                self.on_silence()
            raise psycopg.OperationalError("PostgreSQL did not answer in time") from error


class ConnectBreaker:
    """Keeps threads from queueing up for a server that cannot be reached.

    For `RETRY_CONNECT_S` after a failed attempt, every other one is refused at once. Then one
    thread tries, however long that takes, and the others are still refused; if it succeeds all
    may connect again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retry_at: float | None = None  # None: the latest attempt succeeded
        self._reason = ""  # why the latest one failed

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Make the attempt inside; raises `OperationalError` instead if it is refused."""
        with self._lock:
            if self._retry_at is not None:
                if time.monotonic() < self._retry_at:
                    raise psycopg.OperationalError("PostgreSQL could not be reached a moment ago")
                self._retry_at = float("inf")  # until this attempt's end
        try:
            yield
        except BaseException as error:
            self._retry_at = time.monotonic() + RETRY_CONNECT_S
            self._tell(why(error))
            raise
        self._retry_at, self._reason = None, ""

    def _tell(self, reason: str) -> None:
        """Log why PostgreSQL cannot be reached, once for each reason."""
        if reason != self._reason:
            log.warning("database_unreachable", reason=reason)
        self._reason = reason


class Servers:
    """The servers that a URL names, of which one takes writes: which one may change.

    They are asked in turn. One that does not answer, refuses, or turns out to be a standby
    (`target_session_attrs`) is asked last from then on: a host that has vanished costs its two
    seconds once, not every thread that connects. So is one that answers no more: of two that both
    believe to be the primary, the one whose commits wait for a standby for ever is left.
    """

    def __init__(self, hosts: str, ports: str) -> None:
        """Separated by commas; one port goes for all hosts."""
        names, numbers = hosts.split(","), ports.split(",")
        each = numbers if len(numbers) == len(names) else numbers * len(names)
        places = [{"host": host, "port": port} for host, port in zip(names, each, strict=True)]
        self._line = [{key: place[key] for key in place if place[key]} for place in places]

    def ask_last(self, server: Mapping[str, str]) -> None:
        """Begin with the others from now on."""
        others = [each for each in self._line if each != server]
        self._line = [*others, dict(server)]  # at once: threads go along the line meanwhile

    def connect(self, parameters: Mapping[str, Any]) -> BoundedConnection:
        """A connection to the first that grants one; `OperationalError` with the reasons if none
        does, or if there is no time left to ask the next: whoever comes then begins with it."""
        failures: list[psycopg.OperationalError] = []
        for server in self._line:
            if failures and remaining_s() < CONNECT_S:
                break
            try:
                new = BoundedConnection.connect(**{**parameters, **server})
            except psycopg.OperationalError as error:
                self.ask_last(server)
                failures.append(error)
            else:
                new.on_silence = partial(self.ask_last, server)
                return new
        if len(failures) == 1:
            raise failures[0]
        raise psycopg.OperationalError("; ".join(map(why, failures)))


_breakers: dict[tuple[Any, ...], ConnectBreaker] = {}
_servers: dict[tuple[Any, ...], Servers] = {}


def _target(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """What this process connects to: a refused role or database is not a dead server."""
    return (os.getpid(), *(parameters.get(name) for name in ("host", "port", "dbname", "user")))


def _breaker(parameters: Mapping[str, Any]) -> ConnectBreaker:
    return _breakers.setdefault(_target(parameters), ConnectBreaker())


def _servers_of(parameters: Mapping[str, Any]) -> Servers:
    hosts, ports = str(parameters.get("host", "")), str(parameters.get("port", ""))
    return _servers.setdefault(_target(parameters), Servers(hosts, ports))


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper on bounded connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(_log_slow_query)
        self._healthy_until = 0.0
        self._prepared: dict[str, psycopg.Cursor[Any]] = {}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not remaining_s() or waited_s.get() > MAX_WAITED_S:
            raise psycopg.OperationalError("no time is left to connect to PostgreSQL")
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        with _breaker(conn_params).attempt():
            new = _servers_of(conn_params).connect(conn_params)
        self._prepared = {}
        return new

    def is_usable(self) -> bool:
        """Whether PostgreSQL answers, and would let us write.

        A session may be read-only for its whole life: of a primary that became a standby, or
        begun while the database was set to be. A new one may not be.
        """
        if self.connection is None:
            return False
        try:
            with deadline(HEALTH_CHECK_WAIT_S):
                row = self.connection.execute("SHOW transaction_read_only").fetchone()
        except psycopg.Error:
            return False
        self._healthy_until = time.monotonic() + HEALTHY_FOR_S
        return bool(row == ("off",))

    def close_if_health_check_failed(self) -> None:
        if time.monotonic() < self._healthy_until:
            self.health_check_done = True  # for this request: not later, inside its transaction
        super().close_if_health_check_failed()

    def ensure_usable(self) -> None:
        """Have a connection that answered a moment ago. Raises `OperationalError`, at once while
        another thread tries to reach PostgreSQL."""
        self.close_if_health_check_failed()
        self.ensure_connection()

    def prepared(
        self, statement: str, values: Values, row_factory: Callable[..., Any] = tuple_row
    ) -> list[Any]:
        """Rows of a statement whose parameters go beside it, so that the server keeps its plan.

        Django's own cursor writes them into the text: the server parses and plans it every time.
        A cursor that runs one statement again and again keeps psycopg's converters as well.
        """
        self.ensure_usable()
        cursor = self._prepared.pop(statement, None)
        if cursor is None:
            cursor = psycopg.Cursor(self.connection, row_factory=row_factory)
            # psycopg's own, which is in C, not Django's: the session's time zone is UTC anyway.
            cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        with self.wrap_database_errors:
            wrapped: CursorWrapper = self._prepare_cursor(cursor)  # type: ignore[attr-defined]
        wrapped.execute(statement, values)
        rows: list[Any] = wrapped.fetchall()
        if cursor.pgresult is not None:
            cursor.pgresult.clear()  # not to hold somebody's large result until the next
        self._prepared[statement] = cursor
        return rows


#: The calling thread's.
connection: DatabaseWrapper = db.connection  # type: ignore[assignment]


def session_connection() -> base.DatabaseWrapper:
    """The calling thread's connection for what needs a session of its own, past any pooler."""
    alias = "direct" if settings.DATABASE_DIRECT_URL else db.DEFAULT_DB_ALIAS
    return db.connections[alias]  # type: ignore[return-value]


def wait_for_database(work: Callable[[], T], *, give_up: threading.Event) -> T:
    """`work()`, tried again with bounded exponential backoff and jitter while PostgreSQL is away.

    Raises the last database error once `give_up` is set. `work` must be safe to repeat: a commit
    whose answer was lost may have happened.
    """
    delay_s = FIRST_DELAY_S
    while True:
        try:
            db.close_old_connections()
            return work()
        except DATABASE_ERRORS as error:
            if give_up.wait(delay_s * random.uniform(0.5, 1.0)):
                raise
            log.warning("database_away", reason=why(error), retry_s=delay_s)
            delay_s = min(2 * delay_s, MAX_DELAY_S)
