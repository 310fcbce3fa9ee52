"""Ranges and indices, and the parts of registers, arrays and numbers that they name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from openqasm3 import ast

from tasks_app.circuits.language.interpreter.deferred import decided
from tasks_app.circuits.language.interpreter.measured import Signal
from tasks_app.circuits.language.interpreter.run import Run
from tasks_app.circuits.language.interpreter.values import Array, Bits, Qubits, Type, Word, failure


def range_of(run: Run, node: ast.RangeDefinition, length: int | None = None) -> range:
    """Both ends included, as OpenQASM has it; open ends need `length`."""
    step = 1 if node.step is None else run.integer(node.step)
    if step == 0:
        raise failure("The step of a range must not be 0.")
    if length is None and (node.start is None or node.end is None):
        raise failure("This range needs a start and an end.")
    last = (length or 0) - 1
    start = _end(run, node.start, 0 if step > 0 else last, length)
    end = _end(run, node.end, last, length)  # The grammar has no step without an end.
    return range(start, end + (1 if step > 0 else -1), step)


def _end(run: Run, node: Any, default: int, length: int | None) -> int:
    if node is None:
        return default
    found = run.integer(node)
    return found + length if length is not None and found < 0 else found


def places_of(run: Run, index: Any, length: int) -> int | list[int]:
    """Where one index, range or set points to in a collection of this length."""
    if isinstance(index, ast.RangeDefinition):
        found = list(range_of(run, index, length)[: length + 1])
    else:
        items = index.values if isinstance(index, ast.DiscreteSet) else [index]
        found = [_end(run, item, 0, length) for item in items]
    for place in found:
        if not 0 <= place < length:
            written = place if place > 0 else place - length
            raise failure(f"Index {written} is outside 0 to {length - 1}.")
    single = not isinstance(index, ast.DiscreteSet | ast.RangeDefinition)
    return found[0] if single else found


def indices_of(index: Any) -> list[Any]:
    """Those in one pair of brackets."""
    return [index] if isinstance(index, ast.DiscreteSet) else index


def part(run: Run, whole: Any, index: Any) -> Any:
    """The part of a register, an array or a number that an index names."""
    indices = indices_of(index)
    if isinstance(whole, Array):
        found = whole.items[selected(run, whole, indices)]
        if isinstance(found, np.ndarray):
            return Array(whole.type, found, whole.depth, whole.readonly)
        return found
    for each in indices:
        whole = _part(run, whole, each)
    return whole


def _part(run: Run, whole: Any, index: Any) -> Any:
    length = length_of(whole)
    places = places_of(run, index, length)
    if isinstance(whole, Qubits | Bits | Signal):
        if isinstance(places, int):
            return whole.items[places]
        return type(whole)(tuple(whole.items[place] for place in places))
    pattern = whole.pattern
    if isinstance(places, int):
        return bool(pattern >> places & 1)
    picked = sum((pattern >> place & 1) << i for i, place in enumerate(places))
    return Word(Type("bit", len(places)), picked)


def length_of(whole: Any) -> int:
    whole = decided(whole)
    if isinstance(whole, Qubits | Bits | Signal):
        return len(whole.items)
    if isinstance(whole, Word) and whole.type.kind != "float":
        return whole.type.width
    raise failure("This has no elements.")


def selected(run: Run, array: Array, indices: Sequence[Any]) -> Any:
    """The key of NumPy for these indices, as slices wherever they can be: those share memory."""
    if len(indices) > array.items.ndim:
        raise failure(f"This array has {array.items.ndim} dimensions.")
    key: list[Any] = []
    for index, length in zip(indices, array.items.shape, strict=False):
        places = places_of(run, index, length)
        key.append(_slice(places) if isinstance(index, ast.RangeDefinition) else places)
    return tuple(key)


def _slice(places: Any) -> slice:
    if not places:
        return slice(0, 0)
    step = places[1] - places[0] if len(places) > 1 else 1
    stop = places[-1] + (1 if step > 0 else -1)
    return slice(places[0], None if stop < 0 else stop, step)
