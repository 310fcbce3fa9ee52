"""The program `estimator`: a task tells all of some observables for each of some parameter sets.

What a PUB asks for by broadcasting is cut into such blocks.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from tasks_app.circuits.job import MAX_OBSERVABLES, MAX_SEED, MAX_SETS, MAX_TERMS, is_number
from tasks_app.runtime_api import options, pubs
from tasks_app.runtime_api.arrays import as_npy, check_axes, invalid
from tasks_app.runtime_api.pubs import Part, Piece, Values
from tasks_app.runtime_api.results import Ended, EndedOf, fragment

DEFAULT_PRECISION = 1 / 64
_MAX_VALUES = 50_000  # of a task
_FEW = 4_096  # values that a task may tell though nobody asked for them
_MOST = 200_000  # elements of a PUB's array
_PROJECTORS = {
    **{"0": ("Z", 1), "1": ("Z", -1), "+": ("X", 1), "-": ("X", -1)},
    **{"r": ("Y", 1), "l": ("Y", -1)},
}
_PHYSICAL = re.compile(r"\$(\d{1,6})\b")

Numbers = NDArray[np.intp]
Terms = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Pub:
    circuit: Mapping[str, str]
    observables: list[Terms]
    """The different ones."""
    numbers: Numbers
    """The PUB's array of them, by their numbers."""
    values: Values
    precision: float

    @property
    def places(self) -> tuple[Numbers, Numbers]:
        """The parameter set and the observable of each element of the result."""
        sets = np.arange(self.values.count).reshape(self.values.shape)
        try:
            together = np.broadcast_shapes(sets.shape, self.numbers.shape)
        except ValueError:
            raise invalid("The shapes of observables and values do not go together.") from None
        if math.prod(together) > _MOST:
            raise invalid(f"A PUB has at most {_MOST:,} expectation values.")
        return np.broadcast_to(sets, together), np.broadcast_to(self.numbers, together)


def pieces(params: Mapping[str, Any], *, noisy: bool = False) -> Iterator[Piece]:
    """Raises ApiError for what is no such program."""
    known = {"pubs", "options", "version", "support_qiskit", "precision", "resilience_level"}
    pubs.check_names(params, known, "An estimator")
    if params.get("version", 2) != 2:
        raise invalid("Only version 2 of the estimator is supported.")
    level = {name: params[name] for name in ("resilience_level",) if name in params}
    options.checked(level, options.ESTIMATOR, noisy=noisy)
    chosen = options.checked(params.get("options"), options.ESTIMATOR, noisy=noisy)
    seed = _seed(chosen)
    for index, pub in enumerate(_pubs(params)):
        for first, count, some in _blocks(pub):
            yield Piece(
                {
                    **pub.circuit,
                    **pub.values.fields(first, count),
                    "observables": [pub.observables[number] for number in some],
                    "precision": pub.precision,
                    "shots": min(shots_for(pub.precision), settings.CIRCUIT_LIMITS.max_shots),
                    "seed": pubs.seed_after(seed, first),
                },
                Part(index, first, some),
            )


def shots_for(precision: float) -> int:
    """How many give this standard error."""
    return math.ceil(round(precision**-2, 6))


def _seed(chosen: Mapping[str, Any]) -> int | None:
    given = chosen.get("seed_estimator")
    if given is None:
        given = options.nested(chosen, "simulator", "seed_simulator")
    if given is None:
        return None
    return pubs.whole(given, "A seed", least=0, most=MAX_SEED)


def _pubs(params: Mapping[str, Any]) -> Iterator[_Pub]:
    default = _default_precision(params)
    for index, given in enumerate(pubs.sequence(params.get("pubs"), "pubs")):
        where = f"PUB {index}"
        parts = pubs.sequence(given, where)
        if not 2 <= len(parts) <= 4:
            raise invalid(f"{where} needs a circuit, observables, and perhaps values, precision.")
        circuit, observables, values, precision = (*parts, None, None)[:4]
        written = pubs.circuit_of(circuit, where) if circuit is not None else {}
        different, numbers = _different(observables, written.get("circuit", ""), where)
        precision = _precision(default if precision is None else precision, where)
        yield _Pub(written, different, numbers, pubs.values_of(values, where), precision)


def _default_precision(params: Mapping[str, Any]) -> Any:
    chosen = params.get("options") or {}
    if shots := options.twirled_shots(chosen):
        return 1 / math.sqrt(shots)
    given = params.get("precision") or chosen.get("default_precision")
    if given is None and chosen.get("default_shots"):
        shots = pubs.whole(chosen["default_shots"], "default_shots", least=1, most=10**9)
        return 1 / math.sqrt(shots)
    return DEFAULT_PRECISION if given is None else given


def _precision(value: Any, where: str) -> float:
    if not is_number(value) or not 1e-6 <= value <= 1:
        raise invalid(f"{where}: a precision is a number from 0.000001 to 1.")
    return float(value)


# -- observables -------------------------------------------------------------------------------


def _different(given: Any, program: str, where: str) -> tuple[list[Terms], Numbers]:
    """The different observables, and the number of each in the array of them."""
    found: dict[tuple[tuple[str, float], ...], int] = {}
    numbers: list[int] = []
    shape = _shape(given, where)
    for each in _leaves(given):
        terms = tuple(sorted(_in_paulis(each, where).items()))
        numbers.append(found.setdefault(terms, len(found)))
    different = [dict(terms) for terms in found]
    return _narrowed(different, program), np.reshape(np.array(numbers, np.intp), shape)


