"""What a program becomes: a circuit, and the classical bits that its user sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from tasks_app.circuits.language.interpreter.deferred import Deferred
from tasks_app.circuits.language.interpreter.values import Bits


@dataclass(frozen=True, slots=True)
class Program:
    """A circuit and the classical bits that its user sees."""

    circuit: QuantumCircuit
    registers: tuple[tuple[int, ...], ...]
    """Indices of the bits of each register in the order declared, the lowest bit first."""
    notes: tuple[str, ...] = ()
    """What its user should know of how it was read."""
    deferred: Mapping[Deferred, Parameter] = field(default_factory=dict)
    """The free parameters of the circuit, by what they will be."""


def without_include(gates: Sequence[str]) -> tuple[str, ...]:
    """The note on gates that a program uses without including their library."""
    names = ", ".join(gates)
    return (
        (f"Used without an include, as the gates of these names: {names:.900}.",) if gates else ()
    )


def registers_of(circuit: QuantumCircuit) -> tuple[tuple[int, ...], ...]:
    """Registers in the order of their bits; a bit outside registers is one of its own."""
    groups: dict[Any, list[int]] = {}
    for index, bit in enumerate(circuit.clbits):
        registers = circuit.find_bit(bit).registers
        groups.setdefault(registers[0][0] if registers else bit, []).append(index)
    return tuple(tuple(group) for group in groups.values())


def indices(circuit: QuantumCircuit, bits: Any) -> tuple[int, ...]:
    items = bits.items if isinstance(bits, Bits) else (bits,)
    return tuple(circuit.find_bit(bit).index for bit in items)
