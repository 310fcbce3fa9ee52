"""From OpenQASM text to a Qiskit circuit, with every failure a CircuitError."""

from __future__ import annotations

import re

import openqasm3.parser
import qiskit_qasm3_import
from qiskit import QuantumCircuit, qasm2  # type: ignore[import-untyped]

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.source import Source

_QASM2_PLACE = re.compile(r"<input>:(\d+),(\d+): ")
_IMPORTER_PLACE = re.compile(r"(\d+),(\d+): ")
_PARSER_PLACE = re.compile(r"L(\d+):C(\d+): ")
_UNSUPPORTED = re.compile(r"not (?:currently |yet )?supported|no registered handler")


def parse(source: Source) -> QuantumCircuit:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if source.language == "OpenQASM 2":
        return _parse_qasm2(source)
    return _parse_qasm3(source)


def _parse_qasm2(source: Source) -> QuantumCircuit:
    text = source.text.replace("stdgates.inc", "qelib1.inc")
    try:
        return qasm2.loads(
            text,
            include_path=(),  # Without a path no file is opened.
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        raise _located("syntax_error", _QASM2_PLACE, error.message) from None


def _parse_qasm3(source: Source) -> QuantumCircuit:
    text = source.text.replace("qelib1.inc", "stdgates.inc")
    try:
        return qiskit_qasm3_import.parse(text)
    except openqasm3.parser.QASM3ParsingError as error:
        raise _syntax_error(error) from None
    except qiskit_qasm3_import.ConversionError as error:
        code = "unsupported_feature" if _UNSUPPORTED.search(error.message) else "invalid_program"
        raise _located(code, _IMPORTER_PLACE, error.message) from None


def _syntax_error(error: openqasm3.parser.QASM3ParsingError) -> CircuitError:
    if error.args:
        return _located("syntax_error", _PARSER_PLACE, str(error))
    # ANTLR tells the place in the exception that made it give up.
    cause = error.__cause__
    recognition = cause.args[0] if cause is not None and cause.args else cause
    token = getattr(recognition, "offendingToken", None)
    if token is None:
        return CircuitError("syntax_error", "The text is not OpenQASM 3.")
    found = "the end of the circuit" if token.type == -1 else repr(token.text)[:60]
    return CircuitError(
        "syntax_error", f"Unexpected {found}.", line=token.line, column=token.column + 1
    )


def _located(code: str, place: re.Pattern[str], text: str) -> CircuitError:
    """An error whose text starts with a line (from 1) and a column (from 0)."""
    text = text.strip("\"'")
    match = place.match(text)
    sentence = text[match.end() :] if match else text
    sentence = sentence[:1].upper() + sentence[1:].rstrip(".") + "."
    if not match:
        return CircuitError(code, sentence)
    return CircuitError(code, sentence, line=int(match[1]), column=int(match[2]) + 1)
