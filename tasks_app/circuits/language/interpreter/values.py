"""What a name in an OpenQASM 3 program can stand for while the program is read."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError


@dataclass(frozen=True, slots=True)
class Qubits:
    """A quantum register, an alias or a slice."""

    items: tuple[Qubit, ...]


@dataclass(frozen=True, slots=True)
class Bits:
    """Classical bits whose value is known only while the circuit runs."""

    items: tuple[Clbit, ...]


@dataclass(frozen=True, slots=True)
class BitString:
    """The value of a literal like `"0101"`."""

    value: int
    width: int


@dataclass(frozen=True, slots=True)
class Duration:
    value: float
    unit: str


@dataclass(slots=True)
class Variable:
    """A classical variable: its value is known while the program is read, or kept in bits."""

    value: Any
    type: Any
    """Its declared type, a node of the syntax tree; `None` for what cannot be assigned."""
    depth: int = 0
    """Depth of run-time control flow where it was declared: what is assigned deeper is known at
    run time only."""
    loops: int = 0
    """Number of loops it was declared in: leaving one of them does not matter to it."""
    bits: tuple[Clbit, ...] = ()
    """Where its value is kept since a measurement decided it; `value` then stands for them."""


def copied(scopes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scopes with variables and arrays of their own."""
    arrays: dict[int, list[Any]] = {}  # What was one array stays one.

    def copy(value: Any) -> Any:
        if isinstance(value, Variable):
            return replace(value, value=copy(value.value))
        if not isinstance(value, list):
            return value
        if id(value) not in arrays:
            arrays[id(value)] = [copy(v) if isinstance(v, list) else v for v in value]
        return arrays[id(value)]

    return [{name: copy(value) for name, value in scope.items()} for scope in scopes]


def flat(value: Any) -> list[Any]:
    return list(value.items) if isinstance(value, Qubits | Bits) else [value]


class _Node(Protocol):
    @property
    def span(self) -> Any: ...


def failure(node: _Node | None, message: str, code: str = "invalid_program") -> CircuitError:
    """An error placed at a node of the syntax tree."""
    span = node.span if node is not None else None
    if span is None:
        return CircuitError(code, message)
    return CircuitError(code, message, line=span.start_line, column=span.start_column + 1)


def unsupported(node: _Node | None, feature: str) -> CircuitError:
    """The error for a part of the language, by name."""
    return failure(
        node, f"{feature} is not supported; write the circuit without it.", "unsupported_feature"
    )
