"""A circuit of Qiskit's, checked, with its own gates and its counted loops written out."""

import math

from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    BoxOp,
    CircuitInstruction,
    ControlFlowOp,
    ControlledGate,
    ForLoopOp,
    Gate,
    Instruction,
    ParameterExpression,
)
from qiskit.circuit.library import Initialize, get_standard_gate_name_mapping
from qiskit.quantum_info.operators.predicates import is_unitary_matrix

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits

_OWN = (Gate, Instruction, ControlledGate)  # Classes of gates that bring their definition.
_STANDARD = get_standard_gate_name_mapping()
_BREAKS = frozenset(("break_loop", "continue_loop"))


class Flattening:
    """Raises CircuitError for what is out of order, and what Qiskit raises for what it finds so."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._operations = 0
        self._written: dict[int, tuple[QuantumCircuit, QuantumCircuit]] = {}

    def circuit(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Gates of Qiskit's, measurements and control flow only."""
        _check_variables(circuit)
        flat = circuit.copy_empty_like()
        for instruction in circuit.data:
            self._add(flat, instruction)
        return flat

    def _add(self, flat: QuantumCircuit, instruction: CircuitInstruction) -> None:
        self._count(1)
        name, qubits = instruction.name, instruction.qubits
        if len(set(qubits)) < len(qubits):
            raise _invalid(f"{name} has the same qubit twice")
        if name == "unitary" or not instruction.is_standard_gate():
            self._add_other(flat, instruction)
            return
        standard = _STANDARD[name]
        if len(qubits) != standard.num_qubits or len(instruction.params) != len(standard.params):
            raise _invalid(f"{name} has another number of qubits or angles")
        for angle in instruction.params:
            if not isinstance(angle, ParameterExpression) and not math.isfinite(angle):
                raise _invalid(f"an angle of {name} is not finite")
        if name == "global_phase":
            flat.global_phase += instruction.params[0]
        else:
            flat._append(instruction)

    def _add_other(self, flat: QuantumCircuit, instruction: CircuitInstruction) -> None:
        operation, qubits, clbits = instruction.operation, instruction.qubits, instruction.clbits
        if (operation.num_qubits, operation.num_clbits) != (len(qubits), len(clbits)):
            raise _invalid(f"{operation.name} has another number of qubits or bits")
        if isinstance(operation, ForLoopOp):
            self._add_loop(flat, operation, instruction)
        elif isinstance(operation, BoxOp):
            self._put(flat, self.circuit(operation.body), instruction)
        elif isinstance(operation, ControlFlowOp):
            blocks = [self.circuit(block) for block in operation.blocks]
            flat._append(instruction.replace(operation=operation.replace_blocks(blocks)))
        elif type(operation) in _OWN or isinstance(operation, Initialize):
            self._put(flat, self._definition(operation), instruction)
        else:
            if isinstance(operation, AnnotatedOperation):
                operation = self._annotated(operation)
            elif operation.name == "unitary" and not is_unitary_matrix(operation.to_matrix()):
                raise _invalid("a matrix is not unitary")
            flat._append(instruction.replace(operation=operation))

    def _definition(self, operation: Instruction) -> QuantumCircuit:
        """Written out once for all that share it: their number may grow with every level."""
        definition = operation.definition
        if definition is None:
            raise CircuitError(
                "unsupported_feature",
                f"The circuit has an instruction {operation.name!r:.80} that has no definition and "
                "is none of Qiskit's gates. To save a state, ask for outputs or observables.",
            )
        if id(definition) not in self._written:
            self._written[id(definition)] = definition, self.circuit(definition)
        return self._written[id(definition)][1]

    def _annotated(self, operation: AnnotatedOperation) -> AnnotatedOperation:
        """Its base must not have a name that is known as another gate."""
        base = operation.base_op
        if isinstance(base, AnnotatedOperation):
            base = self._annotated(base)
        elif type(base) in _OWN:
            base = self._definition(base).copy(name="base").to_gate()
        return AnnotatedOperation(base, operation.modifiers)

    def _add_loop(
        self, flat: QuantumCircuit, loop: ForLoopOp, instruction: CircuitInstruction
    ) -> None:
        values, variable, body = loop.params
        body = self.circuit(body)
        self._count(len(values) * max(len(body.data), 1))
        if not _BREAKS.isdisjoint(_names(body)):
            loop = ForLoopOp(values, variable, body)
            flat._append(instruction.replace(operation=loop))
            return
        for value in values:
            bound = (
                body.assign_parameters({variable: value}) if variable in body.parameters else body
            )
            self._put(flat, bound, instruction)

    def _put(
        self, flat: QuantumCircuit, part: QuantumCircuit, instruction: CircuitInstruction
    ) -> None:
        self._count(len(part.data))
        flat.compose(part, instruction.qubits, instruction.clbits, inplace=True, copy=False)

    def _count(self, more: int) -> None:
        self._operations += more
        if self._operations > self._limits.max_operations:
            raise CircuitError(
                "too_many_operations",
                f"Written out, the circuit has more than {self._limits.max_operations:,} "
                "operations; use fewer iterations or gates.",
            )


def _names(circuit: QuantumCircuit) -> set[str]:
    names = set(circuit.count_ops())
    for instruction in circuit.data:
        if instruction.is_control_flow():
            for block in instruction.operation.blocks:
                names |= _names(block)
    return names


def _check_variables(circuit: QuantumCircuit) -> None:
    if circuit.num_vars or circuit.num_stretches:
        raise CircuitError(
            "unsupported_feature",
            "Classical variables are not supported in QPY; send the circuit as OpenQASM 3, where "
            "they are.",
        )


def _invalid(what: str) -> CircuitError:
    return CircuitError("invalid_qpy", f"The QPY file is not in order: {what:.200}.")
