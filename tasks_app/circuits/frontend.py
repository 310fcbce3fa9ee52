"""From OpenQASM text to a Qiskit circuit, with every failure a CircuitError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import Clbit, library

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.qasm3 import read_qasm3
from tasks_app.circuits.source import Source, check_nesting
from tasks_app.circuits.values import Bits

_REGISTER = re.compile(r"\b([qc])reg\s+\w+\s*\[\s*([0-9]+)\s*\]", re.ASCII)
_QASM2_PLACE = re.compile(r"<input>:(\d+),(\d+): ")
# Names that only stdgates.inc has.
_STDGATES_IN_QASM2 = (
    qasm2.CustomInstruction("phase", 1, 1, library.PhaseGate, builtin=True),
    qasm2.CustomInstruction("cphase", 1, 2, library.CPhaseGate, builtin=True),
)


@dataclass(frozen=True, slots=True)
class Program:
    """A circuit and the classical bits that its user sees."""

    circuit: QuantumCircuit
    registers: tuple[tuple[int, ...], ...]
    """Indices of the bits of each register in the order declared, the lowest bit first."""


def parse(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if source.language == "OpenQASM 2":
        return _parse_qasm2(source, limits, parameters)
    interpreter = read_qasm3(source.text, limits, parameters)
    circuit = interpreter.circuit
    if interpreter.outputs:
        return Program(circuit, tuple(_indices(circuit, bits) for bits in interpreter.outputs))
    return Program(circuit, _registers(circuit, interpreter.hidden))


def _parse_qasm2(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    if parameters:
        raise CircuitError(
            "invalid_parameters", "OpenQASM 2 has no input parameters; leave parameters away."
        )
    check_nesting(source.text)
    _check_registers(source.text, limits)
    text, more = source.text, tuple[Any, ...]()
    if "stdgates.inc" in source.libraries:
        text, more = text.replace("stdgates.inc", "qelib1.inc"), _STDGATES_IN_QASM2
    try:
        circuit = qasm2.loads(
            text,
            include_path=(),  # Without a path no file is opened.
            custom_instructions=(*qasm2.LEGACY_CUSTOM_INSTRUCTIONS, *more),
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        raise _qasm2_error(error.message.strip("\"'")) from None
    return Program(circuit, _registers(circuit, set()))


def _check_registers(text: str, limits: Limits) -> None:
    """Refuse registers before the parser makes them: a large one takes all memory."""
    for kind, allowed, code, what in (
        ("q", limits.max_qubits, "too_many_qubits", "qubits"),
        ("c", limits.max_clbits, "too_many_clbits", "classical bits"),
    ):
        sizes = (size for found, size in _REGISTER.findall(text) if found == kind)
        # Eighteen digits are more than allowed, whatever follows.
        declared = sum(int(size.lstrip("0")[:18] or "0") for size in sizes)
        if declared > allowed:
            raise CircuitError(code, f"{declared:,} {what} are declared, {allowed:,} are allowed.")


def _qasm2_error(message: str) -> CircuitError:
    match = _QASM2_PLACE.match(message)
    sentence = message[match.end() :] if match else message
    sentence = sentence[:1].upper() + sentence[1:].rstrip(".") + "."
    if not match:
        return CircuitError("syntax_error", sentence)
    return CircuitError("syntax_error", sentence, line=int(match[1]), column=int(match[2]) + 1)


def _registers(circuit: QuantumCircuit, hidden: set[Clbit]) -> tuple[tuple[int, ...], ...]:
    """Registers in the order of their bits; a bit outside registers is one of its own."""
    groups: dict[Any, list[int]] = {}
    for index, bit in enumerate(circuit.clbits):
        if bit not in hidden:
            registers = circuit.find_bit(bit).registers
            groups.setdefault(registers[0][0] if registers else bit, []).append(index)
    return tuple(tuple(group) for group in groups.values())


def _indices(circuit: QuantumCircuit, bits: Any) -> tuple[int, ...]:
    items = bits.items if isinstance(bits, Bits) else (bits,)
    return tuple(circuit.find_bit(bit).index for bit in items)
