"""What classical expressions of a circuit say, as OpenQASM writes them."""

from collections.abc import Callable
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from tasks_app.circuits.language.logic import SIGNS

_SIGNS_OF_BOOLS = SIGNS | {"BIT_AND": "&&", "BIT_OR": "||", "BIT_XOR": "!="}


class NotWritten(Exception):
    """OpenQASM has no words for it."""


class Conditions:
    """Writes with the names that the two functions give. Raises NotWritten."""

    def __init__(
        self, bit: Callable[[Clbit], str], register: Callable[[tuple[Clbit, ...]], str]
    ) -> None:
        self._bit, self._register = bit, register

    def condition(self, operation: Any) -> str:
        """Of an `if` or a `while`."""
        condition = operation.condition
        if isinstance(condition, expr.Expr):
            text = self.value(condition)
            return text[1:-1] if isinstance(condition, expr.Binary) else text
        target, value = condition
        if isinstance(target, Clbit):
            return f"{'' if value else '!'}{self.value(target)}"
        return f"{self.value(target)} == {int(value)}"

    def value(self, node: Any) -> str:
        """Of an expression, a bit or a register."""
        match node:
            case Clbit():
                return self._bit(node)
            case ClassicalRegister():
                return self._register(tuple(node))
            case expr.Var():
                return self.value(node.var)
            case expr.Value():
                return str(node.value).lower()
            case expr.Cast(type=types.Uint(width=width)):
                return f"uint[{width}]({self.value(node.operand)})"
            case expr.Unary():
                sign = "!" if node.type.kind is types.Bool else "~"
                return f"{sign}{self.value(node.operand)}"
            case expr.Binary() if node.op.name in SIGNS:
                signs = _SIGNS_OF_BOOLS if node.left.type.kind is types.Bool else SIGNS
                left, right = self.value(node.left), self.value(node.right)
                return f"({left} {signs[node.op.name]} {right})"
        raise NotWritten
