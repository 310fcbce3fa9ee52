"""Read OpenQASM 3: a fast lane for plain statements, the reference parser for all others.

A program is cut into its top-level statements. A gate, measurement, reset, barrier or
declaration in its plain form is recognised by a regular expression and takes microseconds;
any other goes to the parser of the OpenQASM project, which takes a millisecond for each.
Both end in the same `Interpreter`, and the tests prove that the two lanes agree.
"""

import re
from collections.abc import Mapping
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane
from tasks_app.circuits.language.interpreter.branches import ProgramEnd
from tasks_app.circuits.language.interpreter.interpreter import Interpreter
from tasks_app.circuits.language.parse import parse_statement, statement_end
from tasks_app.circuits.language.source import check_nesting

_VERSION = re.compile(r"\s*OPENQASM\s+[0-9]+(?:\.[0-9]+)?\s*;")


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
            for statement in parse_statement(text, offset, end):
                interpreter.execute(statement)
            offset = end
    except ProgramEnd:
        pass
    interpreter.finish()
    return interpreter
