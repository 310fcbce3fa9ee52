"""Classical statements of OpenQASM 3."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from openqasm3 import ast

from tasks_app.tests.circuits.guard.arithmetic import Arithmetic
from tasks_app.tests.circuits.guard.expressions import Expressions
from tasks_app.tests.circuits.guard.memory import Array, Bit, Bits, Qubits, Variable, scalar
from tasks_app.tests.circuits.guard.values import FLOAT, INT, Type, Unspecified, Value, convert

_MAX_STEPS = 2_000
_MAX_CALLS = 50


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class ProgramEnd(Exception):
    """The statement `end`."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Statements(Expressions):
    """Executes one statement after the other."""

    def __init__(self, arithmetic: Arithmetic, inputs: Mapping[str, Any]) -> None:
        super().__init__(arithmetic)
        self.registers: list[Bits] = []
        self.outputs: list[Bits] = []
        self._inputs = inputs
        self._steps = self._calls = 0

    def measure(self, node: Any) -> Value:
        """The bits that the qubits of the node are found in."""
        raise NotImplementedError

    def block(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise Unspecified("too many steps")
            self.evaluate(statement)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self.scopes.append({})
        try:
            yield
        finally:
            self.scopes.pop()

    def _inner_block(self, statements: Sequence[Any]) -> None:
        with self._scope():
            self.block(statements)

    def _given(self, node: Any) -> Any:
        """What stands on the right of an assignment."""
        return (
            self.measure(node) if isinstance(node, ast.QuantumMeasurement) else self.evaluate(node)
        )

    # Declarations.

    def declare(self, name: str, type_node: Any, value: Any = None) -> Any:
        """A new variable, register or array in the innermost scope, with a copy of the value."""
        if name in self.scopes[-1]:
            raise Unspecified(f"the name {name} twice")
        if isinstance(type_node, ast.ArrayType):
            shape = [self.whole(size) for size in type_node.dimensions]
            made: Any = Array.new(self.type_of(type_node.base_type), shape)
        elif isinstance(type_node, ast.BitType):
            width = self.type_of(type_node).width
            made = Bits(tuple(Bit() for _ in range(width)), single=type_node.size is None)
        else:
            made = Variable(self.type_of(type_node))
        if value is not None:
            made.assign(value)
        self.scopes[-1][name] = made
        return made

    def _literal_array(self, node: Any, type: Type) -> Array:
        rows = [
            self._literal_array(each, type).items
            if isinstance(each, ast.ArrayLiteral)
            else self._row(each, type)
            for each in node.values
        ]
        items = np.empty((len(rows), *np.shape(rows[0])), dtype=object)
        for place, row in enumerate(rows):
            items[place] = row
        return Array(type, items)

    def _row(self, node: Any, type: Type) -> Any:
        found = self.evaluate(node)
        return found.items if isinstance(found, Array) else convert(scalar(found), type)

    def _ClassicalDeclaration(self, node: ast.ClassicalDeclaration) -> None:
        type, value = node.type, node.init_expression
        if isinstance(type, ast.ArrayType) and isinstance(value, ast.ArrayLiteral):
            given: Any = self._literal_array(value, self.type_of(type.base_type))
        else:
            given = None if value is None else self._given(value)
        made = self.declare(node.identifier.name, type, given)
        if isinstance(made, Bits) and len(self.scopes) == 1:
            self.registers.append(made)

    def _ConstantDeclaration(self, node: ast.ConstantDeclaration) -> None:
        value = convert(self.value(node.init_expression), self.type_of(node.type))
        self.scopes[-1][node.identifier.name] = value

    def _IODeclaration(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier.name == "output":
            made = self.declare(name, node.type)
            if not isinstance(made, Bits):
                raise Unspecified("an output that is no bits")
            self.outputs.append(made)
            return
        given = self._inputs[name]
        if not isinstance(node.type, ast.ArrayType):
            self.declare(name, node.type, _as_value(given))
            return
        items = np.array(given, dtype=object)
        for place in np.ndindex(items.shape):
            items[place] = _as_value(items[place])
        type = self.type_of(node.type.base_type)
        self.declare(name, node.type, Array(type, items))
        self.arithmetic.met.add("input array")

    def _AliasStatement(self, node: ast.AliasStatement) -> None:
        self.scopes[-1][node.target.name] = self.evaluate(node.value)

    # Assignments.

    def _ClassicalAssignment(self, node: ast.ClassicalAssignment) -> None:
        operation = node.op.name.removesuffix("=")
        if isinstance(node.rvalue, ast.ArrayLiteral):
            target = self.evaluate(node.lvalue)
            value: Any = self._literal_array(node.rvalue, target.type)
        elif operation:
            value = self.value(node.rvalue)
            target = self.evaluate(node.lvalue)
            value = self.arithmetic.binary(operation, scalar(target), value)
        else:
            value = self._given(node.rvalue)
            target = self.evaluate(node.lvalue)
        self._assign(target, value)

    def _assign(self, target: Any, value: Any) -> None:
        if not hasattr(target, "assign"):
            raise Unspecified("an assignment to a constant")
        target.assign(value)

    def _QuantumMeasurementStatement(self, node: ast.QuantumMeasurementStatement) -> None:
        value = self.measure(node.measure)
        if node.target is not None:
            self._assign(self.evaluate(node.target), value)

    # Control flow.

    def _CompoundStatement(self, node: ast.CompoundStatement) -> None:
        self._inner_block(node.statements)

    def _BranchingStatement(self, node: ast.BranchingStatement) -> None:
        self.arithmetic.met.add("if")
        self._inner_block(node.if_block if self.holds(node.condition) else node.else_block)

    def _WhileLoop(self, node: ast.WhileLoop) -> None:
        self.arithmetic.met.add("while")
        try:
            while self.holds(node.while_condition):
                self._iteration(node.block)
        except _Break:
            pass

    def _ForInLoop(self, node: ast.ForInLoop) -> None:
        self.arithmetic.met.add("for")
        try:
            for value in self.elements(node.set_declaration):
                with self._scope():
                    self.declare(node.identifier.name, node.type, value)
                    self._iteration(node.block)
        except _Break:
            pass

    def _iteration(self, block: Sequence[Any]) -> None:
        with suppress(_Continue):
            self._inner_block(block)

    def _SwitchStatement(self, node: ast.SwitchStatement) -> None:
        self.arithmetic.met.add("switch")
        target = self.value(node.target)
        if target.kind not in ("int", "uint"):
            raise Unspecified(f"a switch on {target.kind}")
        for labels, body in node.cases:
            if target.number in [self.whole(label) for label in labels]:
                self._inner_block(body.statements)
                return
        if node.default is not None:
            self._inner_block(node.default.statements)

    def _BreakStatement(self, node: ast.BreakStatement) -> None:
        self.arithmetic.met.add("break")
        raise _Break

    def _ContinueStatement(self, node: ast.ContinueStatement) -> None:
        self.arithmetic.met.add("continue")
        raise _Continue

    def _EndStatement(self, node: ast.EndStatement) -> None:
        self.arithmetic.met.add("end")
        raise ProgramEnd

    # Subroutines.

    def _SubroutineDefinition(self, node: ast.SubroutineDefinition) -> None:
        self.scopes[-1][node.name.name] = node

    def _ReturnStatement(self, node: ast.ReturnStatement) -> None:
        value = None if node.expression is None else self._given(node.expression)
        raise _Return(value if value is None else scalar(value))

    def _ExpressionStatement(self, node: ast.ExpressionStatement) -> None:
        self.evaluate(node.expression)

    def call(self, node: Any) -> Any:
        definition = self.lookup(node.name.name)
        if not isinstance(definition, ast.SubroutineDefinition) or self._calls > _MAX_CALLS:
            raise Unspecified("a call of what is no subroutine")
        self.arithmetic.met.add("def")
        arguments = [self.evaluate(each) for each in node.arguments]
        saved, self.scopes = self.scopes, [self.scopes[0], {}]
        self._calls += 1
        try:
            for parameter, argument in zip(definition.arguments, arguments, strict=True):
                self._pass(parameter, argument)
            self._inner_block(definition.body)
        except _Return as result:
            if definition.return_type is None:
                return None
            return convert(scalar(result.value), self.type_of(definition.return_type))
        finally:
            self.scopes = saved
            self._calls -= 1
        return None

    def _pass(self, parameter: Any, argument: Any) -> None:
        """By value, but for qubits and arrays."""
        name = parameter.name.name
        if isinstance(parameter, ast.QuantumArgument):
            size = 1 if parameter.size is None else self.whole(parameter.size)
            if not isinstance(argument, Qubits) or len(argument.items) != size:
                raise Unspecified("an argument that is not the qubits declared")
            self.scopes[-1][name] = Qubits(argument.items, single=parameter.size is None)
        elif isinstance(parameter.type, ast.ArrayReferenceType):
            self.arithmetic.met.add(f"{parameter.access.name} array")
            self._check_array(parameter.type, argument)
            self.scopes[-1][name] = argument
        else:
            self.declare(name, parameter.type, argument)

    def _check_array(self, declared: Any, argument: Any) -> None:
        dimensions = declared.dimensions
        if isinstance(argument, Array) and argument.type == self.type_of(declared.base_type):
            shape = argument.items.shape
            if isinstance(dimensions, list):
                if shape == tuple(self.whole(each) for each in dimensions):
                    return
            elif len(shape) == self.whole(dimensions):
                return
        raise Unspecified("an argument that is not the array declared")


def _as_value(given: Any) -> Value:
    """A number as a task gives it."""
    return Value(FLOAT if isinstance(given, float) else INT, given)
