"""JSON text, ten times as fast as Python's own where there is much of it."""

import json
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Without spaces; ids and times as text."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, which PostgreSQL's numbers hold
        return json.dumps(value, default=str, separators=(",", ":")).encode()


def as_given(value: Any) -> orjson.Fragment:
    """What came from a client, for what orjson writes: with integers of any size."""
    return orjson.Fragment(dumps(value))
