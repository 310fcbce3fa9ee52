"""Values as the types of OpenQASM 3 hold them: casts and assignments."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.interpreter.deferred import conversion, deferrable
from tasks_app.circuits.language.interpreter.values import (
    MACHINE_BITS,
    Duration,
    Type,
    Word,
    wrapped,
)


class ArithmeticFailure(CircuitError):
    """An expression has no value; `what` is the end of a sentence about it."""

    def __init__(self, what: str) -> None:
        super().__init__("invalid_program", f"This expression {what}.")


_FLOATS: dict[int, Any] = {16: np.float16, 32: np.float32}


@deferrable
def convert(value: Any, to: Type) -> Any:
    """The value as the type holds it. Raises ArithmeticFailure."""
    if to.kind == "duration":
        if not isinstance(value, Duration):
            raise ArithmeticFailure("gives no duration, which is needed here")
        return value
    if not isinstance(value, int | float | Word):
        raise ArithmeticFailure("gives no number, which is needed here")
    if to.kind == "bool":
        return bool(value.number if isinstance(value, Word) else value)
    return _TO[to.kind](value, to)


@deferrable
def assigned(value: Any, to: Type) -> Any:
    """As `convert`, but unlike a cast it drops no bits of a register. Raises ArithmeticFailure."""
    bits = isinstance(value, Word) and value.type.kind == "bit"
    if bits and to.kind in ("int", "uint") and value.number >> to.width:
        raise ArithmeticFailure(f"does not fit {to}; take a slice, or cast it")
    return convert(value, to)


@deferrable
def as_float(value: Any) -> Any:
    """The number as a float. Raises ArithmeticFailure."""
    if not isinstance(value, int | float | Word):
        raise ArithmeticFailure("gives no number, which is needed here")
    try:
        return value.real if isinstance(value, Word) else float(value)
    except OverflowError:
        raise ArithmeticFailure("gives a number that is too large") from None


@conversion
def as_parameter(value: Any) -> Any:
    """A finite number, as a gate takes it. Raises ArithmeticFailure."""
    return _finite(as_float(value))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ArithmeticFailure("gives no finite number")
    return number


def rounded(to: Type, number: float) -> Any:
    """The number as a float of this width holds it."""
    if to.width == MACHINE_BITS:
        return number
    with np.errstate(over="ignore"):
        return Word(to, float(_FLOATS[to.width](number)))


def nearest_angle(radians: float, to: Type) -> Word:
    """Rounded to the nearest, ties to even."""
    steps = math.ldexp(math.fmod(_finite(radians) / math.tau, 1), to.width)
    return wrapped(to, round(steps))


def _to_integer(value: Any, to: Type) -> Word:
    number = value.number if isinstance(value, Word) else value
    if isinstance(value, Word) and value.type.kind == "angle":
        raise ArithmeticFailure(f"turns an angle into {to}; cast it to bits first")
    return wrapped(to, int(_finite(number) if isinstance(number, float) else number))


def _to_angle(value: Any, to: Type) -> Word:
    if isinstance(value, bool):
        raise ArithmeticFailure(f"turns true or false into {to}")
    if not isinstance(value, Word) or value.type.kind == "float":
        return nearest_angle(as_float(value), to)
    kind = value.type.kind
    if kind == "angle":
        turns = Fraction(value.number, 1 << value.type.width)
        return wrapped(to, round(turns * (1 << to.width)))  # Ties to even.
    if kind == "bit" and value.type.width == to.width:
        return Word(to, value.number)
    raise ArithmeticFailure(f"turns {value.type} into {to}; cast it to float first")


def _to_bits(value: Any, to: Type) -> Any:
    width = to.width or 1
    if isinstance(value, float) or (isinstance(value, Word) and value.type.kind == "float"):
        raise ArithmeticFailure(f"turns a float into {to}; cast it to uint first")
    if isinstance(value, Word) and value.type.width == width:
        pattern = value.pattern
    elif isinstance(value, Word) and value.type.kind in ("bit", "angle"):
        raise ArithmeticFailure(f"is {value.type} where {to} is needed; take a slice")
    else:
        pattern = int(value.number if isinstance(value, Word) else value)
    if not 0 <= pattern < 1 << width:
        raise ArithmeticFailure(f"does not fit {width} bit{'s' * (width > 1)}; take a slice")
    return Word(to, pattern) if to.width else bool(pattern)


_TO: Any = {
    "int": _to_integer,
    "uint": _to_integer,
    "float": lambda value, to: rounded(to, as_float(value)),
    "angle": _to_angle,
    "bit": _to_bits,
}
