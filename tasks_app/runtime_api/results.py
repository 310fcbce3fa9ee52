"""What a program makes its result of."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tasks_app.runtime_api.pubs import Part


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that has completed, and what of its job it is."""

    part: Part
    result: Mapping[str, Any]
    circuit: tuple[str, str]
    """And its format."""
    started_at: datetime | None
    completed_at: datetime | None


EndedOf = Callable[[int], list[Ended]]
"""The tasks of a PUB, or item, by its number. Nobody keeps them: they may be large."""


def fragment(text: str) -> Any:
    """JSON text that came from a client, as it goes out; an empty object for what is none."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return orjson.Fragment(text)
