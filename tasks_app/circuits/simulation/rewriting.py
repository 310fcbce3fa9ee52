"""Circuits changed to what the simulator takes, or takes sooner, without changing what they say."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Clbit, Gate, ParameterExpression, Qubit

from tasks_app.circuits.language.interpreter.registers import TIE

_WAITS = ("barrier", "delay")
NOISELESS = "part of a gate"
"""The label of a gate that has no noise. Aer takes the label of a gate for its name."""
Registers = tuple[tuple[int, ...], ...]
"""Indices of the bits of each."""


def used(circuit: QuantumCircuit) -> set[object]:
    """Qubits that anything acts on."""
    found: set[object] = set()
    for instruction in circuit.data:
        if instruction.name not in _WAITS:
            found.update(instruction.qubits)
    return found


def parts(circuit: QuantumCircuit) -> Iterator[QuantumCircuit]:
    """The circuit, and the blocks of control flow in it."""
    yield circuit
    if circuit.has_control_flow_op():
        for instruction in circuit.data:
            if instruction.is_control_flow():
                for block in instruction.operation.blocks:
                    yield from parts(block)


def operation_names(circuit: QuantumCircuit) -> set[str]:
    """Names of all operations, those inside control flow included."""
    return {name for part in parts(circuit) for name in part.count_ops()}


def instructions(
    circuit: QuantumCircuit, outer: Sequence[Qubit] = ()
) -> Iterator[CircuitInstruction]:
    """Those inside control flow in its place, on qubits of the circuit.

    `outer`: what stands for the qubits of a block.
    """
    place_of = dict(zip(circuit.qubits, outer, strict=False))
    for each in circuit.data:
        if place_of:
            each = each.replace(qubits=[place_of[qubit] for qubit in each.qubits])
        if each.is_control_flow():
            for block in each.operation.blocks:
                yield from instructions(block, each.qubits)
        else:
            yield each


def without_ties(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit as its user wrote it, whose blocks nothing keeps in their order in Aer."""
    kept = circuit.copy_empty_like()
    for each in circuit.data:
        if each.name != "barrier" or each.operation.label != TIE:
            kept._append(_with_blocks(each, without_ties))
    return kept


def _with_blocks(
    instruction: CircuitInstruction, changed: Callable[[QuantumCircuit], QuantumCircuit]
) -> CircuitInstruction:
    """The instruction with its blocks changed, if it has any."""
    if not instruction.is_control_flow():
        return instruction
    blocks = map(changed, instruction.operation.blocks)
    return instruction.replace(operation=instruction.operation.replace_blocks(blocks))


def without_idle_qubits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit on the qubits that anything acts on.

    Aer leaves idle qubits out by itself, but with control flow it also leaves out what the
    control flow needs ("Invalid jump destination", "unordered_map::at" in Aer 0.18).
    """
    busy = used(circuit)
    return circuit if len(busy) == circuit.num_qubits else on_qubits(circuit, busy)


def on_qubits(circuit: QuantumCircuit, wanted: Container[object]) -> QuantumCircuit:
    """The circuit on some of its qubits, without what acts on others."""
    qubits = [bit for bit in circuit.qubits if bit in wanted]
    kept = QuantumCircuit(qubits, circuit.clbits, *circuit.cregs)
    for instruction in circuit.data:
        if all(bit in wanted for bit in instruction.qubits):
            kept._append(instruction)
    return kept


def without_first_resets(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without resets of qubits that nothing has acted on.

    They change nothing, but for one reset Aer runs the whole circuit anew for each shot. Qiskit's
    pass for it leaves those behind a barrier.
    """
    fresh = set(circuit.qubits)
    kept = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name == "reset" and instruction.qubits[0] in fresh:
            continue
        if instruction.name not in _WAITS:
            fresh.difference_update(instruction.qubits)
        kept._append(instruction)
    return kept


def with_phase_as_gates(circuit: QuantumCircuit, *, wanted: bool) -> QuantumCircuit:
    """Without a global phase that waits for parameters, which Aer 0.18 gives to the wrong run."""
    phase = circuit.global_phase
    if not isinstance(phase, ParameterExpression):
        return circuit
    circuit = circuit.copy()
    circuit.global_phase = 0
    if not wanted:  # Nothing else tells of it.
        return circuit
    first = circuit.copy_empty_like()
    first.rz(-2 * phase, 0)  # Of a qubit that is 0 that is all it does.
    return first.compose(circuit)


