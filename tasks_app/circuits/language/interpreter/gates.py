"""Statements that define and apply gates, and the other quantum operations."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Gate, Qubit
from qiskit.circuit.library import CUGate

from tasks_app.circuits.language.interpreter import library
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure
from tasks_app.circuits.language.interpreter.deferred import Decides, decided
from tasks_app.circuits.language.interpreter.library import WITHOUT_INCLUDE, GateSpec
from tasks_app.circuits.language.interpreter.run import Run, handles
from tasks_app.circuits.language.interpreter.values import Duration, Qubits, Variable, failure, flat


@handles(ast.QuantumGateDefinition)
def _definition(run: Run, node: ast.QuantumGateDefinition) -> None:
    parameters, qubits = [each.name for each in node.arguments], [each.name for each in node.qubits]
    define(run, node.name.name, parameters, qubits, lambda run: run.run_block(node.body))


def define(
    run: Run,
    name: str,
    parameters: Sequence[str],
    qubits: Sequence[str],
    execute: Callable[[Run], None],
) -> None:
    """Define a gate of the program's own; `execute` runs the statements of its body."""
    if len(run.scopes) > 1:
        raise failure("Gates can be defined at the top level only.")
    if name in run.used:  # The bodies before would become others.
        raise failure(f"The gate {name!r:.80} of a library was used before; define yours first.")
    if len({*parameters, *qubits}) < len(parameters) + len(qubits):
        raise failure("Two parameters of this gate have the same name.")

    def make(run: Run, values: tuple[Any, ...]) -> tuple[Gate, int]:
        key = execute, values
        if key not in run.made:
            with run.frame() as names, run.counting() as counted:
                for parameter, given in zip(parameters, values, strict=True):
                    names[parameter] = Variable(given, constant=True)
                definition = _body(run, qubits, execute)
                size = counted()
            # Qiskit and Aer know gates by their names: this one must not pass for one of theirs.
            gate = Gate(f"own_{name}", len(qubits), run.angles(values))
            gate.definition = definition
            run.made[key] = gate, size
        return run.made[key]  # type: ignore[no-any-return]

    run.define(name, GateSpec(len(parameters), len(qubits), make))
    _try(run, lambda: make(run, (1.0,) * len(parameters)))


def _try(run: Run, make: Callable[[], Any]) -> None:
    """See if a gate has a meaning. The circuit may never have what waits for an input in it."""
    steps, kept = run.tape.length, [(table, len(table)) for table in (run.deferred, run.made)]
    with suppress(ArithmeticFailure, Decides):  # Other values, or no use, do without.
        make()
    if run.tape.length > steps:
        run.tape.cut(steps)
        for table, length in kept:
            while len(table) > length:
                table.popitem()


def _body(run: Run, qubits: Sequence[str], execute: Callable[[Run], None]) -> QuantumCircuit:
    """The circuit of the statements of a gate's body."""
    outer = run.circuit, run.depth, run.in_gate
    run.circuit, run.depth, run.in_gate = QuantumCircuit(len(qubits)), 0, True
    run.scopes[-1].update(zip(qubits, run.circuit.qubits, strict=True))
    try:
        execute(run)
        return run.circuit
    finally:
        run.circuit, run.depth, run.in_gate = outer


@handles(ast.QuantumGate)
def _gate(run: Run, node: ast.QuantumGate) -> None:
    spec = named(run, node.name.name)
    values = tuple(run.parameter(argument) for argument in node.arguments)
    if len(values) != spec.parameters:
        raise failure(
            f"The gate {node.name.name:.80} takes {spec.parameters} parameters, not {len(values)}.",
        )
    if node.modifiers:
        modifiers = tuple(_modifier(run, each) for each in node.modifiers)
        key = spec, values, modifiers
        if key not in run.made:  # Qiskit may take milliseconds to make a controlled gate.
            gate, size = spec.make(run, values)
            if spec.phase is not None:
                gate = library.with_phase(gate, spec.phase(*run.angles(values)))
            run.made[key] = _modified(run, gate, size, modifiers)
        spec = _made(*run.made[key])
    apply(run, spec, values, _applications(run, node, spec.qubits))


def _made(gate: Gate, size: int) -> GateSpec:
    return GateSpec(0, gate.num_qubits, lambda run, values: (gate, size))


def _applications(run: Run, node: Any, width: int) -> list[tuple[Qubit, ...]]:
    return broadcast([run.operand(qubit) for qubit in node.qubits], width)


def apply(
    run: Run,
    spec: GateSpec,
    values: tuple[Any, ...],
    applications: Sequence[tuple[Qubit, ...]],
) -> None:
    """Put the gate of these values on some qubits, once for each application."""
    angles = run.angles(values)
    gate, size = (None, 1) if spec.standard is not None else spec.make(run, values)
    run.count_steps(size * len(applications))
    for qubits in applications:
        run.put(
            CircuitInstruction.from_standard(spec.standard, qubits, angles)
            if gate is None
            else CircuitInstruction(gate, qubits)
        )
    if spec.phase is not None and run.in_gate:
        run.circuit.global_phase += len(applications) * spec.phase(*angles)


