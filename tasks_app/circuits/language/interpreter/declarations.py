"""Statements that declare registers, variables, inputs, outputs and aliases."""

from typing import Any

from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.assignments import Assignments
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    BitString,
    Duration,
    Qubits,
    Variable,
    failure,
    unsupported,
)


class Declarations(Assignments):
    def _QubitDeclaration(self, node: ast.QubitDeclaration) -> None:
        size = None if node.size is None else self._evaluate.integer(node.size)
        self.declare_qubits(node.qubit.name, size, node)

    def _ClassicalDeclaration(self, node: ast.ClassicalDeclaration) -> None:
        name, initial = node.identifier.name, node.init_expression
        if isinstance(node.type, ast.BitType):
            size = self._size(node.type)
            # The initial value may use an outer variable of the same name.
            value = None if initial is None else self._initial(initial)
            bits = self.declare_bits(name, size, node)
            if initial is not None:
                self._store(bits, value, node)
            return
        if isinstance(node.type, ast.StretchType):
            self.define(name, Variable(Duration(0.0, "dt"), None), node)
            return
        value = self._zero(node.type) if initial is None else self._initial(initial)
        value = self._evaluate.coerce(value, node.type, node)
        self.define(name, self._variable(value, node.type, node), node)

    def _zero(self, declared: Any) -> Any:
        if isinstance(declared, ast.DurationType):
            return Duration(0.0, "dt")
        if isinstance(declared, ast.ArrayType):
            value: Any = 0
            for dimension in reversed(declared.dimensions):
                length = self._evaluate.integer(dimension)
                self.count_steps(max(length, 1) * _elements(value), dimension)
                value = [_copy(value) for _ in range(length)]
            return value
        return 0

    def _ConstantDeclaration(self, node: ast.ConstantDeclaration) -> None:
        value = self._evaluate.value(node.init_expression)
        if measured.is_runtime(value):
            raise failure(node, "A constant cannot depend on a measurement.")
        if not (isinstance(node.type, ast.BitType) and isinstance(value, BitString)):
            value = self._evaluate.coerce(value, node.type, node)
        self.define(node.identifier.name, Variable(value, None), node)

    def _IODeclaration(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier is ast.IOKeyword.output:
            if not isinstance(node.type, ast.BitType):
                raise unsupported(node, "An output that is not of type bit")
            size = self._size(node.type)
            self.outputs.append(self.declare_bits(name, size, node))
            return
        if name not in self._inputs:
            raise failure(
                node, f"Give a value for {name!r:.80} in parameters.", "invalid_parameters"
            )
        value = self._inputs[name]
        number = isinstance(value, int | float)
        if isinstance(node.type, ast.IntType | ast.UintType | ast.BoolType):
            number = isinstance(value, int)
        if not number:
            raise failure(
                node, f"The value given for {name!r:.80} does not fit.", "invalid_parameters"
            )
        self._used_inputs.add(name)
        self.define(name, Variable(self._evaluate.coerce(value, node.type, node), None), node)

    def _AliasStatement(self, node: ast.AliasStatement) -> None:
        value = self._evaluate.value(node.value)
        if not isinstance(value, Qubits | Qubit | Bits | Clbit):
            raise failure(node, "Only quantum and bit registers can have an alias.")
        self.define(node.target.name, value, node)

    def _Include(self, node: ast.Include) -> None:
        if len(self._scopes) > 1:
            raise failure(node, "Include a library at the top level.")
        self.include(node.filename)


def _copy(value: Any) -> Any:
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _elements(value: Any) -> int:
    return sum(map(_elements, value)) if isinstance(value, list) else 1
