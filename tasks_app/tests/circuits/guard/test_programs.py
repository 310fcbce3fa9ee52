"""The product answers drawn programs as the guard does, or refuses them by name.

The short form, for Hypothesis, runs with the suite and makes a failing program small. The long
form, `-m long`, draws as many as PROGRAMS says (default 100,000) from the seed SEED (default 1)
and prints how many exercised each operator. Of the programs that both could run, each second one
is left to Aer alone.
"""

import os
import random
from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks_app.circuits.simulation import branching
from tasks_app.tests.circuits.guard.agreement import Verdict, compare, new_runner
from tasks_app.tests.circuits.guard.programs import Program

RUNNER = new_runner()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep no records of Qiskit's passes, of which each program makes some."""
    caplog.set_level("WARNING", "qiskit")


def written(program: Program) -> tuple[str, dict[str, Any]]:
    return program.write(), program.inputs


@st.composite
def programs(draw: Any) -> tuple[str, dict[str, Any]]:
    """A program and the values of its inputs."""
    return written(Program(lambda low, high: draw(st.integers(low, high))))


def checked(text: str, inputs: dict[str, Any]) -> Verdict:
    most = -1 if len(text) % 2 else branching._MOST_STEPS
    with patch.object(branching, "_MOST_STEPS", most):
        verdict = compare(RUNNER, text, inputs)
    assert verdict.kind != "wrong", f"{verdict.detail}\n{inputs}\n{text}"
    return verdict


@settings(max_examples=2_000)
@given(programs())
def test_a_program_is_answered_right_or_refused(program: tuple[str, dict[str, Any]]) -> None:
    assume(checked(*program).kind != "unspecified")


@pytest.mark.long
def test_very_many_programs_are_answered_right_or_refused() -> None:
    wanted = int(os.environ.get("PROGRAMS", "100000"))
    seed = int(os.environ.get("SEED", "1"))
    kinds: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for number in range(wanted):
        chance = random.Random(f"{seed}:{number}")
        verdict = checked(*written(Program(chance.randint)))
        kinds[verdict.kind] += 1
        met.update(verdict.met)
        if verdict.kind == "refused":
            refused[verdict.detail] += 1
    print(f"\nSeed {seed}, {wanted:,} programs: {dict(kinds)}")
    for title, counter in (("Answered right with", met), ("Refused", refused)):
        print(f"{title}:")
        for what, times in counter.most_common():
            print(f"  {times:8,}  {what}")
    assert kinds["right"] > wanted / 4
