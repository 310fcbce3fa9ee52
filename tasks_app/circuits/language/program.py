"""What a program becomes: a circuit, and the classical bits that its user sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from tasks_app.circuits.language.interpreter.deferred import Deferred

Names = Mapping[Any, tuple[str, int | None]]
"""Of qubits and bits: that of the register and the place in it, or their own and none."""


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
    names: Names = field(default_factory=dict)
    """What its user calls its qubits and bits."""
    named_bits: Mapping[str, list[int]] = field(default_factory=dict)
    """The places of a register's bits in an outcome, from the right; registers may overlap."""
