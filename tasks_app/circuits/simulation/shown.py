"""The compiled circuit, as text and as a drawing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation.aer import real
from tasks_app.circuits.simulation.conditions import NotWritten
from tasks_app.circuits.simulation.drawing import Drawing
from tasks_app.circuits.simulation.export import Export
from tasks_app.circuits.simulation.rewriting import parts, without_ties


def show(
    program: Program,
    compiled: QuantumCircuit,
    values: Mapping[Parameter, Any],
    *,
    hardware: Sequence[int],
    max_bytes: int,
) -> dict[str, Any]:
    """`values`: of its parameters, or what to call them; `hardware`: the numbers of its qubits on
    a device. Raises CircuitError if it is too large.
    """
    with real("An angle"):
        circuit = without_ties(compiled).assign_parameters(values, strict=False)
    bits = program.circuit.clbits
    registers = [[bits[index] for index in register] for register in program.registers]
    names = _all_names(program, compiled)
    for qubit, number in zip(compiled.qubits, hardware, strict=False):
        names[qubit] = f"${number}", None
    try:
        text = Export(circuit, registers, names, max_bytes, declared=not hardware).text
    except NotWritten:
        text = None
    return {
        "openqasm": text,
        "svg": Drawing(circuit, registers, names).svg(),
        "qubits": circuit.num_qubits,
        "depth": circuit.depth(),
        # Those inside control flow once.
        "gate_counts": dict(sum((Counter(part.count_ops()) for part in parts(circuit)), Counter())),
    }


def _all_names(program: Program, compiled: QuantumCircuit) -> dict[Any, tuple[str, int | None]]:
    """With names for those that have none."""
    circuit = program.circuit
    own = {bit: (f"q{place}", None) for place, bit in enumerate(circuit.qubits)}
    clbits = dict.fromkeys((*circuit.clbits, *compiled.clbits))
    own |= {bit: (f"c{place}", None) for place, bit in enumerate(clbits)}
    return {**own, **program.names}
