"""Statements that define and apply gates, and the other quantum operations."""

from collections.abc import Sequence
from typing import Any

from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Qubit

from tasks_app.circuits.language.interpreter import library
from tasks_app.circuits.language.interpreter.declarations import Declarations
from tasks_app.circuits.language.interpreter.library import GateSpec
from tasks_app.circuits.language.interpreter.values import Duration, Qubits, Variable, failure, flat


class GateStatements(Declarations):
    def _QuantumGateDefinition(self, node: ast.QuantumGateDefinition) -> None:
        if len(self._scopes) > 1:
            raise failure(node, "Gates can be defined at the top level only.")
        names = [item.name for item in [*node.arguments, *node.qubits]]
        if len(set(names)) < len(names):
            raise failure(node, "Two parameters of this gate have the same name.")
        made: dict[tuple[float, ...], tuple[Gate, int]] = {}

        def make(values: tuple[float, ...]) -> tuple[Gate, int]:
            if values not in made:
                made[values] = self._gate_body(node, values)
            return made[values]

        spec = GateSpec(len(node.arguments), len(node.qubits), make)
        self.define(node.name.name, spec, node)

    def _gate_body(
        self, node: ast.QuantumGateDefinition, values: tuple[float, ...]
    ) -> tuple[Gate, int]:
        definition = QuantumCircuit(len(node.qubits))
        outer = self.circuit, self._steps, self._depth, self._in_gate
        self.circuit, self._steps, self._depth, self._in_gate = definition, 0, 0, True
        try:
            with self._frame(node) as names:
                for argument, value in zip(node.arguments, values, strict=True):
                    names[argument.name] = Variable(value, None)
                for name, qubit in zip(node.qubits, definition.qubits, strict=True):
                    names[name.name] = qubit
                for statement in node.body:
                    self.execute(statement)
            size = max(self._steps, 1)
        finally:
            self.circuit, self._steps, self._depth, self._in_gate = outer
        # Qiskit and Aer know gates by their names: this one must not pass for one of theirs.
        gate = Gate(f"own_{node.name.name}", len(node.qubits), list(values))
        gate.definition = definition
        return gate, size

    def _QuantumGate(self, node: ast.QuantumGate) -> None:
        spec = self.gate_named(node.name.name, node)
        values = tuple(float(self._evaluate.number(argument)) for argument in node.arguments)
        self.check_arity(spec, node.name.name, len(values), node)
        if not node.modifiers:
            gate, size = spec.make(values)
        else:  # Qiskit may take milliseconds to make a controlled gate.
            key = spec, values, tuple(map(self._modifier, node.modifiers))
            if key not in self._made:
                self._made[key] = self._modified(*spec.make(values), node.modifiers)
            gate, size = self._made[key]
        operands = [self._operand(qubit) for qubit in node.qubits]
        self._apply(gate, size, operands, node)

    def gate_named(self, name: str, node: Any = None) -> GateSpec:
        spec = self.globals.get(name)
        if isinstance(spec, ast.SubroutineDefinition):
            raise failure(node, f"{name!r:.80} is a subroutine; call it as {name:.80}(...).")
        if not isinstance(spec, GateSpec):
            raise failure(
                node, f"The gate {name!r:.80} is not defined; include stdgates.inc or define it."
            )
        return spec

    def check_arity(self, spec: GateSpec, name: str, given: int, node: Any = None) -> None:
        if given != spec.parameters:
            raise failure(node, f"The gate {name} takes {spec.parameters} parameters, not {given}.")

    def _QuantumPhase(self, node: ast.QuantumPhase) -> None:
        angle = self._evaluate.number(node.argument)
        if not node.modifiers:
            if self._depth == 0:  # Elsewhere it cannot be seen, in no kind of circuit.
                self.circuit.global_phase += angle
            return
        gate, size = self._modified(library.global_phase(angle), 1, node.modifiers)
        operands = [self._operand(qubit) for qubit in node.qubits]
        if gate.num_qubits:
            self._apply(gate, size, operands, node)
        elif self._depth == 0:
            self.circuit.global_phase += gate.definition.global_phase

    def _modified(
        self, gate: Gate, size: int, modifiers: Sequence[ast.QuantumGateModifier]
    ) -> tuple[Gate, int]:
        for modifier in reversed(modifiers):
            kind, number = self._modifier(modifier)
            if kind is ast.GateModifierName.inv:
                gate = gate.inverse()
            elif kind is ast.GateModifierName.pow:
                size *= max(int(abs(number)), 1)
                self.count_steps(size, modifier)
                gate = library.power(gate, number)
            else:
                if not 1 <= number <= self._limits.max_qubits:
                    raise failure(modifier, "The number of controls must be at least 1.")
                on = kind is ast.GateModifierName.ctrl
                gate = library.controlled(gate, int(number), on=on)
        return gate, size

    def _modifier(self, modifier: ast.QuantumGateModifier) -> tuple[ast.GateModifierName, float]:
        kind, argument = modifier.modifier, modifier.argument
        if argument is None:
            return kind, 1
        if kind is ast.GateModifierName.pow:
            return kind, self._evaluate.number(argument)
        return kind, self._evaluate.integer(argument)

    def _apply(self, gate: Gate, size: int, operands: list[Any], node: Any) -> None:
        for qubits in broadcast(operands, gate.num_qubits, node):
            self.count_steps(size, node)
            self.circuit.append(gate, qubits)

    def _QuantumBarrier(self, node: ast.QuantumBarrier) -> None:
        qubits = [qubit for item in node.qubits for qubit in flat(self._operand(item))]
        self.circuit.barrier(list(dict.fromkeys(qubits)) or self.circuit.qubits)

    def _QuantumReset(self, node: ast.QuantumReset) -> None:
        self._forbid_in_gate(node)
        for qubit in flat(self._operand(node.qubits)):
            self.circuit.reset(qubit)

    def _DelayInstruction(self, node: ast.DelayInstruction) -> None:
        duration = self._evaluate.value(node.duration)
        if not isinstance(duration, Duration):
            raise failure(node, "A delay needs a duration.")
        qubits = [q for item in node.qubits for q in flat(self._operand(item))]
        for qubit in qubits or self.circuit.qubits:
            # Without a noise model that decays, time has no effect.
            self.circuit.delay(0, qubit)

    def _Box(self, node: ast.Box) -> None:
        with self._scope():
            self._run_block(node.body)


def broadcast(operands: Sequence[Any], width: int, node: Any = None) -> list[tuple[Qubit, ...]]:
    """The qubits of each application of a gate of `width` qubits."""
    if len(operands) != width:
        raise failure(node, f"The gate takes {width} qubits, not {len(operands)}.")
    lengths = {len(item.items) for item in operands if isinstance(item, Qubits)}
    if len(lengths) > 1:
        raise failure(node, "The registers have different lengths.")
    times = lengths.pop() if lengths else 1
    columns = [item.items if isinstance(item, Qubits) else (item,) * times for item in operands]
    applications = list(zip(*columns, strict=True))
    for qubits in applications:
        if len(set(qubits)) < len(qubits):
            raise failure(node, "A gate cannot take the same qubit twice.")
    return applications
