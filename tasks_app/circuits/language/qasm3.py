"""Read OpenQASM 3: a fast lane for plain statements, the reference parser for all others.

A program is cut into its top-level statements. A gate, measurement, reset, barrier or
declaration in its plain form is recognised by a regular expression and takes microseconds;
any other goes to the parser of the OpenQASM project, which takes a millisecond for each.
Both end in the same `Run`, and the tests prove that the two lanes agree.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane, read_part
from tasks_app.circuits.language.interpreter import ProgramEnd, Run
from tasks_app.circuits.language.interpreter.deferred import Inputs
from tasks_app.circuits.language.interpreter.run import Paths
from tasks_app.circuits.language.parse import parse_statement, statement_end


def read_qasm3(
    text: str,
    limits: Limits,
    inputs: Inputs,
    *,
    fast: bool = True,
    old: bool = False,
) -> Run:
    """Make the circuit of a program, whose version line has been read.

    `fast=False` sends every statement through the reference parser; `old` takes what OpenQASM 2
    says otherwise. Raises CircuitError, or Steered when it has to be run path by path.
    """
    run = Run(limits, inputs, old=old)
    with suppress(ProgramEnd):
        read_part(run, text, 0, fast=fast)
    run.finish()
    return run


@dataclass(slots=True)
class Steered:
    """A program that measurements steer beyond what a circuit can express."""

    text: str
    limits: Limits
    inputs: Inputs
    notes: tuple[str, ...]
    _statements: list[Any] | None = None

    def begin(self, paths: Paths) -> tuple[Run, list[Any]]:
        """What stands before the first measurement, done on the path; and the statements left."""
        run = Run(self.limits, self.inputs, paths)
        offset = FastLane(run, self.text).drive(0)
        if self._statements is None:
            self._statements = list(self._parsed(offset))
        return run, self._statements

    def _parsed(self, offset: int) -> Iterator[Any]:
        while (end := statement_end(self.text, offset)) is not None:
            yield from parse_statement(self.text, offset, end)
            offset = end
