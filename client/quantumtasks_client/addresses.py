"""What a request asks for: its path, its query, and what of its options was given."""

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from quantumtasks_client.errors import InvalidValue
from quantumtasks_client.models import BatchLike, TaskLike


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not None. Raises `InvalidValue` for infinities and no number."""
    found = {name: value for name, value in options.items() if value is not None}
    for name, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidValue(f"{name} is {value}, which JSON cannot say.")
    return found


def query_of(filters: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """The filters that are not None; of a list a pair for each of its values."""
    pairs = []
    for name, value in filters.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else [value]
        pairs += [(name, _text(one)) for one in values if one is not None]
    return tuple(pairs)


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        return str(value)
    return (value if value.tzinfo else value.astimezone()).isoformat()


def cursor_of(url: str | None) -> str | None:
    """Where the next page begins. Not the URL itself: it names the service as a proxy sees it."""
    return parse_qs(urlsplit(url).query)["cursor"][0] if url else None


def task_path(task: TaskLike, action: str = "") -> str:
    """Of a task, or of what can be done with it."""
    named = task if isinstance(task, str | uuid.UUID) else task.task_id
    return f"/tasks/{_segment(named)}{action}"


def backend_path(name: str) -> str:
    """Of a backend."""
    return f"/backends/{_segment(name)}"


def batch_path(batch: BatchLike, action: str = "") -> str:
    """Of a batch, or of what can be done with it."""
    named = batch if isinstance(batch, str | uuid.UUID) else batch.batch_id
    return f"/batches/{_segment(named)}{action}"


def _segment(named: object) -> str:
    """Raises `InvalidValue` for what is empty, which would be the address of all."""
    if not str(named):
        raise InvalidValue("An id or a name is needed; this one is empty.")
    return quote(str(named), safe="")
