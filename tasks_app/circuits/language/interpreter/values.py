"""What a name in an OpenQASM 3 program can stand for while the program is read."""

import math
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError

MACHINE_BITS = 64  # Of a type without a size.


@dataclass(frozen=True, slots=True)
class Type:
    """The type of one value: bool, bit, int, uint, float, angle or duration.

    A single `bit` has the width 0, to be told from a register of one.
    """

    kind: str
    width: int = 0

    def __str__(self) -> str:
        return f"{self.kind}[{self.width}]" if self.width else self.kind


BOOL, BIT = Type("bool"), Type("bit")
INT, UINT = Type("int", MACHINE_BITS), Type("uint", MACHINE_BITS)


@dataclass(frozen=True, slots=True)
class Word:
    """A number of a type that has a width.

    `number` is the bit pattern of `bit` and `angle`. A `bool`, a single bit, a `float[64]` and
    what is written as a whole number in the program are values of Python's.
    """

    type: Type
    number: Any

    @property
    def pattern(self) -> int:
        """Its bits in two's complement."""
        return int(self.number) & ((1 << self.type.width) - 1)

    @property
    def real(self) -> float:
        """The number as a gate's parameter takes it."""
        if self.type.kind == "angle":
            return math.ldexp(self.number, -self.type.width) * math.tau
        return float(self.number)


def wrapped(declared: Type, number: int) -> Word:
    """The value of a type with bits that has the lowest bits of this number."""
    number &= (1 << declared.width) - 1
    if declared.kind == "int" and number >> (declared.width - 1):
        number -= 1 << declared.width
    return Word(declared, number)


@dataclass(frozen=True, slots=True)
class Qubits:
    """A quantum register, an alias or a slice."""

    items: tuple[Qubit, ...]


@dataclass(frozen=True, slots=True)
class Bits:
    """Classical bits that hold the outcomes of measurements: a register, an alias or a slice."""

    items: tuple[Clbit, ...]


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in nanoseconds, or in the steps of the hardware (`dt`) or of a stretch."""

    length: float
    unit: str = "ns"


@dataclass(slots=True)
class Array:
    """`items` is a NumPy array of values, and a view where it stands for a part of another."""

    type: Type
    items: Any
    depth: int = 0
    readonly: bool = False


@dataclass(slots=True)
class Variable:
    """A classical variable or constant."""

    value: Any
    type: Type | None = None
    constant: bool = False
    depth: int = 0
    """Depth of run-time control flow where it was declared: what is assigned deeper is known at
    run time only."""


def as_register(value: Any) -> Any:
    """A qubit or a bit as a register of one; anything else as it is."""
    if isinstance(value, Qubit):
        return Qubits((value,))
    return Bits((value,)) if isinstance(value, Clbit) else value


def bits(number: int, width: int) -> tuple[bool, ...]:
    """The lowest first."""
    return tuple(bool(number >> place & 1) for place in range(width))


def flat(value: Any) -> list[Any]:
    return list(value.items) if isinstance(value, Qubits | Bits) else [value]


def width_of(counted: Any) -> int:
    """The bits that a register or an output has in an outcome."""
    if not isinstance(counted, Variable):
        return len(flat(counted))
    return counted.value.type.width if isinstance(counted.value, Word) else 1


def failure(
    message: str, code: str = "invalid_program", *, at: ast.QASMNode | None = None
) -> CircuitError:
    """An error at a node of the syntax tree, else at the one that is being executed."""
    error = CircuitError(code, message)
    if at is not None:
        locate(error, at)
    return error


def unsupported(
    feature: str, instead: str = "write the circuit without it", *, at: ast.QASMNode | None = None
) -> CircuitError:
    """The error for a part of the language, by name."""
    return failure(f"{feature} is not supported; {instead}.", "unsupported_feature", at=at)


def locate(error: CircuitError, node: ast.QASMNode) -> None:
    """Say where an error is, unless it is said already."""
    if error.line is None and node.span is not None:
        error.line, error.column = node.span.start_line, node.span.start_column + 1
