"""What every expression is evaluated by, and the kinds of value that statements ask for."""

from math import prod
from typing import Any

from openqasm3 import ast

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import MAX_DIMENSIONS
from tasks_app.circuits.language.interpreter import arithmetic, measured
from tasks_app.circuits.language.interpreter.conversion import as_parameter, assigned
from tasks_app.circuits.language.interpreter.run import HANDLERS, Run, Steered
from tasks_app.circuits.language.interpreter.values import (
    BIT,
    BOOL,
    MACHINE_BITS,
    Type,
    failure,
    locate,
    unsupported,
)


def evaluate(run: Run, node: Any) -> Any:
    """What an expression stands for; bits and qubits stay references."""
    function = HANDLERS.get(type(node))
    if function is None:
        raise unsupported(f"An expression of kind {type(node).__name__}", at=node)
    try:
        return function(run, node)
    except CircuitError as error:
        locate(error, node)
        raise


def value(run: Run, node: Any) -> Any:
    """The value of an expression: known, or for the simulator to find."""
    return run.read(evaluate(run, node))


def known(found: Any) -> Any:
    """A value that no circuit can find at run time."""
    if measured.is_runtime(found):
        raise Steered
    return found


def parameter(run: Run, node: Any) -> Any:
    """A finite number, as a gate takes it; perhaps deferred."""
    return as_parameter(known(value(run, node)))


def integer(run: Run, node: Any) -> int:
    return arithmetic.exact(known(value(run, node)))


def condition(run: Run, node: Any) -> Any:
    """A bool, or an expression for the simulator."""
    return measured.condition(value(run, node))


def coerced(run: Run, found: Any, declared: Type) -> Any:
    """The value as an assignment to this type makes it."""
    found = run.read(found)
    if not measured.is_runtime(found):
        return assigned(found, declared)
    if declared == BOOL:
        return measured.condition(found)
    bits = measured.bits_of(found)
    if declared.kind == "bit" and len(bits) == max(declared.width, 1):
        return found
    if declared.kind == "uint" and len(bits) <= declared.width:
        return measured.Signal((*bits, *[False] * (declared.width - len(bits))))
    raise Steered


def type_of(run: Run, node: Any) -> Type:
    """The type that a node of the syntax tree names."""
    kind = type(node).__name__.removesuffix("Type").lower()
    if kind == "bool":
        return BOOL
    if kind in ("duration", "stretch"):
        return Type("duration")
    if kind not in ("bit", "int", "uint", "float", "angle"):
        raise unsupported(f"A variable of type {kind}", "write it with real numbers")
    if node.size is None:
        return BIT if kind == "bit" else Type(kind, MACHINE_BITS)
    width = integer(run, node.size)
    if width < 1:
        raise failure(f"A value of type {kind} has at least one bit.")
    if width > 1_024 and kind != "bit":
        raise failure(f"A value of type {kind} has 1 to 1,024 bits.")
    if kind == "float" and width not in (16, 32, 64):
        raise unsupported(f"float[{width}]", "a float has 16, 32 or 64 bits")
    return Type(kind, width)


def array_type(run: Run, node: ast.ArrayType) -> tuple[Type, tuple[int, ...]]:
    """The type of its elements, and its shape, which counts as that many steps."""
    base = type_of(run, node.base_type)
    shape = tuple(integer(run, dimension) for dimension in node.dimensions)
    if min(shape) < 1:
        raise failure("An array needs at least one element in each dimension.")
    if len(shape) > MAX_DIMENSIONS:
        raise failure(f"An array has at most {MAX_DIMENSIONS} dimensions.")
    run.count_steps(prod(shape))
    return base, shape
