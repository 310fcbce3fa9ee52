"""What PUBs of samplers and estimators have in common: a circuit, and values of its parameters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings

from tasks_app.api.content import MAX_VALUES
from tasks_app.circuits import CircuitError
from tasks_app.circuits.job import MAX_SEED, MAX_SETS
from tasks_app.circuits.qpy_file import read_metadata
from tasks_app.runtime_api.arrays import Array, check_axes, from_npy, invalid

SEED_STEP = 2113
"""Between the seeds of neighbouring parameter sets, as within a task."""
RESULT_BYTES = 6_000_000
"""Of a task's result, as far as is known before: it may have 8 MiB."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a PUB, or of an executor's item, a task is."""

    pub: int
    first: int = 0
    """The first of its parameter sets."""
    observables: list[int] = field(default_factory=list)
    """The numbers of those that it has."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A task to submit: the fields of a submission."""

    fields: dict[str, Any]
    part: Part


@dataclass(frozen=True, slots=True)
class Values:
    """An array of sets of values for a circuit's parameters."""

    array: Array
    """The last axis is that of the parameters."""
    names: list[str] | None = None
    """None: by position."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[:-1]

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def rows(self, first: int, count: int) -> list[Any]:
        """Sets as a submission has them."""
        flat = self.array.reshape(self.count, self.array.shape[-1])
        rows = flat[first : first + count].tolist()
        if self.names is not None:
            return [dict(zip(self.names, row, strict=True)) for row in rows]
        return [row or {} for row in rows]

    def fields(self, first: int, count: int) -> dict[str, Any]:
        """The fields of a submission with these; a PUB without a shape is a single set."""
        rows = self.rows(first, count)
        if self.shape:
            return {"parameter_sets": rows}
        return {"parameters": rows[0]} if rows[0] else {}


def check_names(params: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raises ApiError for a parameter that a program does not have."""
    if unknown := sorted(params.keys() - known):
        raise invalid(f"{what} has no parameter {unknown[0]!r:.80}.")


def values_of(given: Any, where: str) -> Values:
    """Raises ApiError."""
    if given is None:
        return Values(np.zeros((0,)))
    if isinstance(given, Mapping) and given.get("__type__") == "ndarray":
        given = given.get("__value__")
        values = Values(_array(from_npy(given) if isinstance(given, str) else given, where))
    elif isinstance(given, Mapping) and "__type__" not in given:
        values = _by_name(given, where)
    elif isinstance(given, list):
        values = Values(_array(given, where))
    else:
        raise invalid(f"{where}: parameter values are an array, a list, or lists by name.")
    check_count(values.count, values.array.shape[-1], where)
    return values


def check_count(sets: int, parameters: int, where: str) -> None:
    """Raises ApiError for no set of values, and for more than a request may spell out."""
    if not sets:
        raise invalid(f"{where}: there is nothing to run.")
    if sets * (parameters + 1) > MAX_VALUES:
        raise invalid(f"{where}: it has more than {MAX_VALUES:,} values of parameters.")


def _array(given: Any, where: str) -> Array:
    try:
        array = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise invalid(f"{where}: its parameter values are no array of numbers.") from None
    if array.ndim == 0:
        raise invalid(f"{where}: its parameter values are no array.")
    check_axes(array.shape)
    return array


def _by_name(given: Mapping[str, Any], where: str) -> Values:
    arrays = [_array([each], where)[0] for each in given.values()]
    try:
        together = np.broadcast_arrays(*arrays) if arrays else []
    except ValueError:
        raise invalid(f"{where}: the shapes of its parameter values do not go together.") from None
    if not arrays:
        return Values(np.zeros((0,)))
    return Values(np.stack(together, axis=-1), list(given))


def circuit_of(given: Any, where: str) -> dict[str, str]:
    """The fields of a submission with this circuit. Raises ApiError."""
    if isinstance(given, str):
        return {"circuit": given}
    if isinstance(given, Mapping) and given.get("__type__") == "QuantumCircuit":
        file = given.get("__value__")
        if isinstance(file, str):
            return {"circuit": file, "circuit_format": "qpy"}
    raise invalid(f"{where}: a circuit is QPY as the client writes it, or a text in OpenQASM.")


def written(circuit: str, circuit_format: str) -> Any:
    """The circuit as the client sent it."""
    if circuit_format == "qpy":
        return {"__type__": "QuantumCircuit", "__value__": circuit}
    return circuit


def metadata_of(circuit: str, circuit_format: str) -> str:
    """A circuit's own metadata, as JSON text."""
    if circuit_format != "qpy":
        return "{}"
    try:
        return read_metadata(circuit, settings.CIRCUIT_LIMITS.max_circuit_bytes) or "{}"
    except (CircuitError, UnicodeDecodeError):
        return "{}"


def shares_of(shots: int) -> list[int]:
    """The shots of each of the tasks that are needed for them."""
    most = settings.CIRCUIT_LIMITS.max_shots
    whole, rest = divmod(shots, most)
    return [most] * whole + [rest] * (rest > 0)


def seed_after(seed: int | None, sets: int) -> int | None:
    """The seed of the parameter sets that come after so many."""
    return None if seed is None else (seed + sets * SEED_STEP) % (MAX_SEED + 1)


def whole(value: Any, what: str, *, least: int, most: int) -> int:
    """Raises ApiError for what is no whole number within these bounds."""
    if type(value) is not int or not least <= value <= most:
        raise invalid(f"{what} is a whole number from {least:,} to {most:,}.")
    return value


def sequence(value: Any, what: str) -> list[Any]:
    """Raises ApiError for what is no list with anything in it."""
    if not isinstance(value, list) or not value:
        raise invalid(f"{what} is a list of one or more.")
    return value


def blocks(count: int, step: int) -> Iterator[tuple[int, int]]:
    """First and number of each block of neighbours."""
    step = max(1, min(step, MAX_SETS))
    for first in range(0, count, step):
        yield first, min(step, count - first)


def sets_in(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a task's result tells of each of its sets."""
    found: Sequence[Mapping[str, Any]] = result.get("sets") or [result]
    return found
