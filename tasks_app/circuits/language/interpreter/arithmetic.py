"""Operators of OpenQASM 3 on known values.

Integers follow the usual arithmetic conversions of C99 with the widths of their types as ranks,
and wrap around at the width of their type. A number written in the program takes the type of the
value beside it where it fits, else that of `int`. An angle is a fixed-point fraction of a turn.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from tasks_app.circuits.language.interpreter.conversion import (
    ArithmeticFailure,
    as_float,
    convert,
    rounded,
)
from tasks_app.circuits.language.interpreter.deferred import decided, deferrable
from tasks_app.circuits.language.interpreter.values import INT, Duration, Type, Word, wrapped

_Operand = int | float | Word | Duration
_MAX_BITS = 1_024  # Of an integer without a type; more only costs time.
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BITWISE: dict[str, Callable[[int, int], int]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def truth(value: Any) -> bool:
    """The value as a condition. Raises ArithmeticFailure."""
    if not isinstance(decided(value), int | float | Word):
        raise ArithmeticFailure("cannot be true or false")
    return bool(value.number if isinstance(value, Word) else value)


@deferrable
def binary(operation: str, a: Any, b: Any) -> Any:
    """Raises ArithmeticFailure."""
    if not isinstance(a, _Operand) or not isinstance(b, _Operand):
        return refuse(operation)
    if isinstance(a, Duration) or isinstance(b, Duration):
        return _with_duration(operation, a, b)
    if operation in ("<<", ">>"):
        return _shifted(operation, a, b)
    if operation == "**":
        return power(a, b)
    if has_kind(a, "angle") or has_kind(b, "angle"):
        return _with_angle(operation, a, b)
    if operation in _BITWISE:
        return _bitwise(operation, a, b)
    common, x, y = _usual(a, b)
    if operation in _COMPARISONS:
        return _COMPARISONS[operation](x, y)
    return typed(common, _calculated(operation, x, y))


@deferrable
def unary(operation: str, value: Any) -> Any:
    """Raises ArithmeticFailure."""
    if not isinstance(value, _Operand):
        return refuse(operation)
    if isinstance(value, Duration):
        return Duration(-value.length, value.unit) if operation == "-" else refuse(operation)
    if operation == "!":
        return not truth(value)
    if isinstance(value, bool):
        return not value if operation == "~" else -int(value)
    if operation == "-":
        value = _as_number(value)
    if isinstance(value, Word) and value.type.kind != "float":
        return wrapped(value.type, -value.number if operation == "-" else ~value.number)
    if operation == "~":
        return ~value if isinstance(value, int) else refuse("~ of a float")
    return Word(value.type, -value.number) if isinstance(value, Word) else -value


def typed(common: Type | None, number: Any) -> Any:
    """The number as a value of the type; without one, as it would be written."""
    if isinstance(number, float):
        return number if common is None else rounded(common, number)
    if common is not None:
        return wrapped(common, number)
    if number.bit_length() > _MAX_BITS:
        raise ArithmeticFailure("gives a number that is too large")
    return number


def has_kind(value: Any, kind: str) -> bool:
    return isinstance(value, Word) and value.type.kind == kind


def refuse(what: str) -> Any:
    raise ArithmeticFailure(f"does not fit the types of its operands: {what}")


def _named(value: Any) -> str:
    return str(value.type) if isinstance(value, Word) else type(value).__name__


def _as_number(value: Any) -> Any:
    """Bits count as the number that they write."""
    return int(value.number) if has_kind(value, "bit") else value


def common_type(a: Any, b: Any) -> Type | None:
    """The type that both are converted to; None for numbers as they are written."""
    known = [value.type for value in (a, b) if isinstance(value, Word)]
    if not known or isinstance(a, float) or isinstance(b, float):
        return None
    if floats := [kind for kind in known if kind.kind == "float"]:
        return max(floats, key=lambda kind: kind.width)
    if len(known) == 1:
        written = int(b if isinstance(a, Word) else a)
        if wrapped(known[0], written).number == written:
            return known[0]
        known.append(INT)
    first, second = known
    if first.kind == second.kind:
        return first if first.width >= second.width else second
    signed, unsigned = (first, second) if first.kind == "int" else (second, first)
    return unsigned if unsigned.width >= signed.width else signed


def _usual(a: Any, b: Any) -> tuple[Type | None, Any, Any]:
    """The usual arithmetic conversions: the common type, and both numbers as it holds them."""
    a, b = _as_number(a), _as_number(b)
    common = common_type(a, b)
    if common is None:
        if isinstance(a, float) or isinstance(b, float):
            return None, as_float(a), as_float(b)
        return None, int(a), int(b)
    return common, convert(a, common).number, convert(b, common).number


def _calculated(operation: str, a: Any, b: Any) -> Any:
    if operation in ("/", "%") and b == 0:
        raise ArithmeticFailure("divides by zero")
    try:
        return _ARITHMETIC[operation](a, b)
    except ValueError:  # of an infinite number
        raise ArithmeticFailure("gives a number that is too large") from None


def _quotient(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        return a / b
    quotient = abs(a) // abs(b)  # Integers divide to an integer, toward zero.
    return quotient if (a < 0) == (b < 0) else -quotient


def _rest(a: Any, b: Any) -> Any:
    return math.fmod(a, b) if isinstance(a, float) else a - b * _quotient(a, b)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "/": _quotient, "%": _rest},
}


def power(a: Any, b: Any) -> Any:
    a, b = _as_number(a), _as_number(b)
    whole = [isinstance(v, int) or (isinstance(v, Word) and not _real(v)) for v in (a, b)]
    if not all(whole) or exact(b) < 0:
        try:
            return math.pow(as_float(a), as_float(b))
        except (OverflowError, ValueError):
            raise ArithmeticFailure("has no real value for these operands") from None
    base, exponent, common = exact(a), exact(b), common_type(a, b)
    if isinstance(a, Word) and common is not None:
        return wrapped(common, pow(base, exponent, 1 << common.width))
    if exponent * base.bit_length() > 2 * _MAX_BITS and abs(base) > 1:
        raise ArithmeticFailure("gives a number that is too large")
    result = base**exponent
    if common is not None and wrapped(common, result).number != result:
        raise ArithmeticFailure(f"is too large for {common}; write {base}.0 for a float")
    return typed(common, result)


def _real(value: Word) -> bool:
    return value.type.kind in ("float", "angle")


def exact(value: Any) -> int:
    """The whole number that a value of a whole type is. Raises ArithmeticFailure."""
    number = value.number if isinstance(decided(value), Word) and not _real(value) else value
    if not isinstance(number, int):
        raise ArithmeticFailure(
            "gives no whole number, which is needed here; cast it with int(...)"
        )
    return int(number)


def _shifted(operation: str, value: Any, by: Any) -> Any:
    places = exact(by)
    if isinstance(value, bool) and places >= 0:
        return value and not places  # A single bit keeps its width.
    if places < 0 or (isinstance(value, int) and places > _MAX_BITS):
        raise ArithmeticFailure("shifts too far")
    if isinstance(value, Word) and value.type.kind != "float":
        places = min(places, value.type.width)
        number = value.number << places if operation == "<<" else value.number >> places
        return wrapped(value.type, number)
    number = exact(value)
    return typed(None, number << places if operation == "<<" else number >> places)


def _bitwise(operation: str, a: Any, b: Any) -> Any:
    combine = _BITWISE[operation]
    if isinstance(a, bool) and isinstance(b, bool):
        return bool(combine(a, b))
    if has_kind(a, "bit") and has_kind(b, "bit") and a.type != b.type:
        raise ArithmeticFailure(f"joins {a.type} with {b.type}; take a slice of the longer one")
    common, x, y = _usual(a, b)
    if isinstance(x, float):
        return refuse(f"{operation} on a float")
    bits = next((value.type for value in (a, b) if has_kind(value, "bit")), None)
    if bits is not None and common is None and 0 <= (x | y) < 1 << bits.width:
        common = bits
    return typed(common, combine(x, y))


def _with_angle(operation: str, a: Any, b: Any) -> Any:
    """At least one is an angle; what is written beside it in radians becomes one."""
    angles = [value.type for value in (a, b) if has_kind(value, "angle")]
    common = max(angles, key=lambda kind: kind.width)
    reals = [isinstance(v, float) or has_kind(v, "float") for v in (a, b)]
    if operation in ("*", "/") and len(angles) == 1:
        if any(reals):
            return _calculated(operation, as_float(a), as_float(b))
        if operation == "*":
            x, y = (v.number if has_kind(v, "angle") else exact(v) for v in (a, b))
            return wrapped(common, x * y)
        if not has_kind(a, "angle"):
            return refuse(f"{_named(a)} / {_named(b)}")
        if exact(b) <= 0:
            raise ArithmeticFailure("divides an angle by a number that is not positive")
        return wrapped(common, a.number // exact(b))
    x, y = (_beside_angle(operation, value, common) for value in (a, b))
    if operation in _COMPARISONS:
        return _COMPARISONS[operation](x, y)
    if operation in _BITWISE:
        return Word(common, _BITWISE[operation](x, y))
    if operation == "/":
        return Word(Type("uint", common.width), _calculated("/", x, y))
    if operation not in ("+", "-"):
        return refuse(f"{_named(a)} {operation} {_named(b)}")
    return wrapped(common, _calculated(operation, x, y))


def _beside_angle(operation: str, value: Any, common: Type) -> int:
    if has_kind(value, "bit") or (operation in _BITWISE and not has_kind(value, "angle")):
        refuse(f"{operation} on {_named(value)} and {common}; cast one of them")
    return int(convert(value, common).number)


def _with_duration(operation: str, a: Any, b: Any) -> Any:
    both = isinstance(a, Duration) and isinstance(b, Duration)
    if both and a.unit != b.unit:
        if operation in ("+", "-"):
            return Duration(0.0, "stretch")  # Known to the hardware only, and without effect.
        return refuse(f"durations in {a.unit} and in {b.unit}")
    if both and operation in _COMPARISONS and a.unit != "stretch":
        return _COMPARISONS[operation](a.length, b.length)
    if both and operation == "/":
        return float(_calculated("/", a.length, b.length))
    if both and operation in ("+", "-"):
        return Duration(a.length + b.length * (1 if operation == "+" else -1), a.unit)
    if operation == "*" and not both:
        length, factor = (a, b) if isinstance(a, Duration) else (b, a)
        return Duration(length.length * as_float(factor), length.unit)
    if operation == "/" and isinstance(a, Duration):
        return Duration(_calculated("/", a.length, as_float(b)), a.unit)
    return refuse(f"{operation} on a duration")
