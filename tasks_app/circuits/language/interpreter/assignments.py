"""Statements that write classical values: measurements and assignments."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.deferred import decided
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.parts import indices_of, places_of, selected
from tasks_app.circuits.language.interpreter.run import Run, handles, name_of
from tasks_app.circuits.language.interpreter.values import (
    Array,
    Bits,
    Type,
    Variable,
    Word,
    failure,
    flat,
    wrapped,
)


@handles(ast.QuantumMeasurement)
def _measurement(run: Run, node: ast.QuantumMeasurement) -> Any:
    """Measure into hidden bits."""
    source = run.operand(node.qubit)
    size = None if isinstance(source, Qubit) else len(source.items)
    target = run.new_bits(size)
    run.measure(source, target)
    return target


@handles(ast.QuantumMeasurementStatement)
def _measure(run: Run, node: ast.QuantumMeasurementStatement) -> None:
    if node.target is None:
        run.evaluate(node.measure)
        return
    found = run.lookup(name_of(node.target))
    if isinstance(found, Variable | Array):
        _check_target(run, node.target)
        _assign(run, node.target, run.evaluate(node.measure))
        return
    run.measure(run.operand(node.measure.qubit), run.evaluate(node.target))


@handles(ast.ClassicalAssignment)
def _assignment(run: Run, node: ast.ClassicalAssignment) -> None:
    # An indexed identifier is no expression to the type checker.
    target: Any = node.lvalue
    # Before the value, which it need not have in a block that never runs.
    _check_target(run, target)
    if node.op.name == "=":
        _assign(run, target, run.evaluate(node.rvalue))
        return
    if isinstance(target, ast.IndexedIdentifier):
        target = ast.IndexedIdentifier(target.name, _settled(run, target.indices))
    if node.op.name == "~=":
        raise failure("What `~=` does is specified nowhere; write `a = ~b`.")
    operation = ast.BinaryOperator[node.op.name.removesuffix("=")]
    combined = ast.BinaryExpression(op=operation, lhs=target, rhs=node.rvalue)
    _assign(run, target, run.value(combined))


def _settled(run: Run, index: Any) -> Any:
    """The index as literals, which can be read twice."""
    if isinstance(index, list):
        return [_settled(run, each) for each in index]
    if isinstance(index, ast.DiscreteSet):
        return ast.DiscreteSet(_settled(run, index.values))
    if isinstance(index, ast.RangeDefinition):
        ends = (index.start, index.end, index.step)
        return ast.RangeDefinition(*(end and _settled(run, end) for end in ends))
    return ast.IntegerLiteral(run.integer(index))


def _check_target(run: Run, lvalue: Any) -> None:
    """Refuse to write to a constant; raise Steered where what is written is known too late."""
    name = name_of(lvalue)
    found = run.lookup(name)
    if isinstance(found, Array) and found.readonly:
        raise failure("This array is readonly; declare the parameter `mutable`.")
    if isinstance(found, Variable) and found.constant:
        raise failure(f"{name!r:.80} is a constant and cannot be assigned to.")
    if isinstance(found, Array | Variable) and found.depth < run.depth:
        raise Steered


def _assign(run: Run, lvalue: Any, new: Any) -> None:
    """Write to a variable, to bits, or to a part of either."""
    indices = lvalue.indices if isinstance(lvalue, ast.IndexedIdentifier) else []
    found = run.lookup(name_of(lvalue))
    if isinstance(found, Array):
        _assign_array(run, found, indices, new)
    elif isinstance(found, Variable):
        found.value = _changed(run, found.value, found.type, indices, new)
    else:
        store(run, run.evaluate(lvalue), new)


def _changed(run: Run, old: Any, declared: Any, indices: Any, new: Any) -> Any:
    """The value of a variable or an element after writing to all of it or to some of its bits."""
    if not indices:
        return run.held(new, declared)
    index, *more = [each for brackets in indices for each in indices_of(brackets)]
    if more:
        raise failure("A number has one index.")
    if not isinstance(decided(old), Word) or old.type.kind == "float":
        raise failure(f"A value of type {declared} has no bits to assign.")
    places = places_of(run, index, old.type.width)
    spots = [places] if isinstance(places, int) else places
    bits = decided(run.held(new, Type("bit", len(spots)))).number
    pattern = old.pattern
    for i, place in enumerate(spots):
        pattern = pattern & ~(1 << place) | (bits >> i & 1) << place
    return wrapped(old.type, pattern)


def _assign_array(run: Run, array: Array, indices: Any, new: Any) -> None:
    rest, old = list(indices), array.items
    key: Any = ...
    while rest and isinstance(old, np.ndarray):  # One pair of brackets after the other.
        array = replace(array, items=old)
        index = rest.pop(0)
        if rest and isinstance(index, ast.DiscreteSet):
            raise failure("A set of elements is written to as a whole.")
        key = selected(run, array, indices_of(index))
        old = array.items[key]
    if not isinstance(old, np.ndarray):  # The rest names bits of an element.
        array.items[key] = _changed(run, old, array.type, rest, new)
        return
    items = array_items(run, new, array.type)
    if items.shape != old.shape:
        raise failure(f"The array has another shape: {_shape(items)} is assigned to {_shape(old)}.")
    array.items[key] = items


def _shape(items: Any) -> str:
    return " x ".join(map(str, items.shape)) or "a number"


def array_items(run: Run, new: Any, base: Type) -> Any:
    """A copy of an array or of a literal as an array of this type holds it."""
    if not isinstance(new, Array | list):
        raise failure("An array is needed here.")
    items = np.array(new, dtype=object) if isinstance(new, list) else new.items
    if any(isinstance(each, list) for each in items.flat):
        raise failure("The rows of this array have different lengths.")
    return np.frompyfunc(lambda each: run.held(each, base), 1, 1)(items)


def store(run: Run, target: Any, new: Any) -> None:
    """Write a value to bits."""
    if not isinstance(target, Bits | Clbit):
        raise failure("This cannot be assigned to.")
    bits = flat(target)
    if isinstance(new, Bits | Clbit) and len(flat(new)) != len(bits):
        raise failure(f"{len(flat(new))} bits are assigned to {len(bits)}.")
    held = run.coerced(new, Type("bit", len(bits)))
    values: Sequence[Any] = measured.bits_of(held)
    if run.paths is None:
        values = _unshared(run, bits, values)
    run.store(bits, values)


def _unshared(run: Run, bits: Sequence[Clbit], values: Sequence[Any]) -> Sequence[Any]:
    """The values as if all bits were stored at once: none reads a bit stored before it."""
    stored: set[Any] = set()
    for bit, held in zip(bits, values, strict=True):
        if any(variable.var in stored for variable in expr.iter_vars(expr.lift(held))):
            return [each if isinstance(each, bool) else run.keep(each) for each in values]
        stored.add(bit)
    return values
