"""Run a compiled circuit on Aer, and count."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit

from tasks_app.circuits.errors import result_too_large
from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation.aer import SEED_STEP, Angles, execute
from tasks_app.circuits.simulation.compile import Compiled


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: dict[str, int]
    memory: list[str] | None


def run(
    compiled: Compiled,
    angles: Sequence[Angles],
    *,
    shots: int,
    seed: int,
    memory: bool,
    threads: int,
    limits: Limits,
) -> list[Outcome]:
    """What is counted for each of the angles. Raises CircuitError."""
    if not compiled.registers:
        return [Outcome({}, [] if memory else None)] * len(angles)
    if compiled.noise is not None:
        compiled = _with_all_bits(compiled)
    drawn = compiled.sampling
    data = execute(
        drawn.circuit if drawn else compiled.circuit,
        angles,
        method=compiled.method,
        seed=seed,
        threads=threads,
        limits=limits,
        shots=1 if drawn else shots,
        memory=memory and not drawn,
        noise_model=compiled.noise,
        enable_truncation=compiled.truncate,
    )
    outcome = formatter(compiled)
    outcomes = []
    for i, each in enumerate(data):
        if drawn:
            keys, lines = drawn.draw(
                each["probabilities"], shots=shots, seed=seed + i * SEED_STEP, memory=memory
            )
        else:
            keys, lines = each["counts"], each.get("memory", [])
        check_size(len(keys) + len(lines), compiled.circuit.num_clbits, limits)
        counts: dict[str, int] = {}
        for key, times in keys.items():
            # Outcomes that differ in hidden bits only are one.
            counts[outcome(key)] = counts.get(outcome(key), 0) + times
        outcomes.append(Outcome(counts, list(map(outcome, lines)) if memory else None))
    return outcomes


def _with_all_bits(compiled: Compiled) -> Compiled:
    """The circuit with a measured bit as its last one.

    In Aer 0.18, noise leaves a circuit no memory for bits beyond the last one that is measured.
    """
    circuit = compiled.circuit
    measured = _measured(circuit)
    if not measured or circuit.clbits[-1] in measured:
        return compiled
    last = next(bit for bit in reversed(circuit.clbits) if bit in measured)
    bits = [*(bit for bit in circuit.clbits if bit is not last), last]
    ordered = QuantumCircuit(circuit.qubits, bits, *circuit.cregs)
    for instruction in circuit.data:
        ordered._append(instruction)
    places = {bit: place for place, bit in enumerate(bits)}
    registers = tuple(
        tuple(places[circuit.clbits[place]] for place in register)
        for register in compiled.registers
    )
    return replace(compiled, circuit=ordered, registers=registers)


def _measured(circuit: QuantumCircuit) -> set[Clbit]:
    found: set[Clbit] = set()
    for instruction in circuit.data:
        if instruction.name == "measure":
            found.update(instruction.clbits)
        elif instruction.is_control_flow():
            for block in instruction.operation.blocks:
                inner = _measured(block)
                pairs = zip(block.clbits, instruction.clbits, strict=True)
                found.update(outer for bit, outer in pairs if bit in inner)
    return found


def check_size(outcomes: int, width: int, limits: Limits) -> None:
    """Refuse a result before its strings are made."""
    if outcomes * width > limits.max_result_bytes:
        raise result_too_large(limits.max_result_bytes)


def formatter(compiled: Compiled) -> Callable[[str], str]:
    """From a key of Aer to one as Qiskit prints it: the last bit leftmost, registers apart.

    A bit outside registers stands apart, which Qiskit's own formatting drops.
    """
    width = compiled.circuit.num_clbits
    registers = compiled.registers
    if len(registers) == 1 and registers[0] == tuple(range(width)):
        return lambda key: f"{int(key, 16):0{width}b}"
    pickers = [_picker([width - 1 - i for i in reversed(r)]) for r in reversed(registers)]

    def outcome(key: str) -> str:
        bits = f"{int(key, 16):0{width}b}"
        return " ".join(pick(bits) for pick in pickers)

    return outcome


def _picker(places: list[int]) -> Callable[[str], str]:
    if places == list(range(places[0], places[-1] + 1)):
        return lambda bits: bits[places[0] : places[-1] + 1]
    return lambda bits: "".join(_at(bits, places))


def _at(bits: str, places: Iterable[int]) -> Iterable[str]:
    return (bits[place] for place in places)
