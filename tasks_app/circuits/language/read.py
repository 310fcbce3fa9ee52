"""From a program, as text of either version or as QPY, to a `Program`.

Text is cut into its top-level statements. A gate, measurement, reset, barrier or declaration in
its plain form is recognised by a regular expression and takes microseconds; any other goes to the
parser of the OpenQASM project, which takes a millisecond for each. Both end in the same `Run`, and
the tests prove that the two lanes agree.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from qiskit.circuit import Clbit

from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.fast_lane import FastLane, read_part
from tasks_app.circuits.language.interpreter import Run, Steered
from tasks_app.circuits.language.interpreter.deferred import Inputs
from tasks_app.circuits.language.interpreter.registers import Paths
from tasks_app.circuits.language.interpreter.values import Bits, Variable, flat, width_of
from tasks_app.circuits.language.parse import parsed
from tasks_app.circuits.language.program import Program, named_bits, program_of
from tasks_app.circuits.language.qpy import read_qpy
from tasks_app.circuits.language.source import Source
from tasks_app.circuits.qpy_file import QpyFile

_MEASURE = re.compile(r"\bmeasure\b")
_EMPTY = re.compile(r"(?<=[;}])(\s*);")  # A statement that Qiskit lets pass in OpenQASM 2.


@dataclass(slots=True)
class SteeredProgram:
    """A program that measurements steer beyond what a circuit can express."""

    text: str
    limits: Limits
    inputs: Inputs
    notes: tuple[str, ...]
    _statements: list[Any] | None = None

    @property
    def measures(self) -> bool:
        """Whether it says so anywhere, even where no shot comes to it."""
        return _MEASURE.search(self.text) is not None

    def begin(self, paths: Paths) -> tuple[Run, list[Any]]:
        """What stands before the first measurement, done on the path; and the statements left."""
        run = Run(self.limits, self.inputs, paths)
        offset = FastLane(run, self.text).drive(0)
        if self._statements is None:
            self._statements = list(parsed(self.text, offset))
        return run, self._statements


def parse(source: Source | QpyFile, limits: Limits, inputs: Inputs) -> Program | SteeredProgram:
    """Raises CircuitError; time is bounded by the deadline of the sandbox only."""
    if isinstance(source, QpyFile):
        return read_qpy(source, limits, inputs)
    old, text = source.language == "OpenQASM 2", source.text
    if old:  # As OpenQASM 3 writes it.
        text = _EMPTY.sub(r"\1 ", text.replace("^", "**"))
    try:
        run = read_qasm3(text, limits, inputs, old=old)
        measures = bool(run.outputs or _MEASURE.search(text))
        if measures and not run.places:  # The simulator counts nothing without a qubit.
            raise Steered
    except Steered:
        return SteeredProgram(text, limits, inputs, source.notes)
    counted = [flat(each) for each in run.counted.values()]
    notes = (*source.notes, *run.notes)
    program = program_of(run.circuit, counted, run.globals, run.deferred, notes)
    return replace(program, measures=measures)


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
    read_part(run, text, 0, fast=fast)
    run.finish()
    return run


def outcome_bits(run: Run) -> dict[str, list[int]]:
    """The bits of each register, alias and number that counts, by their places in an outcome."""
    counted = {
        name: Bits(tuple(Clbit() for _ in range(width_of(each))))  # They stand for a number's.
        if isinstance(each, Variable)
        else each
        for name, each in run.counted.items()
    }
    return named_bits(map(flat, counted.values()), run.globals | counted)
