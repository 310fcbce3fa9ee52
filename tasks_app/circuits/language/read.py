"""From a program, as text of either version or as QPY, to a `Program`."""

from collections.abc import Mapping
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language import interpreter
from tasks_app.circuits.language.program import Program, indices, without_include
from tasks_app.circuits.language.qasm2 import beyond_qiskit, parse_qasm2
from tasks_app.circuits.language.qasm3 import Steered, read_qasm3
from tasks_app.circuits.language.qpy import read_qpy
from tasks_app.circuits.language.source import Source
from tasks_app.circuits.qpy_file import QpyFile


def parse(
    source: Source | QpyFile, limits: Limits, parameters: Mapping[str, Any]
) -> Program | Steered:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if isinstance(source, QpyFile):
        return read_qpy(source, limits, parameters)
    old, text, notes = source.language == "OpenQASM 2", source.text, source.notes
    if old:
        if not (beyond := beyond_qiskit(source)):
            return parse_qasm2(source, limits, parameters)
        text, note = beyond
        notes = (*notes, note)
    try:
        run = read_qasm3(text, limits, parameters, old=old)
        if run.outputs and not run.measures:  # The simulator counts nothing without.
            raise interpreter.Steered
    except interpreter.Steered:
        return Steered(text, limits, parameters, notes, old=old)
    circuit = run.circuit
    registers = tuple(indices(circuit, bits) for bits in run.outputs or run.registers)
    notes = (*notes, *without_include(run.without_include))
    return Program(circuit, registers, notes, run.deferred)
