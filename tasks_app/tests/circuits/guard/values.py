"""Classical types of OpenQASM 3: what their values are and how they are cast.

From the specification's page "Types and Casting". Where it leaves a result to the implementation
or forbids the operation, `Unspecified` is raised: such a program has no right answer.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["bool", "int", "uint", "float", "angle", "bit"]
MACHINE_BITS = 64  # Of a type without a size; the service documents it for `int`.


class Unspecified(Exception):
    """The specification gives this no meaning, or lets each implementation choose one."""


@dataclass(frozen=True, slots=True)
class Type:
    kind: Kind
    width: int = MACHINE_BITS
    sized: bool = True
    """Whether the program gives the width; a single `bit` has width 1."""


BOOL = Type("bool", 1)
BIT = Type("bit", 1)
INT = Type("int", sized=False)
UINT = Type("uint", sized=False)
FLOAT = Type("float", sized=False)


@dataclass(frozen=True, slots=True)
class Value:
    """`number` is the bit pattern of `bit` and `angle`, 0 or 1 of `bool`, else the number."""

    type: Type
    number: int | float
    literal: bool = False
    """Whether it was written as a number in the program, or is made of such numbers only."""

    @property
    def kind(self) -> Kind:
        return self.type.kind

    @property
    def whole(self) -> int:
        if self.kind == "float":
            raise Unspecified("a float where a whole number is needed")
        return int(self.number)

    @property
    def pattern(self) -> int:
        """Its bits, the lowest first in two's complement."""
        return self.whole % (1 << self.type.width)

    @property
    def real(self) -> float:
        """The number as a gate's parameter takes it."""
        if self.kind == "angle":
            return float(self.number) / (1 << self.type.width) * math.tau
        if self.kind in ("bit", "bool"):
            raise Unspecified(f"a {self.kind} as a number")
        return float(self.number)


def truth(value: bool) -> Value:
    return Value(BOOL, int(value))


def from_pattern(type: Type, pattern: int) -> Value:
    """The value of the type with these bits; higher bits are cut off."""
    pattern %= 1 << type.width
    if type.kind == "int" and pattern >> (type.width - 1):
        pattern -= 1 << type.width
    return Value(type, pattern)


def rounded(type: Type, number: float) -> Value:
    """The number as a float of this width holds it."""
    if type.width == MACHINE_BITS:
        held = float(number)
    elif type.width in (16, 32):
        with np.errstate(over="ignore"):
            held = float(np.float16(number) if type.width == 16 else np.float32(number))
    else:
        raise Unspecified(f"float[{type.width}]")
    if not math.isfinite(held):
        raise Unspecified("a number that is not finite")
    return Value(type, held)


def convert(value: Value, to: Type) -> Value:
    """The value cast to a type, as an assignment does it too."""
    if value.type == to:
        return replace(value, literal=False)
    if to.kind == "bool":
        return truth(value.number != 0)
    if to.kind == "float":
        return _to_float(value, to)
    if to.kind == "angle":
        return _to_angle(value, to)
    if to.kind == "bit":
        return _to_bit(value, to)
    return _to_integer(value, to)


def _to_float(value: Value, to: Type) -> Value:
    if value.kind in ("bit", "angle"):
        raise Unspecified(f"{value.kind} to float")
    return rounded(to, value.number)


def _to_integer(value: Value, to: Type) -> Value:
    if value.kind == "angle":
        raise Unspecified("angle to integer")
    if value.kind == "bit":
        # The specification's examples cast bits of any width to a type without a size, and
        # compare `int[2](bits)` with 3 where its text makes that -1.
        if to.sized and to.width != value.type.width:
            raise Unspecified("bits to an integer of another width")
        if to.kind == "int" and value.whole >> (to.width - 1):
            raise Unspecified("bits with the highest set to a signed integer")
        return Value(to, value.number)
    if value.kind != "float":
        return from_pattern(to, value.whole)
    whole = math.trunc(value.number)
    wrapped = from_pattern(to, whole)
    if wrapped.number != whole:
        raise Unspecified("a float outside the range of the integer")
    return wrapped


def _to_angle(value: Value, to: Type) -> Value:
    if value.kind == "angle":
        spare = value.type.width - to.width
        if spare <= 0:
            return Value(to, value.whole << -spare)
        # Rounding and truncation are both allowed.
        truncated = value.whole >> spare
        if _half_even(value.whole, spare) != truncated:
            raise Unspecified("an angle made shorter")
        return Value(to, truncated)
    if value.kind == "bit":
        if to.width != value.type.width:
            raise Unspecified("bits to an angle of another width")
        return Value(to, value.number)
    if value.kind != "float":
        raise Unspecified(f"{value.kind} to angle")
    turns = value.number / math.tau
    steps = math.ldexp(turns, to.width)
    return Value(to, _nearest(steps, to) % (1 << to.width))


def _nearest(steps: float, to: Type) -> int:
    """Round to nearest, ties to even; what arithmetic could make a tie or not has no answer."""
    gap = abs(steps - math.floor(steps) - 0.5)
    # Wider angles than a float is precise hold the rounding of the division itself.
    if 0 < gap < 1e-6 * max(1.0, abs(steps)) and to.width < 40:
        raise Unspecified("a float next to a tie between two angles")
    return round(steps)


def _half_even(whole: int, spare: int) -> int:
    quotient, rest = whole >> spare, whole & ((1 << spare) - 1)
    half = 1 << (spare - 1)
    return quotient + (rest > half or (rest == half and quotient & 1))


def _to_bit(value: Value, to: Type) -> Value:
    if value.kind == "float":
        raise Unspecified("float to bit")
    if value.kind == "bool":
        if to.width != 1:
            raise Unspecified("bool to more than one bit")
        return Value(to, value.number)
    if value.kind in ("int", "uint") and not value.type.sized:
        if not 0 <= value.whole < 1 << to.width:
            raise Unspecified("a number that does not fit the bits")
        return Value(to, value.number)
    if value.type.width != to.width:
        raise Unspecified(f"{value.kind} to bits of another width")
    return Value(to, value.pattern)
