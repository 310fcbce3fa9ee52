"""Expressions over measured bits, which the simulator evaluates while the circuit runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr, types

from tasks_app.circuits.values import Bits, BitString

Runtime = (Clbit, Bits, expr.Expr)

_LOGIC: dict[str, Callable[[Any, Any], Any]] = {
    "&&": expr.logic_and,
    "||": expr.logic_or,
    "&": expr.bit_and,
    "|": expr.bit_or,
    "^": expr.bit_xor,
    "==": expr.equal,
    "!=": expr.not_equal,
}
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": expr.less,
    "<=": expr.less_equal,
    ">": expr.greater,
    ">=": expr.greater_equal,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class NotAtRunTime(Exception):
    """The simulator cannot evaluate this; the text names the feature."""


def is_runtime(value: object) -> bool:
    return isinstance(value, Runtime)


def condition(value: Any) -> Any:
    """A value as true or false: a bool, or an expression for the simulator."""
    if isinstance(value, Clbit):
        return expr.lift(value)
    if isinstance(value, Bits):
        return binary("!=", value, 0)
    if isinstance(value, expr.Expr):
        return value if value.type.kind is types.Bool else expr.not_equal(value, 0)
    if isinstance(value, BitString):
        return value.value != 0
    return bool(value)


def negate(value: Any) -> Any:
    return expr.logic_not(condition(value))


def invert(value: Any) -> Any:
    lifted = _lift(value)
    return expr.logic_not(lifted) if _is_bool(lifted) else expr.bit_not(lifted)


def binary(operation: str, a: Any, b: Any) -> Any:
    """Combine two values of which at least one is known at run time only.

    Raises NotAtRunTime.
    """
    if operation in ("&&", "||"):
        return _connect(operation, condition(a), condition(b))
    if (isinstance(a, Bits) and a.register is None) or (isinstance(b, Bits) and b.register is None):
        return _compare_slices(operation, a, b)
    if not is_runtime(a):  # Let the constant stand on the right.
        a, b, operation = b, a, _MIRRORED.get(operation, operation)
    left = _lift(a)
    if not is_runtime(b):
        return _with_constant(operation, left, b)
    right = _lift(b)
    if _is_bool(left) != _is_bool(right):
        raise NotAtRunTime("Combining a bit and a register")
    if operation in _LOGIC:
        return _LOGIC[operation](left, right)
    if operation in _ORDER and not _is_bool(left):
        return _ORDER[operation](left, right)
    raise NotAtRunTime(f"The operator {operation} on measured bits")


def _connect(operation: str, a: Any, b: Any) -> Any:
    for known, other in ((a, b), (b, a)):
        if isinstance(known, bool):
            return other if known == (operation == "&&") else known
    return _LOGIC[operation](a, b)


def _with_constant(operation: str, left: Any, constant: Any) -> Any:
    if isinstance(constant, BitString):
        constant = constant.value
    if not isinstance(constant, int):
        raise NotAtRunTime("Comparing measured bits with a number that is not whole")
    constant = int(constant)
    if _is_bool(left):
        return _bit_with_constant(operation, left, constant)
    width = left.type.width
    if operation in ("==", "!=") or operation in _ORDER:
        if not 0 <= constant < 2**width:  # It does not fit the register: decided already.
            decided = {"==": False, "!=": True}
            below = constant < 0
            return decided.get(operation, operation.startswith(">") == below)
        return (_LOGIC | _ORDER)[operation](left, constant)
    if operation in ("&", "|", "^") and 0 <= constant < 2**width:
        return _LOGIC[operation](left, constant)
    raise NotAtRunTime(f"The operator {operation} on measured bits")


def _bit_with_constant(operation: str, bit: Any, constant: int) -> Any:
    """A bit is 0 or 1, so that any function of it is itself, its opposite or a constant."""
    functions: dict[str, Callable[[int, int], bool]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "&": lambda a, b: bool(a & b),
        "|": lambda a, b: bool(a | b),
        "^": lambda a, b: bool(a ^ b),
    }
    if operation not in functions:
        raise NotAtRunTime(f"The operator {operation} on measured bits")
    if_zero, if_one = functions[operation](0, constant), functions[operation](1, constant)
    if if_zero == if_one:
        return if_zero
    return bit if if_one else expr.logic_not(bit)


def _compare_slices(operation: str, a: Any, b: Any) -> Any:
    """Compare bits that are no whole register, bit by bit."""
    if operation not in ("==", "!="):
        raise NotAtRunTime(f"The operator {operation} on part of a bit register")
    if not isinstance(a, Bits):
        a, b = b, a
    if isinstance(b, BitString):
        b = b.value
    if isinstance(b, Bits):
        if len(a.items) != len(b.items):
            raise NotAtRunTime("Comparing bit registers of different lengths")
        terms = [expr.equal(x, y) for x, y in zip(a.items, b.items, strict=True)]
    elif isinstance(b, int):
        if not 0 <= b < 2 ** len(a.items):
            return operation == "!="
        terms = [
            expr.lift(bit) if b >> place & 1 else expr.logic_not(expr.lift(bit))
            for place, bit in enumerate(a.items)
        ]
    else:
        raise NotAtRunTime("This comparison of bits")
    equal = reduce(expr.logic_and, terms)
    return equal if operation == "==" else expr.logic_not(equal)


def _lift(value: Any) -> Any:
    if isinstance(value, Bits):
        if value.register is None:
            raise NotAtRunTime("Arithmetic on part of a bit register")
        return expr.lift(value.register)
    return expr.lift(value) if isinstance(value, Clbit) else value


def _is_bool(expression: Any) -> bool:
    return bool(expression.type.kind is types.Bool)
