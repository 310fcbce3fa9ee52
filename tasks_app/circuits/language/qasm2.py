"""From OpenQASM text to a Qiskit circuit, with every failure a CircuitError."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from typing import Any

from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import ControlFlowOp, Gate, library

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter import Steered
from tasks_app.circuits.language.interpreter.dialects import KNOWN
from tasks_app.circuits.language.program import Program, registers_of, without_include
from tasks_app.circuits.language.qasm3 import read_qasm3
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
# What PennyLane writes.
_BEYOND = re.compile(r"\bif\s*\(\s*\w+\s*\[|\bgphase\b", re.ASCII)
_POWER = re.compile(r"\^(?=[^\"\n]*(?:\"[^\"\n]*\"[^\"\n]*)*$)", re.MULTILINE)
_RESETTING = re.compile(
    r"\bgate\s+(\w+)\s*(?:\([^)]*\))?([\w\s,]*)\{((?:\s*reset\s+\w+\s*;)+)", re.ASCII
)
_RESET = re.compile(r"reset\s+(\w+)", re.ASCII)
_UNKNOWN = re.compile(r"custom instruction '(\w+)' before definition|'(\w+)' is not defined")
_QASM2_PLACE = re.compile(r"<input>:(\d+),(\d+): ")
# OpenQASM 2 has no names with capitals.
_CAPITALS = {name: f"hqs_{name.lower()}" for name in ("U1q", "Rz", "RZZ", "ZZ")}
# Names that only stdgates.inc has.
_STDGATES_IN_QASM2 = (
    qasm2.CustomInstruction("phase", 1, 1, library.PhaseGate, builtin=True),
    qasm2.CustomInstruction("cphase", 1, 2, library.CPhaseGate, builtin=True),
)


def beyond_qiskit(source: Source) -> tuple[str, str] | None:
    """A program that leaves OpenQASM 2 in a way we understand, as our own reader takes it.

    With the note for its user; None if Qiskit's parser can read the program.
    """
    if not (found := _BEYOND.search(source.text)):
        return None
    what = "a condition on one bit" if found[0].startswith("if") else "gphase"
    text = _POWER.sub("**", source.text)
    return text, f"The program has {what}, which OpenQASM 2 has not; it was taken as in OpenQASM 3."


def _with_resets_outside(text: str) -> str:
    """The program with the resets at the beginning of a gate, as Qiskit writes them, before it."""
    for gate in list(_RESETTING.finditer(text)):
        name, operands = gate[1], [each.strip() for each in gate[2].split(",")]
        reset = [operands.index(each) for each in _RESET.findall(gate[3]) if each in operands]

        def before(use: re.Match[str], reset: list[int] = reset) -> str:
            qubits = use[3].split(",")
            return (
                use[1] + "".join(f"reset {qubits[i]};" for i in reset if i < len(qubits)) + use[2]
            )

        uses = re.compile(rf"(?<=[;}}])(\s*)({name}\b\s*(?:\([^;{{}}]*\))?([^;{{}}()]*);)")
        hoisted, times = uses.subn(before, text.replace(gate[3], " " * len(gate[3]), 1))
        # A use under a condition, or in another gate, stays as it is and is refused.
        if times + 1 == len(re.findall(rf"\b{name}\b", text)):
            text = hoisted
    return text


def parse_qasm2(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    """Raises CircuitError."""
    try:
        return _parse(source, limits, parameters)
    except CircuitError as error:
        if error.code == "invalid_program" and error.line is None:
            with suppress(Steered, RecursionError):  # Our own reader knows the place.
                read_qasm3(source.text, limits, {}, old=True)
        raise


def _parse(source: Source, limits: Limits, parameters: Mapping[str, Any]) -> Program:
    if parameters:
        raise CircuitError(
            "invalid_parameters", "OpenQASM 2 has no input parameters; leave parameters away."
        )
    check_nesting(source.text)
    _check_registers(source.text, limits)
    text = _with_resets_outside(source.text)
    known = {gate.name: gate for gate in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
    if "stdgates.inc" in source.libraries:
        text = text.replace("stdgates.inc", "qelib1.inc")
        known |= {gate.name: gate for gate in _STDGATES_IN_QASM2}
    if "hqslib1.inc" in source.libraries:
        text = text.replace("hqslib1.inc", "qelib1.inc")
        text = _WORD.sub(lambda word: _CAPITALS.get(word[0], word[0]), text)
        known |= {name: _custom(name, like) for like, name in _CAPITALS.items()}
    own = set(_GATE.findall(text))
    missing: list[str] = []
    while True:
        try:
            instructions = [gate for name, gate in known.items() if name not in own]
            circuit = _load_qasm2(_renamed(text, own), instructions)
            break
        except CircuitError as error:
            if name := _without_include(error, known, own):
                known[name] = _built_in(name, known)
                missing.append(name)
                continue
            if own:  # The place in the text as it was sent.
                _load_qasm2(source.text, list(known.values()))
            raise
    _check_operations(circuit, limits)
    return Program(circuit, registers_of(circuit), (*source.notes, *without_include(missing)))


def _custom(name: str, like: str) -> Any:
    parameters, qubits, make = KNOWN[like]
    return qasm2.CustomInstruction(name, parameters, qubits, make, builtin=True)


def _built_in(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        return _custom(name, name)
    gate = known[name]
    return qasm2.CustomInstruction(
        name, gate.num_params, gate.num_qubits, gate.constructor, builtin=True
    )


def _without_include(error: CircuitError, known: Mapping[str, Any], own: set[str]) -> str | None:
    """The gate of a library that the program uses without including it, if that is the error."""
    match = _UNKNOWN.search(error.message)
    name = (match[1] or match[2]) if match else ""
    ours = name not in own and (name in known or name in KNOWN)
    return name if ours and not getattr(known.get(name), "builtin", False) else None


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
