"""What a program has declared so far: names in their scopes, registers, and its size."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Clbit, Gate, QuantumRegister, Qubit
from qiskit.circuit.classical import expr

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter import constants, library
from tasks_app.circuits.language.interpreter.expressions import Evaluator
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    Qubits,
    Variable,
    failure,
    flat,
    unsupported,
)

_BITS = (Qubit, Qubits, Clbit, Bits)
_MAX_CALLS = 100  # Calls of subroutines and gates inside one another.
_LOOP_RAN_AWAY = "The program unrolls to more than {:,} operations; use fewer iterations or gates."


@dataclass(slots=True)
class Loop:
    block: Sequence[Any]
    depth: int
    unrolled: bool = True
    wrapped: bool = False
    iteration_wrapped: bool = False
    flag: Clbit | None = None
    """Says while the circuit runs that the loop was left from within a wrapped iteration."""
    left: bool = False
    """A measurement may have left the loop."""
    skipping: bool = False
    """A measurement may have ended the iteration."""


class ProgramState:
    """Names, registers and counters. Statements are methods of the classes built on this one."""

    def __init__(self, limits: Limits, inputs: Mapping[str, Any]) -> None:
        self.circuit = QuantumCircuit()
        self.globals: dict[str, Any] = {"U": library.U}
        self.outputs: list[Any] = []
        """Bits declared `output`: if there are any, only these are counted."""
        self.hidden: set[Clbit] = set()
        """Bits the program has no name for at its end; they are not counted."""
        self._limits = limits
        self._inputs = dict(inputs)
        self._used_inputs: set[str] = set()
        self._scopes = [self.globals]
        self._evaluate = Evaluator(self._lookup, self._call_subroutine, self._keep)
        self._steps = 0
        self._called = 0  # Subroutines, so far.
        self._depth = 0  # Of control flow that a measurement decides.
        self._builders = 0  # Blocks of the circuit under construction, which need its own methods.
        self._calls = 0
        self._in_gate = False
        self._loops: list[Loop] = []
        self._returns: list[int] = []  # Depth at which each subroutine was called.
        self._made: dict[Any, tuple[Gate, int]] = {}  # Gates with their modifiers.
        self._library_names: set[str] = set()
        self._measured: Qubit | None = None  # The last one that was.
        self._free: list[Clbit] = []  # Hidden bits that nothing uses any more.
        self._lent: list[Clbit] = []  # Hidden bits of the statements under way.

    def execute(self, node: Any) -> None:
        """Raises CircuitError, or ProgramEnd."""
        self.count_steps(1, node)
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            kind = re.sub("(?<=.)([A-Z])", r" \1", type(node).__name__).lower()
            raise unsupported(node, f"A statement of the kind {kind!r}")
        lent = len(self._lent)
        method(node)  # A return leaves by an exception, and its value is still needed.
        self._free += self._lent[lent:]
        del self._lent[lent:]

    def _run_block(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            self.execute(statement)

    def finish(self) -> None:
        """Check what can be checked only at the end of the program."""
        if unknown := sorted(self._inputs.keys() - self._used_inputs):
            raise CircuitError(
                "invalid_parameters", f"The circuit declares no input named {unknown[0]!r:.80}."
            )

    def count_steps(self, steps: int, node: Any = None) -> None:
        self._steps += steps
        if self._steps > self._limits.max_operations:
            message = _LOOP_RAN_AWAY.format(self._limits.max_operations)
            raise failure(node, message, "too_many_operations")

    def define(self, name: str, value: Any, node: Any) -> None:
        scope = self._scopes[-1]
        if name in scope and not (scope is self.globals and name in self._library_names):
            raise failure(node, f"The name {name!r:.80} is already taken.")
        scope[name] = value
        if scope is self.globals:  # A name of the user's hides one of a library.
            self._library_names.discard(name)

    def _lookup(self, node: ast.Identifier) -> Any:
        for scope in reversed(self._scopes):
            if node.name in scope:
                found = scope[node.name]
                if self._in_gate and scope is self.globals and isinstance(found, _BITS):
                    raise failure(node, "The body of a gate sees no qubit but its own.")
                return found
        if node.name in constants.CONSTANTS:
            return constants.CONSTANTS[node.name]
        if node.name.startswith("$") and node.name[1:].isdecimal() and not self._in_gate:
            return self._physical_qubit(node)
        raise failure(node, f"The name {node.name!r:.80} is not defined.")

    def _physical_qubit(self, node: ast.Identifier) -> Qubit:
        index = int(node.name[1:][:12])
        self._check_size(self.circuit.num_qubits, index + 1, self._limits.max_qubits, node)
        for place in range(index + 1):
            if f"${place}" not in self.globals:
                qubit = Qubit()
                self.circuit.add_bits([qubit])
                self.globals[f"${place}"] = qubit
        return self.globals[f"${index}"]

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self._scopes.append({})
        try:
            yield
        finally:
            self._release(self._scopes.pop())

    def _release(self, scope: dict[str, Any]) -> None:
        for found in scope.values():
            if isinstance(found, Variable):
                self._free += found.bits

    @contextmanager
    def _frame(self, node: Any) -> Iterator[dict[str, Any]]:
        """The scope of a body that sees nothing of its caller but what is global."""
        if self._calls >= _MAX_CALLS:
            raise failure(node, f"More than {_MAX_CALLS} calls are nested.", "too_deeply_nested")
        saved, self._scopes = self._scopes, [self.globals, {}]
        self._calls += 1
        try:
            yield self._scopes[-1]
        finally:
            self._release(self._scopes[-1])
            self._scopes = saved
            self._calls -= 1

    def include(self, filename: str) -> None:
        gates = library.LIBRARY_GATES[filename]
        new = gates.keys() - self.globals.keys()
        self.globals.update(gates if len(new) == len(gates) else {n: gates[n] for n in new})
        self._library_names |= new

    def declare_qubits(self, name: str, size: int | None, node: Any = None) -> None:
        """`size` is `None` for a single qubit."""
        if len(self._scopes) > 1:
            raise failure(node, "Qubits can be declared at the top level only.")
        self._check_size(
            self.circuit.num_qubits, 1 if size is None else size, self._limits.max_qubits, node
        )
        if size is None:
            qubit = Qubit()
            self.define(name, qubit, node)
            self.circuit.add_bits([qubit])
            return
        register = QuantumRegister(size, _register_name(name, self.circuit.qregs))
        self.define(name, Qubits(tuple(register)), node)
        self.circuit.add_register(register)

    def _size(self, declared: Any) -> int | None:
        """The size of a type; `None` if it has none."""
        return None if declared.size is None else self._evaluate.integer(declared.size)

    def declare_bits(self, name: str, size: int | None, node: Any = None) -> Any:
        """`size` is `None` for a single bit."""
        value = self._new_bits(name, size, node)
        self.define(name, value, node)
        return value

    def _new_bits(self, name: str, size: int | None, node: Any) -> Any:
        self._forbid_in_gate(node)
        self._check_size(
            self.circuit.num_clbits, 1 if size is None else size, self._limits.max_clbits, node
        )
        if size is None:
            bit = Clbit()
            self.circuit.add_bits([bit])
            value: Any = bit
        else:
            register = ClassicalRegister(size, _register_name(name, self.circuit.cregs))
            self.circuit.add_register(register)
            value = Bits(tuple(register))
        if len(self._scopes) > 1:
            self.hidden.update(flat(value))
        return value

    def _hidden_bits(self, count: int, node: Any) -> tuple[Clbit, ...]:
        """Bits the program has no name for."""
        self._forbid_in_gate(node)
        if (more := count - len(self._free)) > 0:
            self._check_size(self.circuit.num_clbits, more, self._limits.max_clbits, node)
            bits = [Clbit() for _ in range(more)]
            self.circuit.add_bits(bits)
            self.hidden.update(bits)
            self._free += bits
        return tuple(self._free.pop() for _ in range(count))

    def _lend_bits(self, count: int, node: Any) -> tuple[Clbit, ...]:
        """Hidden bits until the statement under way ends."""
        bits = self._hidden_bits(count, node)
        self._lent += bits
        return bits

    def _keep(self, value: Any) -> Clbit:
        (bit,) = self._lend_bits(1, None)
        self._store_bits((bit,), (value,), None)
        return bit

    def _store_bits(self, bits: Sequence[Clbit], values: Sequence[Any], node: Any) -> None:
        for bit, value in zip(bits, values, strict=True):
            self.count_steps(1, node)
            self.circuit.store(bit, expr.lift(value))

    def _check_size(self, have: int, more: int, allowed: int, node: Any) -> None:
        if more < 1:
            raise failure(node, "A register needs at least one element.")
        if have + more > allowed:
            kind = "qubits" if allowed == self._limits.max_qubits else "classical bits"
            code = "too_many_qubits" if kind == "qubits" else "too_many_clbits"
            raise failure(
                node, f"{have + more:,} {kind} are declared, {allowed:,} are allowed.", code
            )

    def _operand(self, node: Any) -> Any:
        value = self._evaluate.value(node)
        if not isinstance(value, Qubit | Qubits):
            raise failure(node, "A qubit or quantum register is needed here.")
        return value

    def _forbid_in_gate(self, node: Any) -> None:
        if self._in_gate:
            raise failure(node, "The body of a gate holds gates only.")

    def _undecided(self, depth: int, loops: int = 0) -> bool:
        """Whether a measurement decides if control comes here from inside so many blocks."""
        return self._depth > depth or any(
            loop.left or loop.skipping for loop in self._loops[loops:]
        )

    def _call_subroutine(self, node: ast.FunctionCall) -> Any:
        raise NotImplementedError


def _register_name(name: str, taken: Sequence[Any]) -> str:
    names = {register.name for register in taken}
    if name not in names:
        return name
    return next(f"{name}_{n}" for n in range(len(names) + 1) if f"{name}_{n}" not in names)
