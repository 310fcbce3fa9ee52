"""Nothing that a child says is believed before it has the shape of an answer to the job.

A child that was taken over can still give a wrong answer to its own job, and nothing else.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

from tasks_app.circuits.errors import ERROR_CODES, CircuitError
from tasks_app.circuits.job import MAX_TERMS, MAX_WEIGHT, UNSTORABLE, Job, outputs_of, sets_told
from tasks_app.circuits.sandbox.svg import is_drawing

MAX_TEXT = 1_000  # Characters of a message, or of a text in the metadata.
MAX_TRACEBACK = 8_000  # Characters.
_MAX_NUMBER = 2**63
_MAX_VALUE = 2 * MAX_TERMS * MAX_WEIGHT  # Of an observable; precision adds to it.
_MAX_ITEMS, _MAX_DEPTH = 1_000, 4  # Of the metadata.
_ROUNDING = 1e-6
_OUTCOME = re.compile(r"[01]+(?: [01]+)*", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_PROGRAM = re.compile(r"[\n\x20-\x7e]*")  # Names are ASCII in what we write.


class OddAnswer(Exception):
    """What came is no answer to the job; the text says why not, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said about a job, checked."""

    outcome: dict[str, Any] | CircuitError
    resident_mb: int


def check_answer(reply: Mapping[str, Any], job: Job) -> Answer:
    """Raises OddAnswer."""
    if "error" in reply:
        _check(reply, {"error": _ERROR, "resident_mb": _is_whole}, "it")
        return Answer(CircuitError(**reply["error"]), reply["resident_mb"])
    _check(reply, {"result": _result(job), "resident_mb": _is_whole}, "it")
    result = reply["result"]
    sets = result.get("sets", [result])
    _expect(len(sets) == (sets_told(job) or 1), "it has other sets than the job")
    for each in sets:
        if each.keys() >= {"counts", "memory"}:
            _expect(Counter(each["memory"]) == each["counts"], "its memory does not fit its counts")
    if not result.keys().isdisjoint(("counts", "memory")):
        metadata = result["metadata"]
        outcomes = [*result.get("counts", ()), *result.get("memory", ())]
        measured = metadata.get("measured") is not False
        _expect(bool(outcomes) == measured, "it counts what was not measured, or nothing")
        widths = [len(each.replace(" ", "")) for each in outcomes[:1]]
        _expect(not widths or widths == [metadata.get("clbits")], "an outcome's width is odd")
    return Answer(result, reply["resident_mb"])


_Shape = Callable[[Any], Any] | dict[Any, Any] | list[Any] | tuple[Any]
"""A test; the shapes of an object's parts, or by `str` that of all; in a list that of its elements;
in a tuple that of what may be None."""


def _check(value: Any, shape: _Shape, where: str) -> None:
    if isinstance(shape, tuple):
        if value is not None:
            _check(value, shape[0], where)
    elif isinstance(shape, list):
        _expect(isinstance(value, list), f"{where} is no list")
        for each in value:
            _check(each, shape[0], where)
    elif not isinstance(shape, dict):
        _expect(shape(value), f"{where} is odd")
    elif str in shape:
        _expect(isinstance(value, dict) and all(map(_is_text, value)), f"{where} has odd names")
        _check(list(value.values()), [shape[str]], where)
    else:
        right = isinstance(value, dict) and value.keys() == shape.keys()
        _expect(right, f"{where} has other parts than were asked for")
        for name, part in shape.items():
            _check(value[name], part, f"{where}.{name}")


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise OddAnswer(otherwise)


def _result(job: Job) -> _Shape:
    told = outputs_of(job)
    if job.observables:
        told += ["expectation_values", "standard_errors"]
    parts: dict[str, _Shape] = {n: partial(_OF_A_SET[n], job) for n in _OF_A_SET if n in told}
    shape: dict[str, _Shape] = {"sets": [parts | {"seed": _is_whole}]} if sets_told(job) else parts
    shape |= {name: _OF_ALL_SETS[name] for name in _OF_ALL_SETS if name in told}
    if job.samplex is not None:
        shape["drawn"] = {str: _ARRAY}
    shape["metadata"] = lambda metadata: isinstance(metadata, dict) and _is_plain(metadata)
    shape["shots"] = lambda shots: shots == job.shots
    return shape


def _is_whole(value: Any, least: int = 0) -> bool:
    # A bool is an int to Python, and not to PostgreSQL.
    return type(value) is int and least <= value <= _MAX_NUMBER


def _are_numbers(values: Collection[Any], least: float, most: float) -> bool:
    return all(
        type(each) in (int, float) and least - _ROUNDING <= each <= most + _ROUNDING
        for each in values
    )


def _is_text(value: Any, most: int = MAX_TEXT) -> bool:
    return isinstance(value, str) and len(value) <= most and not UNSTORABLE.search(value)


def _is_plain(value: Any, depth: int = _MAX_DEPTH) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, dict | list):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        return (
            depth > 1 and len(value) <= _MAX_ITEMS and all(map(_is_plain, parts, repeat(depth - 1)))
        )
    return value is None or abs(value) <= _MAX_NUMBER  # which NaN is not


def _are_outcomes(outcomes: Collection[str]) -> bool:
    """Whether all are bits, with spaces at the same places."""
    text = "\n".join(outcomes).replace("1", "0")  # together, since there may be very many
    first = text.partition("\n")[0]
    of_bits = not outcomes or _OUTCOME.fullmatch(first) is not None
    return of_bits and text == "\n".join([first] * len(outcomes))


def _are_counts(job: Job, counts: Any) -> bool:
    if not isinstance(counts, dict) or not _are_outcomes(counts):
        return False
    times = counts.values()
    whole = set(map(type, times)) <= {int} and min(times, default=1) >= 1
    return whole and sum(times) in (0, job.shots)


def _is_memory(job: Job, memory: Any) -> bool:
    if not isinstance(memory, list) or not all(isinstance(each, str) for each in memory):
        return False
    return len(memory) in (0, job.shots) and _are_outcomes(dict.fromkeys(memory))


def _are_chances(job: Job, chances: Any) -> bool:
    if not isinstance(chances, dict) or not _are_outcomes(chances):
        return False
    right = _are_numbers(chances.values(), 0, 1)
    return right and (not chances or abs(math.fsum(chances.values()) - 1) < _ROUNDING)


def _is_state(job: Job, state: Any) -> bool:
    return (
        isinstance(state, list)
        and len(state).bit_count() == 1
        and all(isinstance(each, list) and len(each) == 2 for each in state)
        and all(_are_numbers(each, -1, 1) for each in state)
    )


def _are_values(job: Job, values: Any) -> bool:
    right = isinstance(values, list) and len(values) == len(job.observables)
    return right and _are_numbers(values, -_MAX_VALUE, _MAX_VALUE)


_OF_A_SET: Mapping[str, Callable[[Job, Any], bool]] = {
    "counts": _are_counts,
    "memory": _is_memory,
    "probabilities": _are_chances,
    "statevector": _is_state,
    "expectation_values": _are_values,
    "standard_errors": _are_values,
}
_CIRCUIT: _Shape = {
    "openqasm": (lambda text: isinstance(text, str) and _PROGRAM.fullmatch(text),),
    "svg": lambda drawing: isinstance(drawing, str) and is_drawing(drawing),
    "qubits": _is_whole,
    "depth": _is_whole,
    "gate_counts": {str: partial(_is_whole, least=1)},
}
_OF_ALL_SETS: Mapping[str, _Shape] = {
    "circuit": (_CIRCUIT,),
    "registers": [{"name": _is_text, "bits": [_is_whole]}],
}
_ARRAY: _Shape = {
    "data": lambda text: isinstance(text, str) and _BASE64.fullmatch(text),
    "shape": [_is_whole],
    "dtype": _is_text,
}
_ERROR: _Shape = {
    "code": lambda code: isinstance(code, str) and code in ERROR_CODES,
    "message": _is_text,
    "line": (_is_whole,),
    "column": (_is_whole,),
    "traceback": (partial(_is_text, most=MAX_TRACEBACK + MAX_TEXT),),
}
