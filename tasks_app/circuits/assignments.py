"""Statements that write classical values: measurements and assignments."""

from __future__ import annotations

from typing import Any

from openqasm3 import ast
from qiskit.circuit import CircuitInstruction, Clbit, Measure, Qubit
from qiskit.circuit.classical import expr

from tasks_app.circuits import runtime
from tasks_app.circuits.program_state import ProgramState
from tasks_app.circuits.values import (
    Bits,
    BitString,
    Variable,
    failure,
    flat,
    unsupported,
)

_MEASURE = Measure()


class Assignments(ProgramState):
    def _QuantumMeasurementStatement(self, node: ast.QuantumMeasurementStatement) -> None:
        self._forbid_in_gate(node)
        if node.target is None:
            self._measure_hidden(node.measure)
            return
        target = self._target(node.target)
        if isinstance(target, Variable):
            self._assign(node.target, self._measure_hidden(node.measure), node)
            return
        self.measure(self._operand(node.measure.qubit), target, node)

    def measure(self, source: Any, target: Any, node: Any = None) -> None:
        self._forbid_in_gate(node)
        qubits, bits = flat(source), flat(target)
        if not isinstance(target, Bits | Clbit):
            raise failure(node, "A measurement is written to a bit or a bit register.")
        if len(qubits) != len(bits):
            raise failure(node, f"{len(qubits)} qubits are measured to {len(bits)} bits.")
        self.count_steps(len(bits), node)
        for qubit, bit in zip(qubits, bits, strict=True):
            if self._builders:
                self.circuit.measure(qubit, bit)
            else:  # The same, without checks made above.
                self.circuit._append(CircuitInstruction(_MEASURE, (qubit,), (bit,)))

    def _measure_hidden(self, node: ast.QuantumMeasurement) -> Any:
        self._forbid_in_gate(node)
        source = self._operand(node.qubit)
        size = None if isinstance(source, Qubit) else len(source.items)
        bits = self._hidden_bits(size, node)
        self.measure(source, bits, node)
        return bits

    def _ClassicalAssignment(self, node: ast.ClassicalAssignment) -> None:
        value = self._initial(node.rvalue)
        if node.op.name != "=":
            operation = ast.BinaryOperator[node.op.name.removesuffix("=")]
            left: Any = node.lvalue  # An indexed identifier is no expression to the type checker.
            combined = ast.BinaryExpression(op=operation, lhs=left, rhs=node.rvalue)
            combined.span = node.span
            value = self._evaluate.value(combined)
        self._assign(node.lvalue, value, node)

    def _assign(self, lvalue: Any, value: Any, node: Any) -> None:
        target = self._target(lvalue)
        if not isinstance(target, Variable):
            self._store(target, value, node)
            return
        if target.type is None:
            raise failure(node, "A constant cannot be assigned to.")
        if self._undecided(target.depth):
            raise unsupported(node, "Assigning a variable where a measurement decides")
        if isinstance(lvalue, ast.IndexedIdentifier):
            self._assign_element(target, lvalue, value, node)
            return
        value = self._evaluate.coerce(value, target.type, node)
        if runtime.is_runtime(value):
            for scope in reversed(self._scopes):
                if scope.get(lvalue.name) is target:
                    scope[lvalue.name] = self._snapshot(value, node)
                    return
        target.value = value

    def _assign_element(
        self, target: Variable, lvalue: ast.IndexedIdentifier, value: Any, node: Any
    ) -> None:
        if not isinstance(target.type, ast.ArrayType) or runtime.is_runtime(value):
            raise unsupported(node, "Assigning a part of this variable")
        places: list[Any] = []
        for index in lvalue.indices:
            places += index.values if isinstance(index, ast.DiscreteSet) else index
        array = target.value
        for place in places[:-1]:
            array = self._evaluate.index(array, [place], node)
        last = self._evaluate.integer(places[-1])
        if not isinstance(array, list) or not -len(array) <= last < len(array):
            raise failure(node, f"Index {last} is outside the array.")
        if isinstance(array[last], list):
            raise unsupported(node, "Assigning a part of an array")
        array[last] = self._evaluate.coerce(value, target.type.base_type, node)

    def _target(self, node: Any) -> Any:
        """What is assigned to: bits, or the variable."""
        name = node.name if isinstance(node, ast.IndexedIdentifier) else node
        found = self._lookup(name)
        if isinstance(found, Variable):
            return found
        return self._evaluate.value(node)

    def _initial(self, node: Any) -> Any:
        if isinstance(node, ast.QuantumMeasurement):
            return self._measure_hidden(node)
        return self._evaluate.value(node)

    def _snapshot(self, value: Any, node: Any) -> Any:
        """Keep a run-time value in hidden bits, where later measurements do not change it."""
        size = len(value.items) if isinstance(value, Bits) else None
        if isinstance(value, expr.Expr) and hasattr(value.type, "width"):
            size = value.type.width
        bits = self._hidden_bits(size, node)
        self._store(bits, value, node)
        return bits

    def _store(self, target: Any, value: Any, node: Any) -> None:
        self._forbid_in_gate(node)
        if not isinstance(target, Bits | Clbit):
            raise failure(node, "This cannot be assigned to.")
        bits = flat(target)
        if isinstance(target, Bits) and isinstance(value, expr.Expr):
            if target.register is None or getattr(value.type, "width", None) != len(bits):
                raise unsupported(node, "Assigning this expression to bits")
            self.circuit.store(expr.lift(target.register), value)
            return
        sources: list[Any]
        if isinstance(value, Bits | Clbit):
            sources = flat(value)
            if len(sources) != len(bits):
                raise failure(node, f"{len(sources)} bits are assigned to {len(bits)}.")
            if len(bits) > 1 and set(sources) & set(bits):
                raise unsupported(node, "Assigning a bit register to a part of itself")
        elif isinstance(value, expr.Expr):
            sources = [runtime.condition(value)]
        else:
            if isinstance(value, BitString):
                if value.width != len(bits):
                    raise failure(node, f"{value.width} bits are assigned to {len(bits)}.")
                value = value.value
            if not isinstance(value, int) or not 0 <= value < 2 ** len(bits):
                raise failure(node, f"The value does not fit {len(bits)} bits.")
            sources = [bool(value >> place & 1) for place in range(len(bits))]
        for bit, source in zip(bits, sources, strict=True):
            self.count_steps(1, node)
            self.circuit.store(bit, expr.lift(source))
