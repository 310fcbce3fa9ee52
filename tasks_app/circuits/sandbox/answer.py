"""Nothing that a child says is believed before it has the shape of an answer to the job.

A child that was taken over can still give a wrong answer to its own job, and nothing else.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks_app.circuits.errors import ERROR_CODES, CircuitError
from tasks_app.circuits.job import UNSTORABLE, Job, Limits

MAX_TEXT = 1_000  # Characters of a message, or of a text in the metadata.
MAX_TRACEBACK = 8_000  # Characters.
_MAX_NUMBER = 2**63
_MAX_ITEMS, _MAX_DEPTH = 1_000, 4  # Of the metadata.
_OUTCOME = re.compile(r"[01]+(?: [01]+)*", re.ASCII)


class OddAnswer(Exception):
    """What came is no answer to the job; the text says why not, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said about a job, checked."""

    outcome: dict[str, Any] | CircuitError
    resident_mb: int


def check_answer(reply: Mapping[str, Any], job: Job, limits: Limits) -> Answer:
    """Raises OddAnswer."""
    memory = reply.get("resident_mb")
    _expect(_is_whole(memory, least=0), "its memory is not a number")
    assert isinstance(memory, int)
    if reply.keys() == {"error", "resident_mb"}:
        return Answer(_error(reply["error"]), memory)
    _expect(reply.keys() == {"result", "resident_mb"}, "it is neither a result nor an error")
    _check_result(reply["result"], job, limits)
    return Answer(reply["result"], memory)


def _check_result(result: Any, job: Job, limits: Limits) -> None:
    wanted = {"counts", "shots", "metadata"} | ({"memory"} if job.memory else set())
    _expect(isinstance(result, dict), "its result is no object")
    _expect(result.keys() == wanted, "its result has other parts than were asked for")
    _expect(result["shots"] == job.shots, "its shots are not the job's")
    _expect(isinstance(result["metadata"], dict), "its metadata are no object")
    _check_plain(result["metadata"], _MAX_DEPTH)
    _check_counts(result, job, limits)


def _check_counts(result: Mapping[str, Any], job: Job, limits: Limits) -> None:
    counts, memory = result["counts"], result.get("memory")
    _expect(isinstance(counts, dict), "its counts are no object")
    if result["metadata"].get("measured") is False:
        _expect(not counts and not memory, "it counts what was not measured")
        return
    _expect(len(counts) <= limits.max_result_keys, "it has more outcomes than allowed")
    _expect(all(_is_whole(times, least=1) for times in counts.values()), "a count is odd")
    _expect(sum(counts.values()) == job.shots, "its counts do not sum to the shots")
    width = result["metadata"].get("clbits")
    _expect(all(map(_OUTCOME.fullmatch, counts)), "an outcome is not of bits")
    shapes = {outcome.replace("1", "0") for outcome in counts}
    _expect(len(shapes) == 1 and shapes.pop().count("0") == width, "an outcome's width is odd")
    if job.memory:
        _expect(
            isinstance(memory, list) and all(isinstance(outcome, str) for outcome in memory),
            "its memory is no list of outcomes",
        )
        _expect(Counter(memory) == counts, "its memory does not fit its counts")


def _check_plain(value: Any, depth: int) -> None:
    _expect(depth > 0, "its metadata are nested too deeply")
    if isinstance(value, str):
        _expect(_is_text(value, MAX_TEXT), "a text is too long, or no text")
    elif isinstance(value, int | float):
        _expect(abs(value) <= _MAX_NUMBER, "a number is out of range")  # neither is NaN
    elif isinstance(value, dict):
        for part in (*value.keys(), *value.values()):
            _check_plain(part, depth - 1)
    elif isinstance(value, list):
        for part in value:
            _check_plain(part, depth - 1)
    if isinstance(value, dict | list):
        _expect(len(value) <= _MAX_ITEMS, "its metadata are too many")


def _error(said: Any) -> CircuitError:
    _expect(isinstance(said, dict), "its error is no object")
    names = {"code", "message", "line", "column", "traceback"}
    _expect(said.keys() == names, "its error has other parts than an error's")
    _expect(isinstance(said["code"], str) and said["code"] in ERROR_CODES, "its code is unknown")
    _expect(_is_text(said["message"], MAX_TEXT), "its message is too long, or no text")
    _expect(
        all(said[name] is None or _is_whole(said[name], least=0) for name in ("line", "column")),
        "its place is no number",
    )
    _expect(
        said["traceback"] is None or _is_text(said["traceback"], MAX_TRACEBACK + MAX_TEXT),
        "its traceback is too long, or no text",
    )
    return CircuitError(**said)


def _is_whole(value: Any, *, least: int) -> bool:
    # A bool is an int to Python, and not to PostgreSQL.
    return type(value) is int and least <= value <= _MAX_NUMBER


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and not UNSTORABLE.search(value)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise OddAnswer(otherwise)
