"""Does the product answer what the guard computes, or refuse by name?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tasks_app.circuits import CircuitError, Job, Limits
from tasks_app.circuits.job import as_message
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.tests.circuits.guard.interpreter import Answer, answer
from tasks_app.tests.circuits.guard.values import Unspecified

SHOTS = 500
_LIMIT = 28.0
"""Of `surprise`: right counts reach it once in 10**12 outcomes."""
_NO_REFUSAL = ("internal_error", "simulation_failed", "syntax_error")
_TOO_LARGE = ("too_many_clbits", "too_many_operations")


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: Literal["right", "refused", "unspecified", "wrong"]
    detail: str = ""
    met: frozenset[str] = frozenset()


def compare(runner: Runner, text: str, inputs: Mapping[str, Any]) -> Verdict:
    """Run a program on both. Anything but a CircuitError that the product raises is a fault."""
    try:
        right = answer(text, inputs)
    except Unspecified as error:
        return Verdict("unspecified", str(error))
    job = Job(circuit=text, shots=SHOTS, seed=7, parameters=inputs)
    try:
        counts = runner.run(as_message(job) | {"threads": 1})["counts"]
    except CircuitError as error:
        detail = f"{error.code}: {error.message}"
        if error.code in _NO_REFUSAL or (error.line is None and error.code not in _TOO_LARGE):
            return Verdict("wrong", f"refused without a place or a reason: {detail}")
        return Verdict("refused", detail)
    if surprise(counts, right) < _LIMIT:
        return Verdict("right", met=right.met)
    return _other_reading(text, inputs, right, counts)


def _other_reading(
    text: str, inputs: Mapping[str, Any], right: Answer, counts: Mapping[str, int]
) -> Verdict:
    """The specification allows two types of a literal beside a variable."""
    if right.literals_mixed:
        try:
            other = answer(text, inputs, literals_adapt=True)
        except Unspecified as error:
            return Verdict("unspecified", str(error))
        if surprise(counts, other) < _LIMIT:
            return Verdict("right", met=other.met)
    return Verdict("wrong", f"{dict(counts)} where {right.probabilities} is right")


def surprise(counts: Mapping[str, int], right: Answer) -> float:
    """Of the outcome least to be expected: -log of a bound on the chance of such a count.

    It is Chernoff's: n·D(x‖p) for x·n of n shots where p was to be expected. An outcome that
    cannot be is infinitely surprising.
    """
    shots = sum(counts.values())
    if not shots:
        return math.inf
    outcomes = {key for key, p in right.probabilities.items() if p > 1e-9} | counts.keys()
    return max(
        shots * _divergence(counts.get(key, 0) / shots, right.probabilities.get(key, right.lost))
        for key in outcomes
    )


def _divergence(seen: float, expected: float) -> float:
    expected = min(expected, 1.0) if expected > 1e-9 else 0.0
    return sum(
        part * math.log(part / of) if of else math.inf
        for part, of in ((seen, expected), (1 - seen, 1 - expected))
        if part
    )


def new_runner() -> Runner:
    return Runner(Limits(max_operations=20_000))
