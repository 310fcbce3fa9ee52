"""From OpenQASM text to a Qiskit circuit, with every failure a CircuitError."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import ControlFlowOp, Gate, library

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.program import Program, registers_of
from tasks_app.circuits.language.source import Source, check_nesting

_REGISTER = re.compile(r"\b([qc])reg\s+\w+\s*\[\s*([0-9]+)\s*\]", re.ASCII)
_STANDARD = library.get_standard_gate_name_mapping().keys()
_GATE = re.compile(r"\bgate\s+([a-z]\w*)", re.ASCII)
# A string, a number or a name, each as a whole.
_WORD = re.compile(r""""[^"\n]*"|'[^'\n]*'|[0-9.]+(?:[eE][+-]?[0-9]+)?|[A-Za-z_]\w*""", re.ASCII)
# What Qiskit says of a program that follows the grammar and means nothing.
_MEANINGLESS = re.compile(
    "not defined|already defined|out-of-range|duplicate|broadcast|divide by zero|constant folding"
    "|before definition|not a parameter|must act on|non-constant|incorrect number|' takes |' is a "
)
_QASM2_PLACE = re.compile(r"<input>:(\d+),(\d+): ")
# Names that only stdgates.inc has.
_STDGATES_IN_QASM2 = (
    qasm2.CustomInstruction("phase", 1, 1, library.PhaseGate, builtin=True),
    qasm2.CustomInstruction("cphase", 1, 2, library.CPhaseGate, builtin=True),
)


def parse_qasm2(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    if parameters:
        raise CircuitError(
            "invalid_parameters", "OpenQASM 2 has no input parameters; leave parameters away."
        )
    check_nesting(source.text)
    _check_registers(source.text, limits)
    text, known = source.text, {gate.name: gate for gate in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
    if "stdgates.inc" in source.libraries:
        text = text.replace("stdgates.inc", "qelib1.inc")
        known |= {gate.name: gate for gate in _STDGATES_IN_QASM2}
    own = set(_GATE.findall(text))
    try:
        instructions = [gate for name, gate in known.items() if name not in own]
        circuit = _load_qasm2(_renamed(text, own), instructions)
    except CircuitError:
        if own:  # The place in the text as it was sent.
            _load_qasm2(source.text, list(known.values()))
        raise
    _check_operations(circuit, limits)
    return Program(circuit, registers_of(circuit), source.notes)


def _renamed(text: str, own: set[str]) -> str:
    """The program with other names for the gates that it defines.

    Qiskit and Aer know gates by their names: none of these must pass for one of theirs.
    """
    ending = "_own"
    while ending in text:
        ending += "_"
    return _WORD.sub(lambda word: word[0] + ending if word[0] in own else word[0], text)


def _load_qasm2(text: str, instructions: list[Any]) -> QuantumCircuit:
    with _parser_errors():
        return qasm2.loads(
            text,
            include_path=(),  # Without a path no file is opened.
            custom_instructions=instructions,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )


@contextmanager
def _parser_errors() -> Iterator[None]:
    """Turn what Qiskit's OpenQASM 2 parser raises into a CircuitError."""
    try:
        yield
    except qasm2.QASM2ParseError as error:
        raise _qasm2_error(error.message.strip("\"'")) from None
    except (CircuitError, MemoryError, RecursionError):
        raise
    except BaseException:  # Panics of the parser, which is written in Rust, included.
        raise CircuitError(
            "invalid_program",
            "The parser gave up on the program; look for numbers that are too large and for gates "
            "without their parameters.",
        ) from None


def _check_operations(circuit: QuantumCircuit, limits: Limits) -> None:
    """Refuse what would unroll to too much, and angles that are no numbers."""
    sizes: dict[str, int] = {}

    def unrolled(circuit: QuantumCircuit) -> int:
        total = 0
        for instruction in circuit.data:
            gate = instruction.operation
            if isinstance(gate, ControlFlowOp):
                total += sum(map(unrolled, gate.blocks))
                continue
            if not isinstance(gate, Gate) or gate.name in _STANDARD:
                total += 1
                continue
            with _parser_errors():  # It reads the body only now.
                definition = gate.definition
            if definition is None:
                raise CircuitError(
                    "unsupported_feature",
                    f"The opaque gate {gate.name} has no definition; add one.",
                )
            if gate.name not in sizes:  # Does not depend on the parameters.
                sizes[gate.name] = unrolled(definition)
            total += sizes[gate.name]
        return total

    for instruction in circuit.data:
        if any(isinstance(value, float) and not isfinite(value) for value in instruction.params):
            raise CircuitError("invalid_program", f"A parameter of {instruction.name} is infinite.")
    if circuit.count_ops().keys() <= _STANDARD:
        return
    operations = unrolled(circuit)
    if operations > limits.max_operations:
        raise CircuitError(
            "too_many_operations",
            f"The gates unroll to more than {limits.max_operations:,} operations.",
        )


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
    code = "invalid_program" if _MEANINGLESS.search(message) else "syntax_error"
    if not match:
        return CircuitError(code, sentence)
    return CircuitError(code, sentence, line=int(match[1]), column=int(match[2]) + 1)
