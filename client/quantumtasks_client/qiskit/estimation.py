"""An estimator's PUBs as tasks, and the results of these as its own.

A task tells all of some observables for each of some parameter sets. What a PUB asks for by
broadcasting is cut into such blocks. Their values are exact; the noise of a precision is drawn
here, as Aer's `EstimatorV2` draws it: with the seed, over the whole array.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from quantumtasks_client.operations import MAX_SETS
from quantumtasks_client.qiskit.backend import QuantumTasksBackend
from quantumtasks_client.qiskit.note import Block
from quantumtasks_client.qiskit.program import Program
from quantumtasks_client.qiskit.pubs import (
    Part,
    Told,
    by_pub,
    given,
    seed_after,
    values_of,
)

MAX_OBSERVABLES = 1_000  # of a task
MAX_TERMS = 20_000  # of all its observables
_MAX_VALUES = 50_000  # of a task
_FEW = 4_096  # values that a task may tell though nobody asked for them
_SHOTS = 10_000  # where no value is exact, and no precision asked for

Numbers = NDArray[np.intp]
Terms = dict[str, float]


def parts(
    backend: QuantumTasksBackend, pubs: Sequence[EstimatorPub], seed: int | None
) -> Iterator[Part]:
    """The tasks: one for each PUB, or some where one cannot hold it."""
    for index, pub in enumerate(pubs):
        program = backend.program(pub.circuit, "estimator")
        values, (observables, numbers) = values_of(pub, program), _different(pub, program)
        shape, precision = list(pub.parameter_values.shape), pub.precision
        whole = Block(pub=index, shape=shape, numbers=numbers, precision=precision)
        for first, sets, chosen in _blocks(whole, list(map(len, observables))):
            block = msgspec.structs.replace(whole, first=first, observables=chosen)
            note = msgspec.structs.replace(program.note, block=block)
            fields = program.fields(note) | {
                "observables": [observables[number] for number in chosen],
                "shots": _shots(precision, backend.about.max_shots),
                "seed": seed_after(seed, first),
            }
            yield Part(fields | given(values[first : first + sets], shape), note)


def _shots(precision: float, most: int) -> int:
    return min(most, math.ceil(precision**-2) if precision else _SHOTS)


def _different(pub: EstimatorPub, program: Program) -> tuple[list[Terms], Any]:
    """The different observables, and the number of each in the PUB's array of them."""
    found: dict[tuple[tuple[str, float], ...], int] = {}
    numbers = []
    for each in pub.observables.ravel().tolist():
        paulis = _in_paulis(each).items()
        terms = tuple(sorted((program.letters(pauli), weight) for pauli, weight in paulis))
        numbers.append(found.setdefault(terms, len(found)))
    return list(map(dict, found)), np.reshape(numbers, pub.observables.shape).tolist()


def _in_paulis(terms: Terms) -> Terms:
    """Without projectors, which Qiskit's observables may have."""
    if not set().union(*terms) <= set("IXYZ"):
        observable = SparseObservable.from_list(list(terms.items())).as_paulis()
        terms = dict(SparsePauliOp.from_sparse_observable(observable).simplify().to_list())
    return {pauli: float(np.real(weight)) for pauli, weight in terms.items()}


def _places(block: Block) -> tuple[Numbers, Numbers]:
    """The parameter set and the observable of each element of the PUB, by their numbers."""
    sets = np.arange(math.prod(block.shape)).reshape(block.shape)
    sets, numbers = np.broadcast_arrays(sets, np.array(block.numbers, dtype=np.intp))
    return sets, numbers


def _blocks(whole: Block, terms: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
    """The first parameter set of each task, the number of them, and its observables."""
    sets, numbers = _places(whole)
    needs: list[dict[int, None]] = [{} for _ in range(math.prod(whole.shape))]
    for each, number in zip(sets.ravel().tolist(), numbers.ravel().tolist(), strict=True):
        needs[each][number] = None
    first, asked, wanted = 0, 0, dict[int, None]()
    for end, need in enumerate(needs):
        if asked and not _fit(end + 1 - first, len(wanted | need), asked + len(need)):
            yield from ((first, end - first, some) for some in _cut(wanted, terms))
            first, asked, wanted = end, 0, {}
        asked += len(need)
        wanted |= need
    yield from ((first, len(needs) - first, some) for some in _cut(wanted, terms))


def _fit(sets: int, observables: int, asked: int) -> bool:
    told = sets * min(observables, MAX_OBSERVABLES)
    return sets <= MAX_SETS and told <= min(_MAX_VALUES, max(_FEW, 2 * asked))


def _cut(wanted: dict[int, None], terms: Sequence[int]) -> Iterator[list[int]]:
    """Observables, as many at a time as a task may have."""
    some: list[int] = []
    size = 0
    for number in wanted:
        if some and (len(some) == MAX_OBSERVABLES or size + terms[number] > MAX_TERMS):
            yield some
            some, size = [], 0
        some.append(number)
        size += terms[number]
    yield some


def result(told: Sequence[Told]) -> PrimitiveResult[PubResult]:
    """Of all PUBs, from the results of their tasks."""
    return PrimitiveResult(list(map(_pub_result, by_pub(told))), {"version": 2})


def _pub_result(told: Sequence[Told]) -> PubResult:
    first, whole = told[0], told[0].block
    sets, numbers = _places(whole)
    values, errors = np.full(sets.shape, np.nan), np.full(sets.shape, np.nan)
    for each in told:
        of_each = each.result.sets or [each.result]
        column = np.full(numbers.max(initial=0) + 1, -1)
        column[each.block.observables] = np.arange(len(each.block.observables or ()))
        row = sets - each.block.first
        here = (row >= 0) & (row < len(of_each)) & (column[numbers] >= 0)
        where = row[here], column[numbers[here]]
        values[here] = np.array([one.expectation_values for one in of_each])[where]
        errors[here] = np.array([one.standard_errors for one in of_each])[where]
    precision = whole.precision or 0.0
    if precision and first.result.metadata["sampling"] == "exact":
        generator = np.random.default_rng(first.result.metadata["seed"])
        values = np.asarray(generator.normal(values, precision, values.shape))
        errors = np.full(values.shape, precision)
    return PubResult(
        DataBin(evs=values, stds=errors, shape=values.shape),
        metadata={"target_precision": precision, "circuit_metadata": first.note.metadata or {}},
    )
