"""A circuit of Qiskit's, checked, with its own gates and its counted loops written out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    CASE_DEFAULT,
    AnnotatedOperation,
    BoxOp,
    CircuitInstruction,
    ControlFlowOp,
    ControlledGate,
    Delay,
    ForLoopOp,
    Gate,
    IfElseOp,
    Instruction,
    ParameterExpression,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit._classical_resource_map import VariableMapper
from qiskit.circuit.classical import expr
from qiskit.circuit.library import (
    Initialize,
    StatePreparation,
    UnitaryGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info.operators.predicates import is_unitary_matrix

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language import logic
from tasks_app.circuits.language.interpreter import measured

_OWN = (Gate, Instruction, ControlledGate)  # Classes of gates that bring their definition.
_STANDARD = get_standard_gate_name_mapping()
_Bits = Mapping[Any, Any]


class Flattening:
    """Raises CircuitError for what is out of order, and what Qiskit raises for what it finds so."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._operations = 0
        self.waits = False
        """Whether the circuit has a delay."""

    def circuit(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Gates of Qiskit's, measurements and control flow only."""
        self._whole = circuit.copy_empty_like()
        self._write(circuit, self._whole, {bit: bit for bit in (*circuit.qubits, *circuit.clbits)})
        return self._whole

    def _write(self, part: QuantumCircuit, target: QuantumCircuit, bits: _Bits) -> None:
        """`bits`: those of the whole that stand for the part's, also in the blocks within.

        A block that was read from a file has bits of its own, which the simulator would not know.
        """
        _check_variables(part)
        mapper = VariableMapper(self._whole.cregs, bits, add_register=self._whole.add_register)
        for instruction in part.data:
            qubits = [bits[qubit] for qubit in instruction.qubits]
            clbits = [bits[clbit] for clbit in instruction.clbits]
            self._count(1)
            if len(set(qubits)) < len(qubits):
                raise _invalid(f"{instruction.name} has the same qubit twice")
            placed = instruction.replace(qubits=qubits, clbits=clbits)
            if placed.is_standard_gate() and placed.name != "unitary":
                _add_standard(target, placed)
            else:
                self._add_other(target, placed, mapper)

    def _add_other(
        self, target: QuantumCircuit, instruction: CircuitInstruction, mapper: VariableMapper
    ) -> None:
        operation = _whole(instruction.operation, instruction.label)
        width = len(instruction.qubits), len(instruction.clbits)
        if (operation.num_qubits, operation.num_clbits) != width:
            raise _invalid(f"{operation.name} has another number of qubits or bits")
        match operation:
            case BoxOp():
                self._inline(operation.body, target, instruction)
                return
            case ForLoopOp() if not _may_break(operation.blocks[0]):
                self._unroll(operation, target, instruction)
                return
            case Instruction() if type(operation) in (*_OWN, Initialize):
                self._inline(_definition(operation), target, instruction)
                return
            case ControlFlowOp():
                operation = self._control_flow(operation, instruction, mapper, target)
                # Aer does what is in a block without qubits whether or not it is its turn.
                instruction = instruction.replace(qubits=_qubits(instruction, target))
            case Delay():
                self.waits = True
            case Store():
                operation = logic.store(*map(mapper.map_expr, operation.params))
            case AnnotatedOperation():
                operation = self._annotated(operation)
            case UnitaryGate() if not is_unitary_matrix(operation.to_matrix()):
                raise _invalid("a matrix is not unitary")
        target._append(instruction.replace(operation=operation))

    def _control_flow(
        self,
        operation: ControlFlowOp,
        instruction: CircuitInstruction,
        mapper: VariableMapper,
        outer: QuantumCircuit,
    ) -> ControlFlowOp:
        blocks = [self._block(block, instruction, outer) for block in operation.blocks]
        match operation:
            case IfElseOp() | WhileLoopOp():
                condition = mapper.map_condition(operation.condition)
                if isinstance(condition, expr.Expr):
                    condition = logic.condition(condition)
                return type(operation)(condition, *blocks)
            case SwitchCaseOp():
                labels = [labels for labels, _ in operation.cases_specifier()]
                cases = list(zip(labels, blocks, strict=True))
                target = mapper.map_target(operation.target)
                if isinstance(target, expr.Expr) or logic.is_wide(target):
                    return _branches(expr.lift(target), cases)
                return SwitchCaseOp(target, cases)
        values, variable, _ = operation.params  # It is a loop over these.
        self._count(len(values) * len(blocks[0].data))
        return ForLoopOp(values, variable, *blocks)

    def _block(
        self, block: QuantumCircuit, instruction: CircuitInstruction, outer: QuantumCircuit
    ) -> QuantumCircuit:
        target = QuantumCircuit(_qubits(instruction, outer), list(instruction.clbits))
        self._inline(block, target, instruction)
        return target

    def _inline(
        self, part: QuantumCircuit, target: QuantumCircuit, instruction: CircuitInstruction
    ) -> None:
        inner, outer = (*part.qubits, *part.clbits), (*instruction.qubits, *instruction.clbits)
        self._write(part, target, dict(zip(inner, outer, strict=True)))
        target.global_phase += part.global_phase

    def _unroll(
        self, loop: ForLoopOp, target: QuantumCircuit, instruction: CircuitInstruction
    ) -> None:
        values, variable, body = loop.params
        self._count(len(values))
        bound = variable in body.parameters
        for value in values:
            each = body.assign_parameters({variable: value}) if bound else body
            self._inline(each, target, instruction)

    def _annotated(self, operation: AnnotatedOperation) -> AnnotatedOperation:
        """Its base must not have a name that is known as another gate."""
        base = _whole(operation.base_op, None)
        if isinstance(base, StatePreparation):
            raise CircuitError(
                "unsupported_feature",
                "QPY does not say whether a StatePreparation with modifiers is an inverse; send "
                "the circuit decomposed.",
            )
        if isinstance(base, AnnotatedOperation):
            base = self._annotated(base)
        elif type(base) in _OWN:
            inside = Flattening(self._limits)
            inside._operations = self._operations
            base = inside.circuit(_definition(base)).copy(name="base").to_gate()
            self._operations = inside._operations
        return AnnotatedOperation(base, operation.modifiers)

    def _count(self, more: int) -> None:
        self._operations += more
        if self._operations > self._limits.max_operations:
            raise CircuitError(
                "too_many_operations",
                f"Written out, the circuit has more than {self._limits.max_operations:,} "
                "operations; use fewer iterations or gates.",
            )


def _whole(operation: Instruction, label: str | None) -> Instruction:
    """With what a file forgets of it."""
    match operation:
        case StatePreparation() if (label or "").endswith(" Dg"):  # So Qiskit labels inverses.
            return operation.inverse()
        case ControlledGate() if type(operation).__name__ == "MCXVChain":  # Whether on clean ones.
            circuit, controls = QuantumCircuit(operation.num_qubits), operation.num_ctrl_qubits
            circuit.mcx(list(range(controls)), controls, ctrl_state=operation.ctrl_state)
            return circuit.to_gate()
    return operation


def _qubits(instruction: CircuitInstruction, outer: QuantumCircuit) -> list[Any]:
    """Those of a block; one of the part around it where it has none."""
    return list(instruction.qubits or outer.qubits[:1])


def _add_standard(target: QuantumCircuit, instruction: CircuitInstruction) -> None:
    name, angles = instruction.name, instruction.params
    standard = _STANDARD[name]
    if (len(instruction.qubits), len(angles)) != (standard.num_qubits, len(standard.params)):
        raise _invalid(f"{name} has another number of qubits or angles")
    for angle in angles:
        if not isinstance(angle, ParameterExpression) and not math.isfinite(angle):
            raise _invalid(f"an angle of {name} is not finite")
    if name == "global_phase":
        target.global_phase += angles[0]
    else:  # Without a label, which noise would take for the name.
        gate, qubits = standard._standard_gate, instruction.qubits
        target._append(CircuitInstruction.from_standard(gate, qubits, angles))


def _branches(target: expr.Expr, cases: Sequence[tuple[Any, QuantumCircuit]]) -> IfElseOp:
    """A switch as a chain of branches, of which the last comes first here."""
    value, chain = logic.value(target), None
    for labels, block in reversed(cases):
        if CASE_DEFAULT in labels:
            chain = IfElseOp(expr.lift(True), block)
            continue
        rest = None
        if chain is not None:
            rest = block.copy_empty_like()
            rest.global_phase = 0
            rest.append(chain, rest.qubits, rest.clbits)
        chain = IfElseOp(expr.lift(measured.any_equal(value, labels)), block, rest)
    assert chain is not None, "a switch has cases"
    return chain


def _definition(operation: Instruction) -> QuantumCircuit:
    if operation.definition is None:
        raise CircuitError(
            "unsupported_feature",
            f"The circuit has an instruction {operation.name!r:.80} that has no definition and "
            "is none of Qiskit's gates. To save a state, ask for outputs or observables.",
        )
    return operation.definition


def _may_break(body: QuantumCircuit) -> bool:
    return any(
        instruction.name in ("break_loop", "continue_loop")
        or (instruction.is_control_flow() and any(map(_may_break, instruction.operation.blocks)))
        for instruction in body.data
    )


def _check_variables(circuit: QuantumCircuit) -> None:
    if circuit.num_vars or circuit.num_stretches:
        raise CircuitError(
            "unsupported_feature",
            "Classical variables are not supported in QPY; send the circuit as OpenQASM 3, where "
            "they are.",
        )


def _invalid(what: str) -> CircuitError:
    return CircuitError("invalid_qpy", f"The QPY file is not in order: {what:.200}.")
