"""What the tasks of samplers' and of estimators' PUBs have in common."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from quantumtasks_client.models import Result
from quantumtasks_client.operations import SEED_STEP
from quantumtasks_client.qiskit.note import Block, Note
from quantumtasks_client.qiskit.program import Program

_SEEDS = 2**53  # that the service takes


@dataclass(frozen=True, slots=True)
class Part:
    """A task to submit: a PUB, or a part of one."""

    fields: dict[str, Any]
    """Of the submission."""
    note: Note


@dataclass(frozen=True, slots=True)
class Told:
    """A task's result, and what its program tells."""

    note: Note
    result: Result

    @property
    def block(self) -> Block:
        """Which part of a PUB the task is."""
        assert self.note.block is not None
        return self.note.block


def shares_of(shots: int, most: int) -> list[int]:
    """The shots of each of the tasks that are needed for them, of which one has `most` at most."""
    whole, rest = divmod(shots, most)
    return [most] * whole + [rest] * (rest > 0 or not whole)


def seed_after(seed: int | None, sets: int) -> int | None:
    """The seed of the parameter sets that come after so many: no two have the same."""
    return None if seed is None else (seed + sets * SEED_STEP) % _SEEDS


def values_of(pub: Any, program: Program) -> list[dict[str, float]]:
    """The values of the program's inputs, for each element of a PUB's array of parameters."""
    if not pub.size:
        raise ValueError(f"A PUB has nothing to run: its shape is {pub.shape}.")
    parameters = pub.circuit.parameters
    rows = pub.parameter_values.as_array(parameters)
    rows = rows.reshape(math.prod(pub.parameter_values.shape), len(parameters))
    return [program.values(row) for row in rows.tolist()]


def given(values: list[dict[str, float]], shape: Sequence[int]) -> dict[str, Any]:
    """The fields with these values; without a shape they are one set, perhaps an empty one."""
    if shape:
        return {"parameter_sets": values}
    return {"parameters": values[0]} if values[0] else {}


def by_pub(told: Iterable[Told]) -> Iterable[Sequence[Told]]:
    """The results of each PUB, in order."""
    pubs: dict[int, list[Told]] = {}
    for each in told:
        pubs.setdefault(each.block.pub, []).append(each)
    return (pubs[index] for index in sorted(pubs))
