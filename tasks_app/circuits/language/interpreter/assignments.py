"""Statements that write classical values: measurements and assignments."""

from collections.abc import Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import CircuitInstruction, Clbit, Measure, Qubit
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.state import ProgramState
from tasks_app.circuits.language.interpreter.syntax import assigned
from tasks_app.circuits.language.interpreter.values import (
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
        self._measured = qubits[-1]
        for qubit, bit in zip(qubits, bits, strict=True):
            if self._builders:
                self.circuit.measure(qubit, bit)
            else:  # The same, without checks made above.
                self.circuit._append(CircuitInstruction(_MEASURE, (qubit,), (bit,)))

    def _measure_hidden(self, node: ast.QuantumMeasurement) -> Any:
        self._forbid_in_gate(node)
        source = self._operand(node.qubit)
        bits = self._lend_bits(len(flat(source)), node)
        target = bits[0] if isinstance(source, Qubit) else Bits(bits)
        self.measure(source, target, node)
        return target

    def _ClassicalAssignment(self, node: ast.ClassicalAssignment) -> None:
        # An indexed identifier is no expression to the type checker.
        target: Any = node.lvalue
        if node.op.name == "=":
            value = self._initial(node.rvalue)
        else:
            if isinstance(target, ast.IndexedIdentifier):
                target = ast.IndexedIdentifier(target.name, self._settled(target.indices))
                target.span = node.lvalue.span
            operation = ast.BinaryOperator[node.op.name.removesuffix("=")]
            combined = ast.BinaryExpression(op=operation, lhs=target, rhs=node.rvalue)
            combined.span = node.span
            value = self._evaluate.value(combined)
        self._assign(target, value, node)

    def _settled(self, index: Any) -> Any:
        """The index as literals, which can be read twice."""
        if isinstance(index, list):
            return [self._settled(part) for part in index]
        if isinstance(index, ast.DiscreteSet):
            settled: Any = ast.DiscreteSet(self._settled(index.values))
        elif isinstance(index, ast.RangeDefinition):
            ends = (index.start, index.end, index.step)
            settled = ast.RangeDefinition(*(end and self._settled(end) for end in ends))
        else:
            settled = ast.IntegerLiteral(self._evaluate.integer(index))
        settled.span = index.span
        return settled

    def _assign(self, lvalue: Any, value: Any, node: Any) -> None:
        target = self._target(lvalue)
        if not isinstance(target, Variable):
            self._store(target, value, node)
            return
        if target.type is None:
            raise failure(node, "A constant cannot be assigned to.")
        undecided = self._undecided(target.depth, target.loops)
        if isinstance(lvalue, ast.IndexedIdentifier):
            if undecided:
                raise unsupported(node, "Assigning a part where a measurement decides")
            self._assign_element(target, lvalue, value, node)
            return
        value = self._evaluate.coerce(value, target.type, node)
        if not measured.is_runtime(value) and not target.bits and not undecided:
            target.value = value
            return
        if undecided and not self._is_kept(target, node):
            raise unsupported(node, "Assigning this variable where a measurement decides")
        self._keep_variable(target, node)
        self._store_all(target.bits, measured.resized(value, len(target.bits)), node)

    def _is_kept(self, variable: Variable, node: Any) -> bool:
        """Whether the variable has a bit for each of its own, so that any value can be stored."""
        return bool(variable.bits) and len(variable.bits) == self._width(variable.type, node)

    def _width(self, declared: Any, node: Any) -> int:
        return 1 if isinstance(declared, ast.BoolType) else self._evaluate.width(declared, node)

    def _keep_variable(self, variable: Variable, node: Any) -> None:
        """From here on a measurement decides the value."""
        if self._is_kept(variable, node):
            return
        width = self._width(variable.type, node)
        bits = self._hidden_bits(width, node)
        self._store_bits(bits, measured.resized(variable.value, width), node)
        self._lent += variable.bits
        variable.bits = bits
        if isinstance(variable.type, ast.BoolType):
            variable.value = bits[0]
        else:
            signed = isinstance(variable.type, ast.IntType)
            variable.value = measured.Word(bits if signed else (*bits, False))

    def _keep_assigned(self, block: Sequence[Any]) -> None:
        """Before a block that a measurement decides: keep in bits the variables it assigns to."""
        for name in sorted(assigned(block)):
            found = next((s[name] for s in reversed(self._scopes) if name in s), None)
            kinds = (ast.IntType, ast.UintType, ast.BoolType)
            if isinstance(found, Variable) and isinstance(found.type, kinds):
                self._keep_variable(found, None)

    def _variable(self, value: Any, declared: Any, node: Any) -> Variable:
        """A new variable with a value of its type, which later measurements do not change."""
        if not measured.is_runtime(value):
            return Variable(value, declared, self._depth, len(self._loops))
        parts = value.bits if isinstance(value, measured.Word) else (value,)
        unknown = [part for part in parts if not isinstance(part, bool)]
        bits = self._hidden_bits(len(unknown), node)
        self._store_bits(bits, unknown, node)
        kept = iter(bits)
        copy = tuple(part if isinstance(part, bool) else next(kept) for part in parts)
        held = measured.Word(copy) if isinstance(value, measured.Word) else copy[0]
        return Variable(held, declared, self._depth, len(self._loops), bits)

    def _assign_element(
        self, target: Variable, lvalue: ast.IndexedIdentifier, value: Any, node: Any
    ) -> None:
        if not isinstance(target.type, ast.ArrayType) or measured.is_runtime(value):
            name = lvalue.name.name
            raise unsupported(node, f"Assigning a part of the variable {name!r:.80}")
        places: list[Any] = []
        for index in lvalue.indices:
            places += index.values if isinstance(index, ast.DiscreteSet) else index
        array = target.value
        for place in places[:-1]:
            array = self._evaluate.index(array, [place], node)
        last = self._evaluate.integer(places[-1])
        if not isinstance(array, list) or not -len(array) <= last < len(array):
            raise failure(node, f"Index {last} is outside the array.")
        shape = target.type.dimensions[len(places) :]
        if isinstance(array[last], list) and not shape:
            raise unsupported(node, "Assigning a part of this array")
        array[last] = self._evaluate.array(value, target.type, shape, node)

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

    def _store(self, target: Any, value: Any, node: Any) -> None:
        self._forbid_in_gate(node)
        if not isinstance(target, Bits | Clbit):
            raise failure(node, "This cannot be assigned to.")
        bits = flat(target)
        values: Sequence[Any]
        if isinstance(value, Bits | Clbit):
            values = flat(value)
            if len(values) != len(bits):
                raise failure(node, f"{len(values)} bits are assigned to {len(bits)}.")
        elif measured.is_runtime(value):
            values = measured.resized(value, len(bits))
        else:
            if isinstance(value, BitString):
                if value.width != len(bits):
                    raise failure(node, f"{value.width} bits are assigned to {len(bits)}.")
                value = value.value
            if not isinstance(value, int) or not 0 <= value < 2 ** len(bits):
                raise failure(node, f"The value does not fit {len(bits)} bits.")
            values = measured.resized(value, len(bits))
        self._store_all(bits, values, node)

    def _store_all(self, bits: Sequence[Clbit], values: Sequence[Any], node: Any) -> None:
        """Store as if at once: no value sees a bit already stored."""
        read: set[Any] = set()
        for bit, value in zip(reversed(bits), reversed(values), strict=True):
            if bit in read:  # By the value of a higher bit, which is stored later.
                values = [part if isinstance(part, bool) else self._keep(part) for part in values]
                break
            read.update(var.var for var in expr.iter_vars(expr.lift(value)))
        self._store_bits(bits, values, node)
