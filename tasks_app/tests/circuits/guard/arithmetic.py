"""Operators and functions of OpenQASM 3 on classical values.

From the specification's pages "Classical instructions" and "Types and Casting". Integers follow
the usual arithmetic conversions of C99 with the widths of their types as ranks, and wrap around
at the width of their type. What type a whole number that is written has beside a variable is not
said: in C99 it has the machine's, and it can be read as taking the type of the variable.
`Arithmetic` does either.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tasks_app.tests.circuits.guard.values import (
    BOOL,
    FLOAT,
    INT,
    UINT,
    Type,
    Unspecified,
    Value,
    convert,
    from_pattern,
    rounded,
    truth,
)

_INTEGERS = ("int", "uint")
_STANDARD = ("bool", "int", "uint", "float")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_REAL: dict[str, Callable[[float, float], float | complex]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_BITWISE: dict[str, Callable[[int, int], int]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


@dataclass
class Arithmetic:
    """Evaluates operators and remembers which it met, as `"uint + int"`."""

    literals_adapt: bool
    """Whether a literal takes the type of a variable beside it, if it fits."""
    met: set[str] = field(default_factory=set)
    literals_mixed: bool = False
    """Whether that made a difference to a type."""

    def unary(self, operation: str, value: Value) -> Value:
        self.met.add(f"{operation}{value.kind}")
        return replace(self._unary(operation, value), literal=value.literal)

    def _unary(self, operation: str, value: Value) -> Value:
        if operation == "!":
            return truth(not convert(value, BOOL).number)
        if operation == "~":
            if value.kind in ("bool", "float") or not value.type.sized:
                raise Unspecified(f"~{value.kind}")
            return from_pattern(value.type, ~value.whole)
        if value.kind in ("bool", "bit"):
            raise Unspecified(f"-{value.kind}")
        if value.kind == "float":
            return Value(value.type, -value.number)
        return from_pattern(value.type, -value.whole)

    def binary(self, operation: str, left: Value, right: Value) -> Value:
        self.met.add(f"{left.kind} {operation} {right.kind}")
        result = self._binary(operation, left, right)
        return replace(result, literal=left.literal and right.literal)

    def _binary(self, operation: str, left: Value, right: Value) -> Value:
        if operation in ("&&", "||"):
            a, b = convert(left, BOOL).number, convert(right, BOOL).number
            return truth(bool(a and b) if operation == "&&" else bool(a or b))
        if operation in ("<<", ">>"):
            return _shifted(operation, left, right)
        if operation == "**" and left.kind in _INTEGERS:
            return self._power(left, right)
        if "angle" in (left.kind, right.kind):
            return _with_angle(operation, left, right)
        if "bit" in (left.kind, right.kind):
            return self._with_bits(operation, left, right)
        left, right = self._usual(left, right)
        if operation in _COMPARISONS:
            return truth(_COMPARISONS[operation](left.number, right.number))
        if operation in _BITWISE:
            if left.kind == "float" or not left.type.sized:
                raise Unspecified(f"{left.kind} without a width {operation}")
            return from_pattern(left.type, _BITWISE[operation](left.whole, right.whole))
        return _calculated(operation, left, right)

    def _usual(self, left: Value, right: Value) -> tuple[Value, Value]:
        """Both as the same type: the usual arithmetic conversions."""
        to = self._common(left, right)
        return convert(left, to), convert(right, to)

    def _common(self, left: Value, right: Value) -> Type:
        common = _wider(left.type, right.type)
        for literal, other in ((left, right), (right, left)):
            if literal.literal and not other.literal and _fits(literal, other.type):
                self.literals_mixed |= common != other.type
                return other.type if self.literals_adapt else common
        return common

    def _power(self, base: Value, exponent: Value) -> Value:
        if exponent.kind == "float":
            return _calculated("**", *self._usual(base, exponent))
        if exponent.kind not in _INTEGERS or exponent.number < 0:
            raise Unspecified("a power that is no natural number")
        to = self._common(base, exponent)
        if exponent.whole > 4_096:
            raise Unspecified("a very large power")
        power = base.whole**exponent.whole
        # Whether a power has the type of its base or the wider of both is not said.
        held = from_pattern(to, power)
        if not exponent.literal and held.number != from_pattern(base.type, power).number:
            raise Unspecified("a power beyond the type of its base")
        return held

    def _with_bits(self, operation: str, left: Value, right: Value) -> Value:
        kinds = {left.kind, right.kind}
        if kinds == {"bit"} and left.type.width == right.type.width:
            if operation in _COMPARISONS:
                return truth(_COMPARISONS[operation](left.whole, right.whole))
            if operation in _BITWISE:
                return Value(left.type, _BITWISE[operation](left.whole, right.whole))
        if operation in _COMPARISONS and kinds <= {"bit", "int", "uint", "bool"}:
            # So do the specification's own programs: `if (flags == 2)`.
            if left.number < 0 or right.number < 0 or ("bool" in kinds and left.type.width != 1):
                raise Unspecified("bits beside a negative number")
            return truth(_COMPARISONS[operation](left.whole, right.whole))
        raise Unspecified(f"{left.kind} {operation} {right.kind}")

    def call(self, name: str, values: Sequence[Value]) -> Value:
        self.met.add(f"{name}({', '.join(value.kind for value in values)})")
        if name == "popcount":
            (value,) = values
            if value.kind not in ("bit", "uint", "angle"):
                raise Unspecified(f"popcount of {value.kind}")
            return Value(UINT, value.whole.bit_count())
        if name in ("rotl", "rotr"):
            value, places = values
            return _rotated(value, places.whole if name == "rotl" else -places.whole)
        if name == "pow":
            return self.binary("**", *values)
        if name == "mod":
            return self._modulo(*values)
        return _real_function(name, values)

    def _modulo(self, left: Value, right: Value) -> Value:
        if left.number < 0 or right.number <= 0:
            raise Unspecified("the sign of mod")
        if left.kind not in _STANDARD or right.kind not in _STANDARD:
            raise Unspecified(f"mod of {left.kind} and {right.kind}")
        left, right = self._usual(left, right)
        if left.kind == "float":
            return rounded(left.type, math.fmod(left.number, right.number))
        return Value(left.type, left.whole % right.whole)


def _wider(left: Type, right: Type) -> Type:
    """The greater of two types that can be mixed, by their ranks in C99."""
    if "float" in (left.kind, right.kind):
        return max((t for t in (left, right) if t.kind == "float"), key=lambda t: t.width)
    left, right = (INT if each == BOOL else each for each in (left, right))
    if left.kind == right.kind:
        return right if (right.width, not right.sized) > (left.width, not left.sized) else left
    signed, unsigned = (left, right) if left.kind == "int" else (right, left)
    return unsigned if unsigned.width >= signed.width else signed


def _fits(literal: Value, type: Type) -> bool:
    """Whether a variable's type can hold the whole number that is written."""
    whole = literal.kind in _INTEGERS and type.kind in _INTEGERS
    return whole and from_pattern(type, literal.whole).number == literal.number


