"""Turn OpenQASM 3 statements into a Qiskit circuit.

Whatever is known while the program is read happens here: constants, variables, loops,
subroutines and gate bodies. What depends on a measurement becomes control flow of the circuit.
The statements are spread over `program_state`, `assignments`, `declarations`,
`gate_statements` and `control_flow`, each a class built on the one before.
"""

from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.branches import ControlFlow
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    Qubits,
    Variable,
    failure,
    unsupported,
)


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter(ControlFlow):
    """Executes statements one by one; `circuit` grows with each."""

    def _SubroutineDefinition(self, node: ast.SubroutineDefinition) -> None:
        self.define(node.name.name, node, node)

    def _ExpressionStatement(self, node: ast.ExpressionStatement) -> None:
        if not isinstance(node.expression, ast.FunctionCall):
            raise failure(node, "This statement does nothing; is something missing?")
        self._evaluate.value(node.expression)

    def _ReturnStatement(self, node: ast.ReturnStatement) -> None:
        if not self._returns:
            raise failure(node, "A return belongs in a subroutine.")
        if self._undecided(self._returns[-1]) or any(loop.wrapped for loop in self._loops):
            raise unsupported(node, "A return that a measurement decides")
        value = None if node.expression is None else self._initial(node.expression)
        if isinstance(value, measured.Word | expr.Expr):  # The bits of a variable end with it.
            bits = measured.word(value).bits
            value = measured.Word(tuple(b if isinstance(b, bool) else self._keep(b) for b in bits))
        raise _Return(value)

    def _call_subroutine(self, node: ast.FunctionCall) -> Any:
        routine = self.globals.get(node.name.name)
        if not isinstance(routine, ast.SubroutineDefinition):
            raise failure(node, f"The subroutine {node.name.name!r:.80} is not defined.")
        self._forbid_in_gate(node)
        self._called += 1
        if len(node.arguments) != len(routine.arguments):
            raise failure(node, f"The subroutine takes {len(routine.arguments)} arguments.")
        values = [
            self._argument(declared, given)
            for declared, given in zip(routine.arguments, node.arguments, strict=True)
        ]
        loops, self._loops = self._loops, []
        self._returns.append(self._depth)
        try:
            with self._frame(node) as names:
                for declared, value in zip(routine.arguments, values, strict=True):
                    names[declared.name.name] = value
                self._run_block(routine.body)
        except _Return as returned:
            if routine.return_type is None or returned.value is None:
                return returned.value
            return self._evaluate.coerce(returned.value, routine.return_type, node)
        finally:
            self._loops = loops
            self._returns.pop()
        return None

    def _argument(self, declared: Any, given: Any) -> Any:
        if isinstance(declared, ast.QuantumArgument):
            value = self._operand(given)
            size = None if declared.size is None else self._evaluate.integer(declared.size)
            if (len(value.items) if isinstance(value, Qubits) else None) != size:
                raise failure(given, "The argument has another number of qubits than declared.")
            return value
        value = self._evaluate.value(given)
        if isinstance(declared.type, ast.ArrayReferenceType):
            if not isinstance(value, list):
                raise failure(given, "An array is needed here.")
            element = ast.ArrayType(base_type=declared.type.base_type, dimensions=[])
            return Variable(value, element, self._depth)
        value = self._evaluate.coerce(value, declared.type, given)
        if isinstance(declared.type, ast.BitType) and measured.is_runtime(value):
            size = self._size(declared.type)
            lent = self._lend_bits(size or 1, given)
            bits = lent[0] if size is None else Bits(lent)
            self._store(bits, value, given)
            return bits
        return self._variable(value, declared.type, given)
