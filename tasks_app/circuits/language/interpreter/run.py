"""One run of a program: statements are executed, and expressions evaluated, by their kinds."""

import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import MAX_DIMENSIONS
from tasks_app.circuits.language.interpreter import arithmetic, measured
from tasks_app.circuits.language.interpreter.conversion import as_parameter, assigned
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.registers import Registers
from tasks_app.circuits.language.interpreter.values import (
    BIT,
    BOOL,
    MACHINE_BITS,
    Bits,
    Qubits,
    Type,
    failure,
    locate,
    unsupported,
)

_OLD = (
    ast.BranchingStatement,
    ast.QuantumBarrier,
    ast.QuantumGate,
    ast.QuantumGateDefinition,
    ast.QuantumMeasurementStatement,
    ast.QuantumPhase,
    ast.QuantumReset,
)
_HANDLERS: dict[type, Callable[["Run", Any], Any]] = {}


def handles(*kinds: type) -> Callable[[Callable[["Run", Any], Any]], Any]:
    """Registers the function that executes statements, or evaluates expressions, of these kinds."""

    def register(function: Callable[["Run", Any], Any]) -> Any:
        _HANDLERS.update(dict.fromkeys(kinds, function))
        return function

    return register


class Leave(Exception):
    """A statement was reached that leaves the block it is in."""


class ProgramEnd(Leave):
    """It was `end`."""


class Run(Registers):
    """`execute` takes a program's statements one by one."""

    def execute(self, node: Any) -> None:
        """Raises CircuitError, Steered or ProgramEnd."""
        try:
            self.count_steps(1)
            _handler(node, "A statement")(self, node)
            if self.old:
                _check_old(node)
        except CircuitError as error:
            locate(error, node)
            raise
        except Steered:
            if not self.old:
                raise
            raise failure("OpenQASM 2 reads measured values in `if` only.", at=node) from None

    def run_block(self, statements: Sequence[Any]) -> None:
        for each in statements:
            self.execute(each)

    def evaluate(self, node: Any) -> Any:
        """What an expression stands for; bits and qubits stay references."""
        try:
            return _handler(node, "An expression")(self, node)
        except CircuitError as error:
            locate(error, node)
            raise

    # Kinds of value that statements ask of expressions.

    def value(self, node: Any) -> Any:
        """Known, or for the simulator to find."""
        return self.read(self.evaluate(node))

    def known(self, node: Any) -> Any:
        """A value that no circuit can find at run time. Raises Steered for any other."""
        return _known(self.value(node))

    def parameter(self, node: Any) -> Any:
        """A finite number, as a gate takes it; perhaps deferred."""
        return as_parameter(self.known(node))

    def integer(self, node: Any) -> int:
        return arithmetic.exact(self.known(node))

    def condition(self, node: Any) -> Any:
        """A bool, or an expression for the simulator."""
        return measured.condition(self.value(node))

    def operand(self, node: Any) -> Any:
        """A qubit, or a quantum register."""
        found = self.evaluate(node)
        if isinstance(found, Clbit | Bits):
            raise failure(f"A qubit is needed here; {name_of(node):.80} is classical.", at=node)
        if not isinstance(found, Qubit | Qubits):
            raise failure("A qubit or quantum register is needed here.", at=node)
        return found

    # Types.

    def coerced(self, found: Any, declared: Type) -> Any:
        """The value as an assignment to this type makes it."""
        found = self.read(found)
        if not measured.is_runtime(found):
            return assigned(found, declared)
        if declared == BOOL:
            return measured.condition(found)
        bits = measured.bits_of(found)
        if declared.kind == "bit" and len(bits) == max(declared.width, 1):
            return found
        if declared.kind == "uint" and len(bits) <= declared.width:
            return measured.Signal((*bits, *[False] * (declared.width - len(bits))))
        raise Steered

    def held(self, found: Any, declared: Type) -> Any:
        """The value as a variable of this type holds it, which is known. Raises Steered."""
        return _known(self.coerced(found, declared))

    def size_of(self, declared: Any) -> int | None:
        """The size of a type; `None` if it has none."""
        return None if declared.size is None else self.integer(declared.size)

    def type_of(self, node: Any) -> Type:
        """The type that a node of the syntax tree names."""
        kind = type(node).__name__.removesuffix("Type").lower()
        if kind == "bool":
            return BOOL
        if kind in ("duration", "stretch"):
            return Type("duration")
        if kind not in ("bit", "int", "uint", "float", "angle"):
            raise unsupported(f"A variable of type {kind}", "write it with real numbers")
        width = self.size_of(node)
        if width is None:
            return BIT if kind == "bit" else Type(kind, MACHINE_BITS)
        most = 65_536 if kind == "bit" else 1_024
        if not 1 <= width <= most:
            raise failure(f"A value of type {kind} has 1 to {most:,} bits.")
        if kind == "float" and width not in (16, 32, 64):
            raise unsupported(f"float[{width}]", "a float has 16, 32 or 64 bits")
        return Type(kind, width)

    def array_type(self, node: ast.ArrayType) -> tuple[Type, tuple[int, ...]]:
        """The type of its elements, and its shape, which counts as that many steps."""
        base = self.type_of(node.base_type)
        shape = tuple(map(self.integer, node.dimensions))
        if min(shape) < 1:
            raise failure("An array needs at least one element in each dimension.")
        if len(shape) > MAX_DIMENSIONS:
            raise failure(f"An array has at most {MAX_DIMENSIONS} dimensions.")
        self.count_steps(prod(shape))
        return base, shape


def _handler(node: Any, what: str) -> Callable[[Run, Any], Any]:
    if type(node) not in _HANDLERS:
        kind = re.sub("(?<=.)([A-Z])", r" \1", type(node).__name__).lower()
        raise unsupported(f"{what} of the kind {kind!r}")
    return _HANDLERS[type(node)]


def name_of(node: Any) -> str:
    """Of a register or a variable, or of what a part is taken of."""
    named = node.name if isinstance(node, ast.IndexedIdentifier) else node
    return getattr(named, "name", "this")


def _known(found: Any) -> Any:
    if measured.is_runtime(found):
        raise Steered
    return found


def _check_old(node: Any) -> None:
    """Refuse what OpenQASM 2 does not have, once it is known to have no other error."""
    if node.annotations or getattr(node, "modifiers", None) or not isinstance(node, _OLD):
        text = "This is no statement of OpenQASM 2; begin with OPENQASM 3.0;"
        raise failure(text, "syntax_error")