def _calculated(operation: str, left: Value, right: Value) -> Value:
    """Of two numbers of one type."""
    if operation in ("/", "%") and right.number == 0:
        raise Unspecified("division by zero")
    if left.kind == "float":
        return rounded(left.type, _real(operation, float(left.number), float(right.number)))
    a, b = left.whole, right.whole
    if operation in ("/", "%"):
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return from_pattern(left.type, quotient if operation == "/" else a - quotient * b)
    return from_pattern(left.type, {"+": a + b, "-": a - b, "*": a * b}[operation])


def _real(operation: str, a: float, b: float) -> float:
    try:
        result: float | complex = _REAL[operation](a, b)
    except (ZeroDivisionError, OverflowError, KeyError):
        raise Unspecified(f"{a} {operation} {b}") from None
    if isinstance(result, complex):
        raise Unspecified("a power that is not real")
    return result


def _shifted(operation: str, left: Value, right: Value) -> Value:
    if left.kind in ("bool", "float") or not left.type.sized:
        raise Unspecified(f"{left.kind} without a width {operation}")
    if right.kind not in _INTEGERS or right.number < 0:
        raise Unspecified("a shift by what is not an unsigned number")
    places = min(right.whole, left.type.width)
    shifted = left.whole << places if operation == "<<" else left.whole >> places
    return from_pattern(left.type, shifted)


