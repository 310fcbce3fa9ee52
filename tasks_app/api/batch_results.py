"""A batch's results, a line of JSON for each element, however large they are together.

They are read in parts of bounded size, each in a statement of its own once the one before it was
sent: neither the batch nor a transaction is held for a client that takes its time.
"""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict

import orjson
from django.conf import settings

from tasks_app import sql
from tasks_app.access import Visibility
from tasks_app.postgresql import base

PART_BYTES = 2**20

_PART = sql.statement("batch_results")
_places = threading.BoundedSemaphore(settings.MAX_STREAMS)


class NoPlace(Exception):
    """This process sends long results to as many clients as it may."""


class Results:
    """The lines; false if there is no such batch.

    The first part is read here, so that errors come before the answer begins. What is longer needs
    one of the process's places until it is closed, since a slow client holds a thread; raises
    `NoPlace`.
    """

    def __init__(self, batch_id: uuid.UUID, visibility: Visibility) -> None:
        self._values = {"batch_id": batch_id, "part_bytes": PART_BYTES, **asdict(visibility)}
        self._last = -1
        self._has_place = False
        self._read()
        if self._more:
            self._has_place = _places.acquire(blocking=False)
            if not self._has_place:
                raise NoPlace

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[bytes]:
        yield self._lines
        while self._more:
            self._read()
            yield self._lines

    def close(self) -> None:
        if self._has_place:
            self._has_place = False
            _places.release()

    def _read(self) -> None:
        with base.deadline(base.REQUEST_DATABASE_S):
            rows = base.connection.prepared(_PART, {**self._values, "after": self._last})
        self._more = bool(rows) and rows[0][0] > len(rows)
        self._last = rows[-1][1] if rows else self._last
        self._lines = b"".join(_line(*row[1:]) for row in rows)


def _line(
    index: int,
    task_id: uuid.UUID,
    status: str,
    result: str | None,
    error_code: str | None,
    error_message: str | None,
) -> bytes:
    """The result is as PostgreSQL sent it, in which no line ends."""
    element = {
        "index": index,
        "task_id": task_id,
        "status": status,
        "result": None if result is None else orjson.Fragment(result),
        "error_code": error_code,
        "error_message": error_message,
    }
    return orjson.dumps(element, option=orjson.OPT_APPEND_NEWLINE)