def with_noise_once(circuit: QuantumCircuit, known: Container[str]) -> QuantumCircuit:
    """The circuit with gates on one or two qubits in parts of which one has the noise of the gate.

    Which one is all the same: depolarization commutes with whatever acts on its qubits.
    """

    def changed(block: QuantumCircuit) -> QuantumCircuit:
        return with_noise_once(block, known)

    kept = circuit.copy_empty_like()
    for each in circuit.data:
        if not each.is_standard_gate() or each.name in known or len(each.qubits) > 2:
            kept._append(_with_blocks(each, changed))
            continue
        name = each.name
        for part in _in_parts(each, known):
            noisy = name != NOISELESS and len(part.qubits) == len(each.qubits)
            kept._append(part.replace(operation=_labelled(part, name if noisy else NOISELESS)))
            name = NOISELESS if noisy else name
    return kept


def _in_parts(
    instruction: CircuitInstruction, known: Container[str]
) -> Iterator[CircuitInstruction]:
    if instruction.name in known:
        yield instruction
        return
    definition = instruction.operation.definition
    place_of = dict(zip(definition.qubits, instruction.qubits, strict=True))
    for each in definition.data:
        yield from _in_parts(each.replace(qubits=[place_of[q] for q in each.qubits]), known)


def _labelled(instruction: CircuitInstruction, label: str) -> Gate:
    gate = instruction.operation.to_mutable()
    gate.label = label
    return gate


def with_overwritten_apart(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with one more bit for what is measured into a bit that is measured again, unread.

    Where Aer 0.18 samples such a bit it misreads it for each of its measurements.
    """
    apart, written, overwritten = Clbit(), set[Clbit](), False
    kept = []
    for instruction in reversed(circuit.data):
        if instruction.name == "measure":
            (bit,) = instruction.clbits
            if bit in written:
                overwritten, instruction = True, instruction.replace(clbits=[apart])
            written.add(bit)
        elif instruction.name == "store":  # It does not tell what it reads.
            written.clear()
        else:
            written.difference_update(instruction.clbits)
        kept.append(instruction)
    if not overwritten:
        return circuit
    changed = circuit.copy_empty_like()
    changed.add_bits([apart])
    for instruction in reversed(kept):
        changed._append(instruction)
    return changed


def with_a_measurement(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit, into one more bit if it has none: Aer counts nothing without."""
    if "measure" in operation_names(circuit):
        return circuit
    circuit = circuit.copy()
    circuit.add_bits([Clbit()])
    circuit.measure(0, -1)
    return circuit


def with_measured_bit_last(
    circuit: QuantumCircuit, registers: Registers
) -> tuple[QuantumCircuit, Registers]:
    """The circuit and its registers with a measured bit as the last one.

    In Aer 0.18, noise leaves a circuit no memory for bits beyond the last one that is measured.
    """
    measures = (each for each in instructions(circuit) if each.name == "measure")
    measured = {bit for each in measures for bit in each.clbits}
    if not measured or circuit.clbits[-1] in measured:
        return circuit, registers
    last = next(bit for bit in reversed(circuit.clbits) if bit in measured)
    bits = [*(bit for bit in circuit.clbits if bit is not last), last]
    ordered = QuantumCircuit(circuit.qubits, bits, *circuit.cregs)
    for instruction in circuit.data:
        ordered._append(instruction)
    places = {bit: place for place, bit in enumerate(bits)}
    moved = tuple(
        tuple(places[circuit.clbits[place]] for place in register) for register in registers
    )
    return ordered, moved


@dataclass(frozen=True, slots=True)
class Ending:
    """A circuit before the measurements at its end."""

    circuit: QuantumCircuit
    measured: dict[Clbit, Qubit]
    """What those measure, in their order."""
    qubits: Sequence[Qubit]
    """What the program's qubits are there."""
    others: list[str]
    """Names of what it has besides gates, the last first: its shots may end differently."""


def without_final_measurements(circuit: QuantumCircuit, *, waits: bool = False) -> Ending:
    """A measurement is final if nothing comes after it on its qubit or its bit.

    `waits`: with barriers and delays before it, which matter to what compiles or decays.
    """
    measured: dict[Clbit, Qubit] = {}
    touched: set[Qubit | Clbit] = set()
    kept, others = [], []
    for instruction in reversed(circuit.data):
        if instruction.name in _WAITS:
            if waits:
                kept.append(instruction)
            continue
        bits = {*instruction.qubits, *instruction.clbits}
        if instruction.name == "measure" and touched.isdisjoint(bits):
            measured[instruction.clbits[0]] = qubit = instruction.qubits[0]
            if waits:
                kept = [each for each in kept if qubit not in each.qubits]
        else:
            kept.append(instruction)
            if not isinstance(instruction.operation, Gate):
                others.append(instruction.name)
        touched |= bits
    ending = circuit.copy_empty_like()
    for instruction in reversed(kept):
        ending._append(instruction)
    return Ending(ending, dict(reversed(measured.items())), circuit.qubits, others)
