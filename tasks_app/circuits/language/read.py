"""From a program, as text of either version or as QPY, to a `Program`."""

import re
from typing import Any

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language import interpreter
from tasks_app.circuits.language.interpreter.deferred import Inputs
from tasks_app.circuits.language.interpreter.values import Bits, Qubits, Variable, flat, width_of
from tasks_app.circuits.language.program import Names, Program
from tasks_app.circuits.language.qasm3 import Steered, read_qasm3
from tasks_app.circuits.language.qpy import read_qpy
from tasks_app.circuits.language.source import Source
from tasks_app.circuits.qpy_file import QpyFile

_EMPTY = re.compile(r"(?<=[;}])(\s*);")  # A statement that Qiskit lets pass in OpenQASM 2.


def parse(source: Source | QpyFile, limits: Limits, inputs: Inputs) -> Program | Steered:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if isinstance(source, QpyFile):
        return read_qpy(source, limits, inputs)
    old, text = source.language == "OpenQASM 2", source.text
    if old:  # As OpenQASM 3 writes it.
        text = _EMPTY.sub(r"\1 ", text.replace("^", "**"))
    try:
        run = read_qasm3(text, limits, inputs, old=old)
        if run.outputs and run.measured is None:  # The simulator counts nothing without.
            raise interpreter.Steered
    except interpreter.Steered:
        return Steered(text, limits, inputs, source.notes)
    circuit = run.circuit
    counted = map(flat, run.counted.values())
    registers = tuple(tuple(circuit.find_bit(bit).index for bit in bits) for bits in counted)
    notes = (*source.notes, *run.notes)
    return Program(circuit, registers, notes, run.deferred, _names(run), named_bits(run))


def named_bits(run: interpreter.Run) -> dict[str, list[int]]:
    """The bits of each register, alias and output that counts, by their places in an outcome."""
    places: dict[Clbit, int] = {}
    named: dict[str, list[int]] = {}
    width = 0
    for name, counted in run.counted.items():
        size = width_of(counted)
        if isinstance(counted, Variable):
            named[name] = list(range(width, width + size))
        else:
            places.update(zip(flat(counted), range(width, width + size), strict=True))
        width += size
    for name, value in run.globals.items():
        if isinstance(value, Bits | Clbit) and places.keys() >= set(flat(value)):
            named[name] = [places[bit] for bit in flat(value)]
    return named


def _names(run: interpreter.Run) -> Names:
    """The first of each: others are aliases."""
    names: dict[Any, tuple[str, int | None]] = {}
    for name, value in run.globals.items():
        if isinstance(value, Qubits | Bits):
            for place, item in enumerate(value.items):
                names.setdefault(item, (name, place))
        elif isinstance(value, Qubit | Clbit):
            names.setdefault(value, (name, None))
    return names
