"""Run a compiled circuit, and count."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from tasks_app.circuits.errors import result_too_large
from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation.aer import SEED_STEP, Angles
from tasks_app.circuits.simulation.branching import Branching
from tasks_app.circuits.simulation.compile import Compiled, Options
from tasks_app.circuits.simulation.rewriting import with_a_measurement
from tasks_app.circuits.simulation.sampling import in_some_order

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: dict[str, int]
    memory: list[str]
    """Of each shot, where that is asked for."""
    paths: int | None = None
    """That shots took, where those that shared their past were run as one."""


def run(
    compiled: Compiled,
    angles: Sequence[Angles],
    options: Options,
    *,
    seed: int,
    threads: int,
    limits: Limits,
) -> list[Outcome]:
    """What is counted for each of the angles. Raises CircuitError."""
    shots, memory = options.shots, "memory" in options.outputs
    if not compiled.registers:
        return [Outcome({}, [])] * len(angles)
    seeds = [seed + i * SEED_STEP for i in range(len(angles))]
    outcome, width = formatter(compiled), compiled.circuit.num_clbits

    def told(
        found: Iterable[tuple[str, int]], lines: Sequence[str], paths: int | None = None
    ) -> Outcome:
        return Outcome(merged(found, outcome), list(map(outcome, lines)), paths)

    def drawn(found: Mapping[str, int], seed: int, paths: int | None = None) -> Outcome:
        check_size(len(found) + (shots if memory else 0), width, limits)
        return told(found.items(), in_some_order(found, seed) if memory else (), paths)

    sampling = compiled.sampling
    if isinstance(sampling, Branching):
        if parted := sampling.draw(angles, shots=shots, seeds=seeds):
            pairs = zip(parted, seeds, strict=True)
            return [drawn(found, of, paths) for (found, paths), of in pairs]
        sampling = None
    data = compiled.run(
        sampling.circuit if sampling else with_a_measurement(compiled.circuit),
        angles,
        seed=seed,
        threads=threads,
        limits=limits,
        shots=1 if sampling else shots,
        memory=memory and not sampling,
    )
    if sampling:
        return [
            drawn(sampling.draw(each["probabilities"], shots=shots, seed=of), of)
            for each, of in zip(data, seeds, strict=True)
        ]

    def bits(key: str) -> str:
        return f"{int(key, 16):0{width}b}"[-width:]

    outcomes = []
    for each in data:
        found, lines = each["counts"], each.get("memory", ())
        check_size(len(found) + len(lines), width, limits)
        outcomes.append(told(((bits(key), n) for key, n in found.items()), list(map(bits, lines))))
    return outcomes


def merged(found: Iterable[tuple[str, N]], outcome: Callable[[str], str]) -> dict[str, N]:
    """What each outcome has: strings of bits that differ in hidden bits only are one."""
    amounts: dict[str, Any] = {}
    for bits, amount in found:
        shown = outcome(bits)
        amounts[shown] = amounts.get(shown, 0) + amount
    return amounts


def check_size(outcomes: int, width: int, limits: Limits) -> None:
    """Refuse a result before its strings are made."""
    if outcomes * width > limits.max_result_bytes:
        raise result_too_large(limits.max_result_bytes)


def formatter(compiled: Compiled) -> Callable[[str], str]:
    """From all bits, the last leftmost, to an outcome as Qiskit prints it: registers apart.

    A bit outside registers stands apart, which Qiskit's own formatting drops.
    """
    width, registers = compiled.circuit.num_clbits, compiled.registers
    if len(registers) == 1 and registers[0] == tuple(range(width)):
        return str
    pickers = [_picker([width - 1 - i for i in reversed(r)]) for r in reversed(registers)]
    return lambda bits: " ".join(pick(bits) for pick in pickers)


def _picker(places: list[int]) -> Callable[[str], str]:
    if places == list(range(places[0], places[-1] + 1)):
        return itemgetter(slice(places[0], places[-1] + 1))
    return lambda bits: "".join(bits[place] for place in places)
