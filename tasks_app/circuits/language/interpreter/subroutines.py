"""Subroutines: their definitions, calls, arguments and returns."""

from typing import Any

from openqasm3 import ast

from tasks_app.circuits.language.interpreter import functions
from tasks_app.circuits.language.interpreter.assignments import store
from tasks_app.circuits.language.interpreter.run import Leave, Run, handles
from tasks_app.circuits.language.interpreter.values import Array, Qubits, Variable, failure
from tasks_app.circuits.language.parse import nodes


class _Return(Leave):
    def __init__(self, value: Any) -> None:
        self.value = value


@handles(ast.SubroutineDefinition)
def _subroutine(run: Run, node: ast.SubroutineDefinition) -> None:
    if len({argument.name.name for argument in node.arguments}) < len(node.arguments):
        raise failure("Two parameters of this subroutine have the same name.")
    run.define(node.name.name, node)


@handles(ast.ExpressionStatement)
def _expression_statement(run: Run, node: ast.ExpressionStatement) -> None:
    if not isinstance(node.expression, ast.FunctionCall):
        raise failure("This statement does nothing; is something missing?")
    run.evaluate(node.expression)


@handles(ast.ReturnStatement)
def _return(run: Run, node: ast.ReturnStatement) -> None:
    raise _Return(None if node.expression is None else run.value(node.expression))


@handles(ast.FunctionCall)
def _call(run: Run, node: ast.FunctionCall) -> Any:
    name = node.name.name
    routine = run.globals.get(name)
    if isinstance(routine, ast.SubroutineDefinition):
        return _call_subroutine(run, routine, node)
    if name not in functions.FUNCTIONS:
        raise failure(f"The subroutine {name!r:.80} is not defined.")
    run.predefined.add(name)
    arguments = [run.known(argument) for argument in node.arguments]
    return functions.call(name, *arguments)


def _call_subroutine(run: Run, routine: ast.SubroutineDefinition, node: Any) -> Any:
    run.forbid_in_gate()
    run.called += 1
    if len(node.arguments) != len(routine.arguments):
        raise failure(
            f"The subroutine {routine.name.name:.80} takes {len(routine.arguments)} arguments, "
            f"not {len(node.arguments)}.",
        )
    values = [
        _argument(run, declared, given)
        for declared, given in zip(routine.arguments, node.arguments, strict=True)
    ]
    returned = None
    try:
        with run.frame() as names:
            for declared, held in zip(routine.arguments, values, strict=True):
                names[declared.name.name] = held
            run.run_block(routine.body)
    except _Return as result:
        returned = result.value
    if routine.return_type is None:
        return None
    if returned is None:
        raise failure(f"The subroutine {routine.name.name:.80} ended without a return.")
    return run.coerced(returned, run.type_of(routine.return_type))


def _argument(run: Run, declared: Any, given: Any) -> Any:
    if isinstance(declared, ast.QuantumArgument):
        qubits = run.operand(given)
        size = run.size_of(declared)
        if (len(qubits.items) if isinstance(qubits, Qubits) else None) != size:
            raise failure("The argument has another number of qubits than declared.")
        return qubits
    found = run.evaluate(given)
    if isinstance(declared.type, ast.ArrayReferenceType):
        if isinstance(given, ast.Concatenation):
            raise failure("Arrays are joined by an assignment, not in an argument.", at=given)
        array = _array_argument(run, declared, found)
        parts = nodes(given, but=ast.FunctionCall)
        if not array.readonly and any(isinstance(each, ast.DiscreteSet) for each in parts):
            raise failure("A set of elements cannot be changed by a call; give a range.", at=given)
        return array
    kind = run.type_of(declared.type)
    if kind.kind == "bit":
        bits = run.new_bits(kind.width or None)
        store(run, bits, found)
        return bits
    return Variable(run.held(found, kind), kind, depth=run.depth)


def _array_argument(run: Run, declared: Any, found: Any) -> Array:
    if not isinstance(found, Array):
        raise failure("An array is needed here.")
    readonly = declared.access is ast.AccessControl.readonly
    if found.readonly and not readonly:
        raise failure("A readonly array is given where it may be changed.")
    base = run.type_of(declared.type.base_type)
    if base != found.type:
        raise failure(f"An array of {base} is needed here, not of {found.type}.")
    dimensions = declared.type.dimensions
    if not isinstance(dimensions, list):
        wanted = run.integer(dimensions)
        if found.items.ndim != wanted:
            raise failure(f"An array of {wanted} dimensions is needed here.")
    elif tuple(run.integer(each) for each in dimensions) != found.items.shape:
        raise failure("The array has another shape than declared.")
    return Array(found.type, found.items, found.depth, readonly)
