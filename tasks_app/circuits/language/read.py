"""From the text of a program, in either version, to a `Program`."""

from collections.abc import Mapping
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program, _indices, _registers
from tasks_app.circuits.language.qasm2 import _parse_qasm2
from tasks_app.circuits.language.qasm3 import read_qasm3
from tasks_app.circuits.language.source import Source


def parse(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if source.language == "OpenQASM 2":
        return _parse_qasm2(source, limits, parameters)
    interpreter = read_qasm3(source.text, limits, parameters)
    circuit = interpreter.circuit
    if interpreter.outputs:
        registers = tuple(_indices(circuit, bits) for bits in interpreter.outputs)
    else:
        registers = _registers(circuit, interpreter.hidden)
    return Program(circuit, registers, source.notes)
