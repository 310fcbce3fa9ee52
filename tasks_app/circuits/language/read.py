"""From a program, as text of either version or as QPY, to a `Program`."""

import re
from collections.abc import Mapping
from typing import Any

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language import interpreter
from tasks_app.circuits.language.interpreter.values import Bits, Qubits
from tasks_app.circuits.language.program import Names, Program, indices
from tasks_app.circuits.language.qasm3 import Steered, read_qasm3
from tasks_app.circuits.language.qpy import read_qpy
from tasks_app.circuits.language.source import Source
from tasks_app.circuits.qpy_file import QpyFile

_EMPTY = re.compile(r"(?<=[;}])(\s*);")  # A statement that Qiskit lets pass in OpenQASM 2.


def parse(
    source: Source | QpyFile, limits: Limits, parameters: Mapping[str, Any]
) -> Program | Steered:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if isinstance(source, QpyFile):
        return read_qpy(source, limits, parameters)
    old, text = source.language == "OpenQASM 2", source.text
    if old:  # As OpenQASM 3 writes it.
        text = _EMPTY.sub(r"\1 ", text.replace("^", "**"))
    try:
        run = read_qasm3(text, limits, parameters, old=old)
        if run.outputs and not run.measures:  # The simulator counts nothing without.
            raise interpreter.Steered
    except interpreter.Steered:
        return Steered(text, limits, parameters, source.notes)
    circuit = run.circuit
    registers = tuple(indices(circuit, bits) for bits in run.outputs or run.registers)
    return Program(circuit, registers, (*source.notes, *run.notes), run.deferred, _names(run))


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