def _shape(given: Any, where: str) -> tuple[int, ...]:
    shape = []
    level = [given]
    while any(isinstance(each, list) for each in level):
        sizes = {len(each) if isinstance(each, list) else -1 for each in level}
        (size, *others) = sizes
        if others or size < 1:
            raise invalid(f"{where}: its observables are no array.")
        shape.append(size)
        check_axes(shape)
        level = [inner for each in level for inner in each]
    return tuple(shape)


def _leaves(given: Any) -> Iterator[Any]:
    if isinstance(given, list):
        for each in given:
            yield from _leaves(each)
    else:
        yield given


def _in_paulis(given: Any, where: str) -> Terms:
    """Without projectors, which Qiskit's observables may have."""
    terms = {given: 1.0} if isinstance(given, str) else given
    if not isinstance(terms, dict) or not terms or not all(map(is_number, terms.values())):
        raise invalid(f"{where}: an observable is an object of Pauli strings and numbers.")
    if "__type__" in terms:
        raise invalid(f"{where}: an observable of the type {terms['__type__']!r:.40} is not known.")
    whole: Terms = {}
    for letters, weight in terms.items():
        for pauli, part in _without_projectors(letters, where):
            whole[pauli] = whole.get(pauli, 0.0) + weight * part
    return {pauli: float(weight) for pauli, weight in whole.items() if weight} or {
        "I" * len(next(iter(whole))): 0.0
    }


def _without_projectors(letters: str, where: str) -> Iterator[tuple[str, float]]:
    places = [place for place, letter in enumerate(letters) if letter in _PROJECTORS]
    if 2 ** len(places) > MAX_TERMS:
        raise invalid(f"{where}: an observable has more than {MAX_TERMS:,} terms.")
    for choice in itertools.product((False, True), repeat=len(places)):
        pauli, weight = list(letters), 0.5 ** len(places)
        for place, taken in zip(places, choice, strict=True):
            letter, sign = _PROJECTORS[letters[place]]
            pauli[place] = letter if taken else "I"
            weight *= sign if taken else 1
        yield "".join(pauli), weight


def _narrowed(observables: list[Terms], program: str) -> list[Terms]:
    """Without the letters of physical qubits above the highest that a text names: it has no others.

    QRMI writes such texts, and observables as wide as the backend.
    """
    named = [int(number) for number in _PHYSICAL.findall(program)]
    if not named:
        return observables
    paulis = [pauli for terms in observables for pauli in terms]
    width = max(max(named) + 1, *(len(pauli.lstrip("I")) for pauli in paulis))
    return [{pauli[-width:]: weight for pauli, weight in t.items()} for t in observables]


# -- blocks ------------------------------------------------------------------------------------


def _blocks(pub: _Pub) -> Iterator[tuple[int, int, list[int]]]:
    """The first parameter set of each task, the number of them, and its observables."""
    sets, numbers = pub.places
    needs: list[dict[int, None]] = [{} for _ in range(pub.values.count)]
    for each, number in zip(sets.ravel().tolist(), numbers.ravel().tolist(), strict=True):
        needs[each][number] = None
    first, asked, wanted = 0, 0, dict[int, None]()
    for end, need in enumerate(needs):
        if asked and not _fit(end + 1 - first, len(wanted | need), asked + len(need)):
            yield from ((first, end - first, some) for some in _cut(wanted, pub.observables))
            first, asked, wanted = end, 0, {}
        asked += len(need)
        wanted |= need
    yield from ((first, len(needs) - first, some) for some in _cut(wanted, pub.observables))


def _fit(sets: int, observables: int, asked: int) -> bool:
    told = sets * min(observables, MAX_OBSERVABLES)
    return sets <= MAX_SETS and told <= min(_MAX_VALUES, max(_FEW, 2 * asked))


def _cut(wanted: dict[int, None], observables: Sequence[Terms]) -> Iterator[list[int]]:
    """Observables, as many at a time as a task may have."""
    some: list[int] = []
    size = 0
    for number in wanted:
        terms = len(observables[number])
        if some and (len(some) == MAX_OBSERVABLES or size + terms > MAX_TERMS):
            yield some
            some, size = [], 0
        some.append(number)
        size += terms
    yield some


# -- the result --------------------------------------------------------------------------------


def result(params: Mapping[str, Any], ended: EndedOf) -> Any:
    """What the client's decoder makes a `PrimitiveResult` of."""
    found = [_pub_result(pub, ended(index)) for index, pub in enumerate(_pubs(params))]
    return {
        "__type__": "PrimitiveResult",
        "__value__": {"pub_results": found, "metadata": {"version": 2}},
    }


def _pub_result(pub: _Pub, ended: Sequence[Ended]) -> Any:
    sets, numbers = pub.places
    values, errors = np.full(sets.shape, np.nan), np.full(sets.shape, np.nan)
    for each in ended:
        told = pubs.sets_in(each.result)
        column = np.full(int(numbers.max(initial=0)) + 1, -1)
        column[each.part.observables] = np.arange(len(each.part.observables))
        row = sets - each.part.first
        here = (row >= 0) & (row < len(told)) & (column[numbers] >= 0)
        where = row[here], column[numbers[here]]
        values[here] = np.array([one["expectation_values"] for one in told])[where]
        errors[here] = np.array([one["standard_errors"] for one in told])[where]
    data = {
        "field_names": ["evs", "stds"],
        "field_types": ["ndarray", "ndarray"],
        "shape": list(values.shape),
        "fields": {"evs": as_npy(values), "stds": as_npy(errors)},
    }
    metadata = {
        "shots": shots_for(pub.precision),
        "target_precision": pub.precision,
        "circuit_metadata": fragment(pubs.metadata_of(*ended[0].circuit)),
    }
    return {
        "__type__": "PubResult",
        "__value__": {"data": {"__type__": "DataBin", "__value__": data}, "metadata": metadata},
    }
