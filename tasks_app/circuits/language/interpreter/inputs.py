"""Inputs: what a task gives, as the program declares it."""

from contextlib import suppress
from typing import Any

import numpy as np
from openqasm3 import ast

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure, convert
from tasks_app.circuits.language.interpreter.deferred import conversion, element
from tasks_app.circuits.language.interpreter.run import Run
from tasks_app.circuits.language.interpreter.values import Array, Type, Variable, Word, unsupported

_Shape = tuple[int, ...]


class Misfit(ArithmeticFailure):
    """A value given for an input is none of the type that the program declares."""

    def __init__(self, name: str, declared: str, given: Any) -> None:
        CircuitError.__init__(
            self,
            "invalid_parameters",
            f"The value given for {name!r:.80} does not fit {declared:.80}: it is {_told(given)}.",
        )


def define_input(run: Run, node: ast.IODeclaration) -> None:
    """Its value is a constant, also that of an array, which gates see too."""
    name = node.identifier.name
    if not isinstance(node.type, ast.ArrayType):
        declared = _numeric(run.type_of(node.type))
        held = _given(run.input_value(name), name, declared)
        run.define(name, Variable(held, declared, constant=True))
        return
    base, shape = run.array_type(node.type)
    held = _given_array(run.input_value(name), name, _numeric(base), shape)
    items = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        items[place] = element(held, place)
    run.define(name, Variable(Array(base, items, readonly=True), base, constant=True))


def _numeric(declared: Type) -> Type:
    if declared.kind == "duration":
        raise unsupported("An input of type duration", "write it in the program")
    return declared


@conversion
def _given(given: Any, name: str, declared: Type, place: _Shape = ()) -> Any:
    """Raises Misfit."""
    whole = declared.kind in ("int", "uint", "bool", "bit")
    if isinstance(given, int if whole else int | float):
        with suppress(ArithmeticFailure):
            held = convert(given, declared)
            if not isinstance(held, Word) or not whole or held.number == given:
                return held
    raise Misfit(f"{name}[{_joined(place)}]" if place else name, str(declared), given)


@conversion
def _given_array(given: Any, name: str, base: Type, shape: _Shape) -> Any:
    """An array of values. Raises Misfit."""
    items = np.array(given, dtype=object)
    if items.shape != shape:
        raise Misfit(name, f"array[{base}, {_joined(shape)}]", given)
    for place in np.ndindex(shape):
        items[place] = _given(items[place], name, base, place)
    return items


def _joined(numbers: _Shape) -> str:
    return ", ".join(map(str, numbers))


def _told(given: Any) -> str:
    if not isinstance(given, list):
        return f"{given!r:.40}"
    items = np.array(given, dtype=object)
    if any(isinstance(each, list) for each in items.flat):
        return "made of lists of different lengths"
    return f"a list of {' x '.join(map(str, items.shape))}"