def _rotated(value: Value, places: int) -> Value:
    if value.kind not in ("bit", "uint", "angle") or not value.type.sized:
        raise Unspecified(f"rotation of {value.kind}")
    width = value.type.width
    places %= width
    return from_pattern(value.type, value.whole << places | value.whole >> (width - places))


def _with_angle(operation: str, left: Value, right: Value) -> Value:
    """An angle and an angle, an unsigned number or a float that is exactly an angle."""
    if operation not in _BITWISE:
        if left.kind == "float":
            left = _exact_angle(left, right.type)
        elif right.kind == "float":
            right = _exact_angle(right, left.type)
    if left.kind == right.kind == "angle":
        to = max(left.type, right.type, key=lambda type: type.width)
        left, right = convert(left, to), convert(right, to)
        if operation in _COMPARISONS:
            return truth(_COMPARISONS[operation](left.whole, right.whole))
        if operation in _BITWISE:
            return Value(to, _BITWISE[operation](left.whole, right.whole))
        if operation in ("+", "-"):
            return from_pattern(to, left.whole + right.whole * (1 if operation == "+" else -1))
        if operation == "/" and right.whole:
            return Value(Type("uint", to.width, to.sized), left.whole // right.whole)
    elif operation == "*" and (left.kind, right.kind) in (("uint", "angle"), ("int", "angle")):
        return from_pattern(right.type, _factor(left, right.type) * right.whole)
    elif operation in ("*", "/") and right.kind in _INTEGERS:
        factor = _factor(right, left.type)
        if operation == "*":
            return from_pattern(left.type, left.whole * factor)
        if factor:
            return Value(left.type, left.whole // factor)
    raise Unspecified(f"{left.kind} {operation} {right.kind}")


def _exact_angle(value: Value, to: Type) -> Value:
    angle = convert(value, to)
    if abs(math.remainder(angle.real - float(value.number), math.tau)) > 1e-12:
        raise Unspecified("a float beside an angle that it is not")
    return angle


def _factor(value: Value, of: Type) -> int:
    """An unsigned number of the angle's width, or a number without a width that fits."""
    if value.type.sized and (value.kind != "uint" or value.type.width != of.width):
        raise Unspecified("an angle times an integer of another type")
    if not 0 <= value.whole < 1 << of.width:
        raise Unspecified("an angle times a number that does not fit")
    return value.whole


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "arccos": math.acos,
    "arcsin": math.asin,
    "arctan": math.atan,
    "ceiling": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}


def _real_function(name: str, values: Sequence[Value]) -> Value:
    """All of them give a `float` without a width, also `floor` and `ceiling`."""
    (value,) = values
    if value.kind == "angle" and name not in ("sin", "cos", "tan"):
        raise Unspecified(f"{name} of an angle")
    if value.kind in ("bit", "bool"):
        raise Unspecified(f"{name} of {value.kind}")
    try:
        return rounded(FLOAT, _FUNCTIONS[name](value.real))
    except (ValueError, OverflowError):
        raise Unspecified(f"{name} has no value here") from None


FUNCTIONS = frozenset({*_FUNCTIONS, "mod", "pow", "popcount", "rotl", "rotr"})
