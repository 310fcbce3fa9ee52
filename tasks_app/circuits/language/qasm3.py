"""Read OpenQASM 3: a fast lane for plain statements, the reference parser for all others.

A program is cut into its top-level statements. A gate, measurement, reset, barrier or
declaration in its plain form is recognised by a regular expression and takes microseconds;
any other goes to the parser of the OpenQASM project, which takes a millisecond for each.
Both end in the same `Run`, and the tests prove that the two lanes agree.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane
from tasks_app.circuits.language.interpreter import ProgramEnd, Run
from tasks_app.circuits.language.interpreter.run import Paths
from tasks_app.circuits.language.parse import parse_statement, statement_end
from tasks_app.circuits.language.source import check_nesting

_VERSION = re.compile(r"\s*OPENQASM\s+[0-9]+(?:\.[0-9]+)?\s*;")


def read_qasm3(
    text: str, limits: Limits, inputs: Mapping[str, Any], *, fast: bool = True, old: bool = False
) -> Run:
    """Make the circuit of a program.

    `fast=False` sends every statement through the reference parser; `old` takes what OpenQASM 2
    says otherwise. Raises CircuitError, or Steered when it has to be run path by path.
    """
    run = Run(limits, inputs, old=old)
    lane = FastLane(run, text)
    offset = _begin(text)
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
            run.run_block(parse_statement(text, offset, end))
            offset = end
    except ProgramEnd:
        pass
    run.finish()
    return run


def _begin(text: str) -> int:
    version = _VERSION.match(text)
    return version.end() if version else 0


class Steered:
    """A program that measurements steer beyond what a circuit can express."""

    def __init__(
        self,
        text: str,
        limits: Limits,
        inputs: Mapping[str, Any],
        notes: tuple[str, ...],
        *,
        old: bool,
    ) -> None:
        self.notes = notes
        self._text, self._limits, self._inputs, self._old = text, limits, inputs, old
        self._statements: list[Any] | None = None

    def begin(self, paths: Paths) -> tuple[Run, list[Any]]:
        """What stands before the first measurement, done on the path; and the statements left."""
        run = Run(self._limits, self._inputs, paths, old=self._old)
        offset = FastLane(run, self._text).drive(_begin(self._text))
        if self._statements is None:
            self._statements = list(self._parsed(offset))
        return run, self._statements

    def _parsed(self, offset: int) -> Iterator[Any]:
        check_nesting(self._text)
        while (end := statement_end(self._text, offset)) is not None:
            yield from parse_statement(self._text, offset, end)
            offset = end
