"""What a program becomes: a circuit, and the classical bits that its user sees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, Parameter, Qubit

from tasks_app.circuits.language.interpreter.deferred import Deferred
from tasks_app.circuits.language.interpreter.values import Bits, Qubits, flat

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
    measures: bool = False
    """Whether its bits count though the circuit measures none, as where an input decides it."""


def program_of(
    circuit: QuantumCircuit,
    counted: Sequence[Sequence[Clbit]],
    named: Mapping[str, Any],
    deferred: Mapping[Deferred, Parameter],
    notes: tuple[str, ...] = (),
) -> Program:
    """`counted`: the bits of an outcome, in groups; `named`: registers and bits, among others."""
    registers = tuple(tuple(circuit.find_bit(bit).index for bit in bits) for bits in counted)
    names: dict[Any, tuple[str, int | None]] = {}
    for name, value in named.items():  # The first of each: others are aliases.
        if isinstance(value, Qubits | Bits):
            for place, item in enumerate(value.items):
                names.setdefault(item, (name, place))
        elif isinstance(value, Qubit | Clbit):
            names.setdefault(value, (name, None))
    return Program(circuit, registers, notes, deferred, names, named_bits(counted, named))


def named_bits(
    counted: Iterable[Iterable[Clbit]], named: Mapping[str, Any]
) -> dict[str, list[int]]:
    """The bits of each register and alias that counts, by their places in an outcome."""
    places = {bit: place for place, bit in enumerate(chain.from_iterable(counted))}
    return {
        name: [places[bit] for bit in flat(value)]
        for name, value in named.items()
        if isinstance(value, Bits | Clbit) and places.keys() >= set(flat(value))
    }