def named(run: Run, name: str) -> GateSpec:
    spec = run.globals.get(name)
    if spec is None:
        spec = run.library.get(name)
        run.used.add(name)
    if spec is None and name in WITHOUT_INCLUDE:
        spec = run.library[name] = WITHOUT_INCLUDE[name]
        run.without_include.append(name)
    if isinstance(spec, ast.SubroutineDefinition):
        raise failure(f"{name!r:.80} is a subroutine; call it as {name:.80}(...).")
    if not isinstance(spec, GateSpec):
        raise failure(
            f"The gate {name!r:.80} is not defined; define it before, or look at its name."
        )
    return spec


@handles(ast.QuantumPhase)
def _phase(run: Run, node: ast.QuantumPhase) -> None:
    (angle,) = run.angles((run.parameter(node.argument),))
    run.note_beyond("gphase")
    modifiers = tuple(_modifier(run, each) for each in node.modifiers)
    gate, size = _modified(run, library.global_phase(angle), 1, modifiers)
    if gate.num_qubits:
        apply(run, _made(gate, size), (), _applications(run, node, gate.num_qubits))
    elif run.in_gate or (run.depth == 0 and run.paths is None):  # Elsewhere it cannot be seen.
        run.circuit.global_phase += gate.definition.global_phase


def _modified(
    run: Run, gate: Gate, size: int, modifiers: Sequence[tuple[ast.GateModifierName, float]]
) -> tuple[Gate, int]:
    for kind, argument in reversed(modifiers):
        if kind is ast.GateModifierName.inv:
            gate = gate.inverse()
        elif kind is ast.GateModifierName.pow:
            size *= max(int(abs(argument)), 1)
            run.count_steps(size)
            gate = library.power(gate, argument)
        else:
            if not 1 <= argument <= run.limits.max_qubits:
                raise failure("The number of controls must be at least 1.")
            if isinstance(gate, CUGate):  # Qiskit forgets its phase when that gate is changed.
                gate = library.with_phase(gate, 0)
            state = 2 ** int(argument) - 1 if kind is ast.GateModifierName.ctrl else 0
            gate = gate.control(int(argument), ctrl_state=state, annotated=False)
    return gate, size


def _modifier(run: Run, modifier: ast.QuantumGateModifier) -> tuple[ast.GateModifierName, float]:
    kind, argument = modifier.modifier, modifier.argument
    if argument is None:
        return kind, 1
    if kind is ast.GateModifierName.pow:
        return kind, float(run.parameter(argument))
    return kind, run.integer(argument)


@handles(ast.QuantumBarrier)
def _barrier(run: Run, node: ast.QuantumBarrier) -> None:
    run.barrier([qubit for item in node.qubits for qubit in flat(run.operand(item))])


@handles(ast.QuantumReset)
def _reset(run: Run, node: ast.QuantumReset) -> None:
    run.reset(run.operand(node.qubits))


@handles(ast.DelayInstruction)
def _delay(run: Run, node: ast.DelayInstruction) -> None:
    duration = decided(run.value(node.duration))
    if not isinstance(duration, Duration):
        raise failure("A delay needs a duration.")
    if not 0 <= duration.length < math.inf:
        raise failure("A delay takes a finite time, and none less than 0.")
    qubits = [qubit for item in node.qubits for qubit in flat(run.operand(item))]
    if run.paths is not None:  # There, nothing decays.
        return
    length, unit = _length(duration)
    for qubit in qubits or run.circuit.qubits:
        run.circuit.delay(length, qubit, unit)


def _length(duration: Duration) -> tuple[float, str]:
    if duration.unit == "dt":
        return round(duration.length), "dt"
    # How long a stretch is, only the hardware knows.
    return 0 if duration.unit == "stretch" else round(duration.length, 6), "ns"


def broadcast(operands: Sequence[Any], width: int) -> list[tuple[Qubit, ...]]:
    """The qubits of each application of a gate of `width` qubits."""
    if len(operands) != width:
        raise failure(f"The gate takes {width} qubits, not {len(operands)}.")
    lengths = {len(item.items) for item in operands if isinstance(item, Qubits)}
    if len(lengths) > 1:
        raise failure("The registers have different lengths.")
    times = lengths.pop() if lengths else 1
    columns = [item.items if isinstance(item, Qubits) else (item,) * times for item in operands]
    applications = list(zip(*columns, strict=True))
    for qubits in applications:
        if len(set(qubits)) < len(qubits):
            raise failure("A gate cannot take the same qubit twice.")
    return applications
