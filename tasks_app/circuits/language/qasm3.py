"""Read OpenQASM 3: a fast lane for plain statements, the reference parser for all others.

A program is cut into its top-level statements. A gate, measurement, reset, barrier or
declaration in its plain form is recognised by a regular expression and takes microseconds;
any other goes to the parser of the OpenQASM project, which takes a millisecond for each.
Both end in the same `Interpreter`, and the tests prove that the two lanes agree.
"""

import re
from collections.abc import Mapping
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import (
    ParseCancellationException,
    RecognitionException,
)
from antlr4.error.ErrorStrategy import BailErrorStrategy
from openqasm3 import parser as _parser

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane
from tasks_app.circuits.language.interpreter.branches import ProgramEnd
from tasks_app.circuits.language.interpreter.interpreter import Interpreter
from tasks_app.circuits.language.source import check_nesting, position

reference: Any = _parser  # Untyped: it does not export what it is made of.
_VERSION = re.compile(r"\s*OPENQASM\s+[0-9]+(?:\.[0-9]+)?\s*;")
_PLACE = re.compile(r"L(\d+):C(\d+): ")


def read_qasm3(
    text: str, limits: Limits, inputs: Mapping[str, Any], *, fast: bool = True
) -> Interpreter:
    """Execute a program. `fast=False` sends every statement through the reference parser.

    Raises CircuitError.
    """
    interpreter = Interpreter(limits, inputs)
    lane = FastLane(interpreter, text)
    version = _VERSION.match(text)
    offset = version.end() if version else 0
    nesting_checked = False
    try:
        while True:
            if fast:
                offset = lane.drive(offset)
            end = statement_end(text, offset)
            if end is None:
                break
            if not nesting_checked:
                check_nesting(text)
                nesting_checked = True
            for statement in _parse(text, offset, end):
                interpreter.execute(statement)
            offset = end
    except ProgramEnd:
        pass
    interpreter.finish()
    return interpreter


def _parse(text: str, start: int, end: int) -> list[Any]:
    """The statements in a part of the text, as syntax trees that know their line and column."""
    lexer = reference.qasm3Lexer(InputStream(text[start:end]))
    line, column = position(text, start)
    lexer._interp.line, lexer._interp.column = line, column - 1
    lexer.removeErrorListeners()
    lexer.addErrorListener(_RaiseAtOnce())
    parser = reference.qasm3Parser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()
    try:
        program = reference.QASMNodeVisitor().visitProgram(parser.program())
    except (RecognitionException, ParseCancellationException) as error:
        raise _syntax_error(error) from None
    except reference.QASM3ParsingError as error:
        raise _refused(str(error)) from None
    except ValueError:  # Python reads no integer of more than 4,300 digits.
        raise CircuitError(
            "invalid_program", "A number has too many digits.", line=line, column=column
        ) from None
    if program.version is not None:
        raise CircuitError(
            "syntax_error", "The version line comes first and once.", line=line, column=column
        )
    return list(program.statements)


class _RaiseAtOnce(ErrorListener):  # type: ignore[misc]
    def syntaxError(
        self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any
    ) -> None:
        raise CircuitError(
            "syntax_error",
            f"Unexpected characters: {message.removeprefix('token recognition error at: ')}.",
            line=line,
            column=column + 1,
        )


def _syntax_error(error: Exception) -> CircuitError:
    recognition = error.args[0] if isinstance(error, ParseCancellationException) else error
    token = getattr(recognition, "offendingToken", None)
    if token is None:
        return CircuitError("syntax_error", "The text is not OpenQASM 3.")
    found = "the end of the circuit" if token.type == -1 else repr(token.text)[:60]
    return CircuitError(
        "syntax_error", f"Unexpected {found}.", line=token.line, column=token.column + 1
    )


def _refused(message: str) -> CircuitError:
    """What the parser finds after parsing, such as a break outside of a loop."""
    match = _PLACE.match(message)
    if match is None:
        return CircuitError("syntax_error", message or "The text is not OpenQASM 3.")
    return CircuitError(
        "syntax_error",
        message[match.end() :].capitalize() + ".",
        line=int(match[1]),
        column=int(match[2]) + 1,
    )


_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r"(?:@|#?\s*pragma\b)[^\n]*")
_ELSE = re.compile(r"\s*else\b")
_IN = re.compile(r"\bin\b\s*")
_BRACKET = re.compile(r"""[(\[{]|[)\]}]|;|"[^"\n]*"|'[^'\n]*'""")


def statement_end(text: str, start: int) -> int | None:
    """The offset behind the statement at `start`; `None` if only space is left.

    A text that is no statement ends anywhere behind its start: a parser will refuse it.
    """
    start = _after_space(text, start)
    while line := _LINE.match(text, start):  # An annotation belongs to what follows.
        start = _after_space(text, line.end())
        if not line.group().startswith("@"):
            return line.end()
    return None if start == len(text) else _end(text, start)


def _end(text: str, start: int) -> int:
    start = _after_space(text, start)
    if text.startswith("{", start):
        return _after_group(text, start)
    word = match.group() if (match := _WORD.match(text, start)) else ""
    if word in ("if", "while", "switch"):
        end = _end(text, _after_group(text, text.find("(", start)))
        while word == "if" and (otherwise := _ELSE.match(text, end)):
            end = _end(text, otherwise.end())
        return end
    if word == "for" and (match := _IN.search(text, start)):
        start = match.end()
        if text.startswith(("[", "{"), start):
            return _end(text, _after_group(text, start))
        name = _WORD.match(text, start)
        return _end(text, name.end() if name else start + 1)
    if word in ("gate", "def", "box", "cal", "defcal"):
        return _after_group(text, text.find("{", start))
    return _after_semicolon(text, start)


def _after_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None
    return match.end()


def _after_group(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`."""
    if start < 0:
        return len(text)
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += (match.group() in "([{") - (match.group() in ")]}")
        if depth == 0:
            return match.end()
    return len(text)


def _after_semicolon(text: str, start: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += (match.group() in "([{") - (match.group() in ")]}")
        if match.group() == ";" and depth <= 0:
            return match.end()
    return len(text)
