"""Constants and functions of OpenQASM 3."""

import math
from collections.abc import Callable
from typing import Any

from tasks_app.circuits.language.interpreter.arithmetic import (
    binary,
    exact,
    has_kind,
    power,
    refuse,
    unary,
)
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure, as_float
from tasks_app.circuits.language.interpreter.deferred import deferrable
from tasks_app.circuits.language.interpreter.values import UINT, Word, wrapped

CONSTANTS = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value else 0.0


_REAL_FUNCTIONS: dict[str, Callable[[float], float]] = {
    **{"arccos": math.acos, "arcsin": math.asin, "arctan": math.atan},
    # As Qiskit writes them.
    **{"acos": math.acos, "asin": math.asin, "atan": math.atan, "sign": _sign, "conj": float},
    **{"ceiling": math.ceil, "floor": math.floor, "exp": math.exp, "log": math.log, "ln": math.log},
    **{"sin": math.sin, "cos": math.cos, "tan": math.tan, "sqrt": math.sqrt},
}


def _rotated(value: Any, by: Any, direction: int) -> Any:
    if not isinstance(value, Word) or value.type.kind == "float":
        return refuse("rotl and rotr take a register, a uint or an angle")
    width = value.type.width
    places = direction * exact(by) % width
    return wrapped(value.type, value.pattern << places | value.pattern >> (width - places))


def _popcount(value: Any) -> Any:
    whole = isinstance(value, Word) and not has_kind(value, "float")
    return wrapped(UINT, (value.pattern if whole else exact(value)).bit_count())


def _absolute(value: Any) -> Any:
    negative = (value.number if isinstance(value, Word) else value) < 0
    return unary("-", value) if negative else value


_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, _absolute),
    "mod": (2, lambda a, b: binary("%", a, b)),
    "popcount": (1, _popcount),
    "pow": (2, power),
    "rotl": (2, lambda value, by: _rotated(value, by, 1)),
    "rotr": (2, lambda value, by: _rotated(value, by, -1)),
}


FUNCTIONS = _FUNCTIONS.keys() | _REAL_FUNCTIONS.keys()


@deferrable
def call(name: str, *arguments: Any) -> Any:
    """Raises ArithmeticFailure."""
    wanted, function = _FUNCTIONS.get(name, (1, None))
    if len(arguments) != wanted:
        raise ArithmeticFailure(f"needs {wanted} argument{'s' * (wanted > 1)} for {name}")
    if not all(isinstance(each, int | float | Word) for each in arguments):
        return refuse(name)
    if function is not None:
        return function(*arguments)
    try:
        return float(_REAL_FUNCTIONS[name](as_float(arguments[0])))
    except (ValueError, OverflowError):
        raise ArithmeticFailure("has no value for these operands") from None
