"""Where values are kept: variables, bits that names share, arrays, and places to assign to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tasks_app.tests.circuits.guard.values import (
    Type,
    Unspecified,
    Value,
    convert,
    from_pattern,
)


@dataclass(frozen=True, slots=True)
class Qubits:
    """Numbers of qubits: a register, a part of one, or one qubit."""

    items: tuple[int, ...]
    single: bool = False


@dataclass(slots=True)
class Bit:
    value: int = 0
    """The service starts every bit at 0."""


@dataclass(frozen=True, slots=True)
class Bits:
    """A register, or a reference to some of its bits: `b[1:2]`, `let` and `++` share them."""

    items: tuple[Bit, ...]
    single: bool = False

    @property
    def value(self) -> Value:
        pattern = sum(bit.value << place for place, bit in enumerate(self.items))
        return Value(Type("bit", len(self.items)), pattern)

    def assign(self, value: Any) -> None:
        held = convert(scalar(value), Type("bit", len(self.items))).whole
        for place, bit in enumerate(self.items):
            bit.value = held >> place & 1


@dataclass(slots=True)
class Variable:
    type: Type
    held: Value | None = None

    @property
    def value(self) -> Value:
        if self.held is None:
            raise Unspecified("a variable without a value")
        return self.held

    def assign(self, value: Any) -> None:
        self.held = convert(scalar(value), self.type)


@dataclass(frozen=True, slots=True)
class Array:
    """`items` is a view where it stands for a part of another array."""

    type: Type
    items: Any

    @classmethod
    def new(cls, type: Type, shape: Sequence[int]) -> "Array":
        return cls(type, np.full(tuple(shape), None, dtype=object))

    def assign(self, value: Any) -> None:
        if not isinstance(value, Array) or value.items.shape != self.items.shape:
            raise Unspecified("an array of another shape")
        copy = value.items.copy()
        for place in np.ndindex(self.items.shape):
            self.items[place] = convert(known(copy[place]), self.type)


@dataclass(frozen=True, slots=True)
class Element:
    """One element of an array."""

    array: Array
    place: tuple[int, ...]

    @property
    def type(self) -> Type:
        return self.array.type

    @property
    def value(self) -> Value:
        return known(self.array.items[self.place])

    def assign(self, value: Any) -> None:
        self.array.items[self.place] = convert(scalar(value), self.type)


class _Whole(Protocol):
    @property
    def type(self) -> Type: ...
    @property
    def value(self) -> Value: ...
    def assign(self, value: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class BitsOf:
    """Bits of a number that a variable or an element of an array holds."""

    whole: _Whole
    places: tuple[int, ...]

    @property
    def value(self) -> Value:
        return bits_of(self.whole.value, self.places)

    def assign(self, value: Any) -> None:
        new = convert(scalar(value), Type("bit", len(self.places))).whole
        pattern = self.whole.value.pattern
        for index, place in enumerate(self.places):
            pattern = pattern & ~(1 << place) | (new >> index & 1) << place
        self.whole.assign(from_pattern(self.whole.type, pattern))


def known(value: Any) -> Value:
    if not isinstance(value, Value):
        raise Unspecified("an element without a value")
    return value


def scalar(found: Any) -> Value:
    """The value of what an expression gave, if it is one value."""
    value = found if isinstance(found, Value) else getattr(found, "value", None)
    if not isinstance(value, Value):
        raise Unspecified("a register of qubits or an array where a value is needed")
    return value


def bits_of(value: Value, places: Sequence[int]) -> Value:
    pattern = value.pattern
    picked = sum((pattern >> place & 1) << index for index, place in enumerate(places))
    return Value(Type("bit", len(places)), picked)
