"""The compiled circuit, as text and as a drawing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from tasks_app.circuits.language.program import Program
from tasks_app.circuits.simulation.conditions import NotWritten
from tasks_app.circuits.simulation.drawing import Drawing
from tasks_app.circuits.simulation.export import Export, Places


def show(
    program: Program, compiled: QuantumCircuit, values: Mapping[Parameter, Any], max_bytes: int
) -> dict[str, Any]:
    """`values`: of its parameters, or what to call them. Raises CircuitError if it is too large."""
    free = compiled.parameters
    circuit = compiled.assign_parameters({each: v for each, v in values.items() if each in free})
    bits = program.circuit.clbits
    registers = [[bits[index] for index in register] for register in program.registers]
    places = _places(program.circuit)
    try:
        text = Export(circuit, registers, places, max_bytes).text
    except NotWritten:
        text = None
    return {
        "openqasm": text,
        "svg": Drawing(circuit, registers, places).svg(),
        "qubits": circuit.num_qubits,
        "depth": circuit.depth(),
        "gate_counts": dict(_counts(circuit)),
    }


def _counts(circuit: QuantumCircuit) -> Counter[str]:
    """By name, those inside control flow once."""
    counts = Counter(dict(circuit.count_ops()))
    for instruction in circuit.data:
        if instruction.is_control_flow():
            for block in instruction.operation.blocks:
                counts += _counts(block)
    return counts


def _places(circuit: QuantumCircuit) -> Places:
    places: dict[Any, tuple[str, int | None]] = {}
    for letter, bits in (("q", circuit.qubits), ("c", circuit.clbits)):
        for number, bit in enumerate(bits):
            places[bit] = f"{letter}{number}", None
            for register, index in circuit.find_bit(bit).registers[:1]:
                places[bit] = register.name, index
    return places
