"""Read OpenQASM 3: a fast lane for plain statements, the reference parser for all others.

A program is cut into its top-level statements. A gate, measurement, reset, barrier or
declaration in its plain form is recognised by a regular expression and takes microseconds;
any other goes to the parser of the OpenQASM project, which takes a millisecond for each.
Both end in the same `Run`, and the tests prove that the two lanes agree.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane, read_part
from tasks_app.circuits.language.interpreter import ProgramEnd, Run
from tasks_app.circuits.language.interpreter.run import Paths
from tasks_app.circuits.language.parse import parse_statement, statement_end

_VERSION = re.compile(r"\s*OPENQASM\s+[0-9]+(?:\.[0-9]+)?\s*;")


def read_qasm3(
    text: str,
    limits: Limits,
    inputs: Mapping[str, Any],
    *,
    fast: bool = True,
    old: bool = False,
    by_place: bool = False,
) -> Run:
    """Make the circuit of a program.

    `fast=False` sends every statement through the reference parser; `old` takes what OpenQASM 2
    says otherwise. Raises CircuitError, or Steered when it has to be run path by path.
    """
    run = Run(limits, inputs, old=old, by_place=by_place)
    with suppress(ProgramEnd):
        read_part(run, text, _begin(text), fast=fast)
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
        by_place: bool,
    ) -> None:
        self.notes = notes
        self._by_place = by_place
        self._text, self._limits, self._inputs = text, limits, inputs
        self._statements: list[Any] | None = None

    def begin(self, paths: Paths) -> tuple[Run, list[Any]]:
        """What stands before the first measurement, done on the path; and the statements left."""
        run = Run(self._limits, self._inputs, paths, by_place=self._by_place)
        offset = FastLane(run, self._text).drive(_begin(self._text))
        if self._statements is None:
            self._statements = list(self._parsed(offset))
        return run, self._statements

    def _parsed(self, offset: int) -> Iterator[Any]:
        while (end := statement_end(self._text, offset)) is not None:
            yield from parse_statement(self._text, offset, end)
            offset = end
