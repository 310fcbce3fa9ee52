"""Statements that declare registers, variables, inputs, outputs and aliases."""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.language.interpreter.assignments import array_items, store
from tasks_app.circuits.language.interpreter.functions import CONSTANTS, FUNCTIONS
from tasks_app.circuits.language.interpreter.inputs import define_input
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.run import Run, handles
from tasks_app.circuits.language.interpreter.values import (
    BIT,
    Array,
    Bits,
    Duration,
    Qubits,
    Type,
    Variable,
    as_register,
    failure,
    unsupported,
)
from tasks_app.circuits.language.parse import nodes


@handles(ast.QubitDeclaration)
def _qubits(run: Run, node: ast.QubitDeclaration) -> None:
    run.declare_qubits(node.qubit.name, run.size_of(node))


@handles(ast.ClassicalDeclaration)
def _variable(run: Run, node: ast.ClassicalDeclaration) -> None:
    run.forbid_in_gate()
    name, initial = node.identifier.name, node.init_expression
    if isinstance(node.type, ast.BitType):
        size = run.size_of(node.type)
        # The initial value may use an outer variable of the same name.
        if isinstance(initial, ast.QuantumMeasurement):
            qubits = run.operand(initial.qubit)
            run.measure(qubits, run.declare_bits(name, size))
            return
        held = None if initial is None else run.evaluate(initial)
        bits = run.declare_bits(name, size)
        if initial is not None:
            store(run, bits, held)
        return
    if isinstance(node.type, ast.ArrayType):
        run.define(name, _array(run, node.type, initial))
        return
    declared = run.type_of(node.type)
    held = _zero(node.type, declared) if initial is None else run.evaluate(initial)
    held = run.held(held, declared)
    run.define(name, Variable(held, declared, depth=run.depth))


def _zero(node: Any, declared: Type) -> Any:
    if isinstance(node, ast.StretchType):
        return Duration(0.0, "stretch")
    return Duration(0.0) if declared.kind == "duration" else 0


def _array(run: Run, declared: ast.ArrayType, initial: Any) -> Array:
    base, shape = run.array_type(declared)
    if initial is None:
        items = np.empty(shape, dtype=object)
        items[...] = run.coerced(_zero(declared.base_type, base), base)
    else:
        items = array_items(run, run.evaluate(initial), base)
    if items.shape != shape:
        raise failure("The array has another shape than declared.")
    return Array(base, items, run.depth)


@handles(ast.ConstantDeclaration)
def _constant(run: Run, node: ast.ConstantDeclaration) -> None:
    check_constant(run, node.init_expression)
    held = run.evaluate(node.init_expression)
    declared = run.type_of(node.type)
    constant = Variable(run.coerced(held, declared), declared, constant=True)
    run.define(node.identifier.name, constant)


def check_constant(run: Run, node: Any) -> None:
    """Refuse an expression that is made of anything but constants."""
    for each in nodes(node, but=ast.SizeOf):
        if isinstance(each, ast.QuantumMeasurement):
            raise failure("A constant cannot depend on a measurement.", at=each)
        if isinstance(each, ast.FunctionCall) and isinstance(
            run.globals.get(each.name.name), ast.SubroutineDefinition
        ):
            raise failure(f"A constant cannot come from a call of {each.name.name!r:.80}.", at=each)
        if isinstance(each, ast.Identifier) and each.name not in {*CONSTANTS, *FUNCTIONS}:
            found = run.lookup(each.name)
            if isinstance(found, Variable | Array | Bits | Clbit) and not getattr(
                found, "constant", False
            ):
                raise failure(
                    f"A constant is made of constants; {each.name!r:.80} is a variable.", at=each
                )


@handles(ast.IODeclaration)
def _io(run: Run, node: ast.IODeclaration) -> None:
    if len(run.scopes) > 1:
        raise failure("Inputs and outputs can be declared at the top level only.")
    declare = _output if node.io_identifier is ast.IOKeyword.output else define_input
    declare(run, node)


def declare_rest(run: Run, statements: Iterable[Any]) -> None:
    """Declare what stands behind `end`: the outcome has the same registers wherever a shot ends."""
    for each in statements:
        if isinstance(each, ast.ClassicalDeclaration) and isinstance(each.type, ast.BitType):
            each = copy.copy(each)
            each.init_expression = None
            run.execute(each)
        elif isinstance(each, ast.ConstantDeclaration | ast.QubitDeclaration | ast.IODeclaration):
            run.execute(each)


def _output(run: Run, node: ast.IODeclaration) -> None:
    name = node.identifier.name
    if isinstance(node.type, ast.BitType):
        run.declare_bits(name, run.size_of(node.type))
        run.outputs.append(name)
        return
    if isinstance(node.type, ast.ArrayType):
        raise unsupported("An output of type array", "declare its elements one by one")
    declared = run.type_of(node.type)
    if declared.kind in ("float", "duration"):
        raise unsupported(f"An output of type {declared.kind}", "declare bits or an integer")
    if run.paths is None:
        raise Steered
    run.check_known(name, declared)
    run.define(name, Variable(run.coerced(_zero(node.type, declared), declared), declared))
    run.outputs.append(name)


@handles(ast.AliasStatement)
def _alias(run: Run, node: Any) -> None:
    aliased = node.value
    if isinstance(aliased, ast.DiscreteSet):  # Of loose bits.
        aliased = aliased.values[0]
        found = as_register(run.evaluate(aliased))
    else:
        found = run.evaluate(aliased)
    if _are_constant_bits(run, aliased):
        found = Variable(found, BIT, constant=True)
    if isinstance(found, Array):
        raise unsupported("An alias of an array", "write the array's own name")
    if not isinstance(found, Qubits | Qubit | Bits | Clbit | Variable):
        raise failure("Only quantum and bit registers can have an alias.")
    run.define(node.target.name, found)


def _are_constant_bits(run: Run, node: Any) -> bool:
    match node:
        case ast.Identifier():
            found = run.lookup(node.name)
            constant = isinstance(found, Variable) and found.constant
            return constant and found.type is not None and found.type.kind == "bit"
        case ast.IndexExpression():
            return _are_constant_bits(run, node.collection)
        case ast.Concatenation():
            return _are_constant_bits(run, node.lhs) and _are_constant_bits(run, node.rhs)
    return False


@handles(ast.Include)
def _include(run: Run, node: ast.Include) -> None:
    run.include(node.filename)
