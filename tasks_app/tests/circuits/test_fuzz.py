"""Whatever text comes, the front end answers with a circuit or a CircuitError.

The short form runs with the suite. The long one, `-m long`, goes through a sandbox for as many
seconds as FUZZ_SECONDS says (default 600) and also watches the memory of the child.
"""

import contextlib
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.circuits import CircuitError, Job, Limits, Sandbox
from tasks_app.circuits.job import as_message
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source
from tasks_app.circuits.sandbox.confine import Memory
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.tests.circuits.test_language import language_programs

LIMITS = Limits(max_operations=2_000, max_qubits=30, max_clbits=64)
PUBLIC = [
    path.read_text() for path in sorted((Path(__file__).parent / "programs").rglob("*.qasm"))
] + [str(parameter.values[0]) for parameter in language_programs()]
FRAGMENTS = re.findall(
    r"\S+",
    """
    ; ( ) { } [ ] , : = -> ++ @ + - * / ** % << >> & | ^ ~ ! == != < <= && || 0 1 -1 2 0.5 1e9
    pi $0 $7 "01" "stdgates.inc" if else for in while switch case default def gate return
    break continue end const input output let int uint float angle bit bool qubit qreg creg
    array mutable readonly duration stretch delay box barrier reset measure ctrl negctrl inv
    pow gphase U x h cx ccx rx q q[0] c c[0] a i f true false 10ns sizeof sqrt include OPENQASM
    3.0 2.0 // /* */
    """,
)


def mutated(program: str, chance: random.Random) -> str:
    """The program with a few words dropped, doubled, swapped or replaced."""
    words = re.findall(r"\w+|\s+|.", program)
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        place, other = chance.randrange(len(words)), chance.randrange(len(words))
        words[place] = chance.choice(
            (
                "",
                words[other],
                words[other],
                words[place] + words[other],
                "".join(words[place : place + 12]) * 2,
                f" {chance.choice(FRAGMENTS)} ",
                str(chance.choice((0, 1, 2, 3, -1, 10**9, 10**30, 1e300, "0.1"))),
                chr(chance.choice((0, 9, 127, 0xA0, 0x3C0, 0x2028, 0xFEFF, 0x1F600))),
            )
        )
    return "".join(words)


mutations = st.builds(mutated, st.sampled_from(PUBLIC), st.randoms(use_true_random=False))
sequences = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(
    lambda parts: 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; ' + " ".join(parts)
)


def survives(text: str) -> None:
    # The child turns the second into the first.
    with contextlib.suppress(CircuitError, RecursionError):
        parse(read_source(text), LIMITS, {})


@settings(max_examples=400)
@given(mutations)
def test_a_mutated_public_program_parses_or_is_refused(text: str) -> None:
    survives(text)


@settings(max_examples=300)
@given(sequences)
def test_a_sequence_of_words_parses_or_is_refused(text: str) -> None:
    survives(text)


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused(text: str) -> None:
    survives(text or " ")


def run_many(programs: Iterator[str], runner: Runner) -> None:
    for text in programs:
        with contextlib.suppress(CircuitError, RecursionError):
            runner.run(as_message(Job(circuit=text, shots=10, seed=1)) | {"threads": 1})


def distinct(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{PUBLIC[-number % 100 - 1]}\n// {number}"


def test_memory_does_not_grow_with_the_number_of_tasks() -> None:
    runner = Runner(LIMITS)
    run_many(distinct(200), runner)
    before = Memory().resident_bytes()
    run_many(distinct(600), runner)
    assert Memory().resident_bytes() - before < 20 * 2**20


@pytest.mark.long
def test_memory_does_not_grow_over_10_000_tasks() -> None:
    runner = Runner(LIMITS)
    run_many(distinct(1_000), runner)
    before = Memory().resident_bytes()
    run_many(distinct(10_000), runner)
    assert Memory().resident_bytes() - before < 20 * 2**20


@pytest.mark.long
def test_hours_of_mutated_programs_leave_the_sandbox_alive() -> None:
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    chance = random.Random(seed)
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "600"))
    sandbox = Sandbox(Limits(deadline_s=10, memory_mb=1_024, max_operations=10_000))
    try:
        while time.monotonic() < end:
            text = mutated(chance.choice(PUBLIC), chance)
            try:
                sandbox.run(Job(circuit=text, shots=10))
            except CircuitError as error:
                assert "could not be understood" not in error.message, (error.message, text)
    finally:
        sandbox.close()
