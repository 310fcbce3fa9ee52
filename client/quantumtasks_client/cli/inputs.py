"""What is read: programs from files or standard input, and values from options."""

import math
import re
import sys
import uuid
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from quantumtasks_client.cli.failures import CommandError

MAX_POINTS = 1_000_000  # of a range
_NUMBER = r"\d+(?:\.\d*)?"
_ANGLE = re.compile(rf"(?<![\w.])(?:({_NUMBER}) *\* *)?(?:pi|π)(?: */ *({_NUMBER}))?(?![\w.])")


def program(path: Path) -> str:
    """The text of a program; of `-` standard input's."""
    if str(path) != "-":
        return _decoded(path.read_bytes(), str(path))
    if sys.stdin.isatty():
        print("Reading the program from the terminal; end it with Ctrl-D.", file=sys.stderr)
    return _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(text: bytes, where: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{where} is not UTF-8 text.") from None


def key(given: str | None) -> str:
    """An idempotency key, a new one where none is given."""
    return str(uuid.uuid4()) if given is None else given


def values(given: list[str] | None) -> dict[str, Any] | None:
    """Numbers by name, of options such as `theta=0.5` or `theta=3*pi/4`.

    true, false and `[0, 1]` are values too.
    """
    pairs = [_pair(text) for text in given or ()]
    return _once([(name, _value(value, name)) for name, value in pairs]) or None


def observables(given: list[str] | None) -> list[dict[str, float]] | None:
    """Of options such as `ZZ` or `ZZ=0.5,IX=-1`, an observable each."""
    return [_observable(text) for text in given or ()] or None


def _observable(text: str) -> dict[str, float]:
    terms = [term.partition("=") for term in text.split(",")]
    return _once([(name.strip(), _value(v, name) if equals else 1) for name, equals, v in terms])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """By name. Of one that is given twice, taking either value would be a guess."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise CommandError(f"{name} is given twice.")
        found[name] = value
    return found


def parameter_sets(given: list[str] | None, file: Path | None) -> list[dict[str, Any]]:
    """Every combination of the values given for each name, or the sets of a JSON file.

    `theta=0,0.5,1` names values, `theta=[0,1],[0,2]` those of an array; `theta=0:3.14:20` is 20 of
    them from 0 to 3.14.
    """
    if bool(given) == bool(file):
        raise CommandError("Give either --param or --sets.")
    if file is not None:
        return _sets(file)
    names, ranges = zip(*(_range(text) for text in given or ()), strict=True)
    if len(set(names)) < len(names):
        raise CommandError("Give each --param once, with all its values.")
    if math.prod(map(len, ranges)) > MAX_POINTS:
        raise CommandError(f"That would be more than {MAX_POINTS:,} sets.")
    return [dict(zip(names, point, strict=True)) for point in product(*ranges)]


def _sets(file: Path) -> list[dict[str, Any]]:
    text = program(file)
    try:
        found = msgspec.json.decode(text, type=list[dict[str, bool | int | float | list[Any]]])
    except msgspec.MsgspecError as error:
        sentence = f"{file} must hold a JSON list of objects of numbers: {error}."
        raise CommandError(sentence) from None
    if not found:
        raise CommandError(f"{file} holds no set.")
    return found


def _range(text: str) -> tuple[str, list[Any]]:
    name, value = _pair(text)
    bounds = value.split(":")
    if len(bounds) == 1:
        return name, _several(value, name)
    try:
        first, last, count = _number(bounds[0]), _number(bounds[1]), int(bounds[2])
    except (ValueError, IndexError):
        count = 0
    if not (len(bounds) == 3 and 1 <= count <= MAX_POINTS):
        raise CommandError(f"Write a range as {name}=first:last:count, not {value!r}.")
    span, steps = last - first, max(1, count - 1)
    # Whole numbers stay such: an int takes no others.
    step = span // steps if isinstance(span, int) and span % steps == 0 else span / steps
    return name, [first + step * n for n in range(count)]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise CommandError(f"Write it as name=value, not {text!r}.")
    return name.strip(), _ANGLE.sub(_radians, value)


def _radians(angle: re.Match[str]) -> str:
    factor, divisor = (float(number or 1) for number in angle.groups())
    return repr(factor * math.pi / divisor) if divisor else angle[0]


def _value(text: str, name: str) -> Any:
    value, *more = _several(text, name)
    if more:
        raise CommandError(f"{name} has one value; write an array as {name}=[{text}].")
    return value


def _several(text: str, name: str) -> list[Any]:
    """Values with commas between them."""
    try:
        found = msgspec.json.decode(f"[{text}]", type=list[bool | int | float | list[Any]])
    except msgspec.MsgspecError:
        found = []
    if not found:
        what = "a number, true, false or a list of these"
        raise CommandError(f"{name} must be {what}, not {text!r}.")
    return found
