"""Arithmetic of OpenQASM 3 on values known while the program is read."""

import math
import operator
from collections.abc import Callable
from typing import Any

CONSTANTS = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}

_MAX_BITS = 1_024  # Of an integer; more only costs time.


class ArithmeticFailure(Exception):
    """The text says what is wrong, as the end of a sentence about the expression."""


def _divide(a: float, b: float) -> float:
    if b == 0:
        raise ArithmeticFailure("divides by zero")
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)  # Integers divide to an integer, toward zero.
        return quotient if (a < 0) == (b < 0) else -quotient
    return a / b


def _modulo(a: float, b: float) -> float:
    if b == 0:
        raise ArithmeticFailure("divides by zero")
    if isinstance(a, int) and isinstance(b, int):
        return a - b * int(_divide(a, b))
    return math.fmod(a, b)


def _power(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        if b * max(abs(a).bit_length(), 1) > 2 * _MAX_BITS and abs(a) > 1:
            raise ArithmeticFailure("gives a number that is too large")
        return int(a**b)
    result = a**b
    if isinstance(result, complex):
        raise ArithmeticFailure("has no real value")
    return float(result)


def _shift(how: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def shift(a: int, b: int) -> int:
        if not 0 <= b <= _MAX_BITS:
            raise ArithmeticFailure("shifts too far")
        return how(a, b)

    return shift


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _modulo,
    "**": _power,
    "<<": _shift(operator.lshift),
    ">>": _shift(operator.rshift),
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}

_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "!": operator.not_,
    "~": operator.invert,
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arccos": math.acos,
    "arcsin": math.asin,
    "arctan": math.atan,
    "ceiling": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "ln": math.log,
    "mod": _modulo,
    "popcount": int.bit_count,
    "pow": _power,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}


def binary(operation: str, a: Any, b: Any) -> Any:
    """Raises ArithmeticFailure."""
    return _checked(_BINARY[operation], a, b)


def unary(operation: str, a: Any) -> Any:
    """Raises ArithmeticFailure."""
    return _checked(_UNARY[operation], a)


def is_function(name: str) -> bool:
    return name in _FUNCTIONS


def call(name: str, arguments: list[Any]) -> Any:
    """Raises ArithmeticFailure."""
    return _checked(_FUNCTIONS[name], *arguments)


def _checked(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        result = function(*arguments)
    except TypeError:
        raise ArithmeticFailure("does not fit the types of its operands") from None
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ArithmeticFailure("has no value for these operands") from None
    if isinstance(result, int) and result.bit_length() > _MAX_BITS:
        raise ArithmeticFailure("gives a number that is too large")
    return result
