"""A database wrapper whose waits end: a frozen server costs seconds, never a hang.

`statement_timeout` is kept by the server, so it is silent when the server or the network is
what froze. psycopg has a client-side bound for each wait; this gives it a value: what is left of
the request's time budget (`deadline`), or the statement timeout and a margin where there is none
(workers). Queries slower than `SLOW_QUERY_S` are logged, as text without parameters.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen

STATEMENT_WAIT_MARGIN_S = 5.0
HEALTH_CHECK_WAIT_S = 0.5

log = structlog.get_logger(__name__)

_deadline: ContextVar[float | None] = ContextVar("database_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All database waits of this block end `seconds` from now, with `OperationalError`."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining_s() -> float:
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

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        bound = min(_remaining_s(), float("inf") if timeout is None else timeout)
        try:
            return super().wait(
                gen, interval=interval, timeout=None if bound == float("inf") else bound
            )
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()  # the answer may still come: nobody may read it as another's
            raise psycopg.OperationalError("PostgreSQL did not answer in time") from error


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper on bounded connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(_log_slow_query)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not _remaining_s():
            raise psycopg.OperationalError("no time is left to connect to PostgreSQL")
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return BoundedConnection.connect(**conn_params)

    def is_usable(self) -> bool:
        with deadline(min(HEALTH_CHECK_WAIT_S, _remaining_s())):
            return bool(super().is_usable())
