"""Nothing that a child says is believed before it has the shape of an answer to the job.

A child that was taken over can still give a wrong answer to its own job, and nothing else.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks_app.circuits.errors import ERROR_CODES, CircuitError
from tasks_app.circuits.job import (
    MAX_TERMS,
    MAX_WEIGHT,
    UNSTORABLE,
    Job,
    outputs_of,
    sets_told,
)
from tasks_app.circuits.sandbox.svg import is_drawing

MAX_TEXT = 1_000  # Characters of a message, or of a text in the metadata.
MAX_TRACEBACK = 8_000  # Characters.
_MAX_NUMBER = 2**63
_MAX_VALUE = 2 * MAX_TERMS * MAX_WEIGHT  # Of an observable; precision adds to it.
_MAX_ITEMS, _MAX_DEPTH = 1_000, 4  # Of the metadata.
_ROUNDING = 1e-6
_OF_ALL_SETS = {"circuit", "registers"}  # What is told once, whatever sets there are.
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
    memory = reply.get("resident_mb")
    _expect(_is_whole(memory, least=0), "its memory is not a number")
    assert isinstance(memory, int)
    if reply.keys() == {"error", "resident_mb"}:
        return Answer(_error(reply["error"]), memory)
    _expect(reply.keys() == {"result", "resident_mb"}, "it is neither a result nor an error")
    _check_result(reply["result"], job)
    return Answer(reply["result"], memory)


def _check_result(result: Any, job: Job) -> None:
    parts = set(outputs_of(job)) - _OF_ALL_SETS
    if job.observables:
        parts |= {"expectation_values", "standard_errors"}
    wanted = sets_told(job)
    told = {"sets"} if wanted else parts
    shown = _OF_ALL_SETS.intersection(job.outputs)
    drawn = {"drawn"} if job.samplex is not None else set()
    _check_keys(result, told | shown | drawn | {"shots", "metadata"})
    if result.get("circuit") is not None:
        _check_circuit(result["circuit"])
    if "registers" in shown:
        _check_registers(result["registers"])
    if drawn:
        _check_drawn(result["drawn"])
    _expect(result["shots"] == job.shots, "its shots are not the job's")
    metadata = result["metadata"]
    _expect(isinstance(metadata, dict), "its metadata are no object")
    _check_plain(metadata, _MAX_DEPTH)
    if not wanted:
        _check_parts(result, job)
        outcomes = [*result.get("counts", ()), *result.get("memory", ())]
        if not parts.isdisjoint(("counts", "memory")):
            measured = metadata.get("measured") is not False
            _expect(bool(outcomes) == measured, "it counts what was not measured, or nothing")
        width = metadata.get("clbits")
        bits = outcomes[0].replace(" ", "") if outcomes else ""
        _expect(not outcomes or len(bits) == width, "an outcome's width is odd")
        return
    sets = result["sets"]
    right = isinstance(sets, list) and len(sets) == wanted
    _expect(right, "it has other sets than the job")
    for each in sets:
        _check_keys(each, parts | {"seed"})
        _expect(_is_whole(each["seed"], least=0), "a seed is no number")
        _check_parts(each, job)


def _check_circuit(circuit: Any) -> None:
    _check_keys(circuit, {"openqasm", "svg", "qubits", "depth", "gate_counts"})
    sizes = circuit["qubits"], circuit["depth"]
    _expect(all(_is_whole(size, least=0) for size in sizes), "its circuit's size is odd")
    _check_plain(circuit["gate_counts"], 2)
    _expect(isinstance(circuit["gate_counts"], dict), "its gates are not counted")
    counts = circuit["gate_counts"].values()
    _expect(all(_is_whole(count, least=1) for count in counts), "a gate's count is odd")
    text, drawing = circuit["openqasm"], circuit["svg"]
    _expect(text is None or _is_program(text), "its circuit is no text")
    _expect(isinstance(drawing, str) and is_drawing(drawing), "its drawing has what none needs")


def _check_registers(registers: Any) -> None:
    _expect(isinstance(registers, list), "its registers are no list")
    for register in registers:
        _check_keys(register, {"name", "bits"})
        name, bits = register["name"], register["bits"]
        _expect(_is_text(name, MAX_TEXT), "a register's name is no name")
        right = isinstance(bits, list) and all(_is_whole(bit, least=0) for bit in bits)
        _expect(right, "a register's bits are no list of places")


def _check_drawn(drawn: Any) -> None:
    _expect(isinstance(drawn, dict), "what it drew is no object")
    for name, array in drawn.items():
        _expect(_is_text(name, MAX_TEXT), "the name of what it drew is no name")
        _check_keys(array, {"data", "shape", "dtype"})
        shape, text = array["shape"], array["data"]
        right = isinstance(shape, list) and all(_is_whole(size, least=0) for size in shape)
        _expect(right, "the shape of what it drew is odd")
        _expect(_is_text(array["dtype"], MAX_TEXT), "the type of what it drew is no text")
        _expect(isinstance(text, str) and _BASE64.fullmatch(text) is not None, "it drew no base64")


def _is_program(text: Any) -> bool:
    return isinstance(text, str) and _PROGRAM.fullmatch(text) is not None


def _check_keys(value: Any, wanted: set[str]) -> None:
    _expect(isinstance(value, dict), "its result is no object")
    _expect(value.keys() == wanted, "its result has other parts than were asked for")


def _check_parts(parts: Mapping[str, Any], job: Job) -> None:
    counts: Any = parts.get("counts")
    if "counts" in parts:
        _check_outcomes(counts)
        _expect(set(map(type, counts.values())) <= {int}, "a count is no number")
        _expect(min(counts.values(), default=1) >= 1, "a count is odd")
        _expect(sum(counts.values()) in (0, job.shots), "its counts do not sum to the shots")
    if "memory" in parts:
        memory = parts["memory"]
        strings = isinstance(memory, list) and all(isinstance(each, str) for each in memory)
        _expect(strings, "its memory is no list of outcomes")
        _expect(len(memory) in (0, job.shots), "its memory does not have the shots")
        _check_outcomes(dict.fromkeys(memory))
        _expect(counts is None or Counter(memory) == counts, "its memory does not fit its counts")
    if "probabilities" in parts:
        chances = parts["probabilities"]
        _check_outcomes(chances)
        _expect(_are_numbers(list(chances.values()), 0, 1), "a probability is odd")
        total = math.fsum(chances.values())
        _expect(not chances or abs(total - 1) < _ROUNDING, "its probabilities do not sum to 1")
    for name in ("expectation_values", "standard_errors"):
        if name in parts:
            values = parts[name]
            right = isinstance(values, list) and len(values) == len(job.observables)
            _expect(right and _are_numbers(values, -_MAX_VALUE, _MAX_VALUE), f"{name} are odd")
    if "statevector" in parts:
        state = parts["statevector"]
        right = isinstance(state, list) and all(
            isinstance(each, list) and len(each) == 2 and _are_numbers(each, -1, 1)
            for each in state
        )
        _expect(right and len(state).bit_count() == 1, "its state vector is odd")


def _check_outcomes(outcomes: Any) -> None:
    _expect(isinstance(outcomes, dict), "its outcomes are no object")
    text = "\n".join(outcomes).replace("1", "0")  # together, since there may be very many
    first = text.partition("\n")[0]
    _expect(not outcomes or _OUTCOME.fullmatch(first) is not None, "an outcome is not of bits")
    right = text == "\n".join([first] * len(outcomes))
    _expect(right, "an outcome's width is odd, or it is not of bits")


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


def _are_numbers(values: list[Any], least: float, most: float) -> bool:
    return all(
        type(each) in (int, float) and least - _ROUNDING <= each <= most + _ROUNDING
        for each in values
    )


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and not UNSTORABLE.search(value)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise OddAnswer(otherwise)
