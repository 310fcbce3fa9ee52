"""What classical expressions of a circuit say, as OpenQASM writes them."""

from collections.abc import Callable, Mapping
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

    def condition(self, operation: Any, outer: Mapping[Any, Any]) -> str:
        """Of an `if` or a `while`; `outer`: what the bits of a block are outside of it."""
        condition = operation.condition
        if isinstance(condition, expr.Expr):
            text = self.value(condition, outer)
            return text[1:-1] if isinstance(condition, expr.Binary) else text
        target, value = condition
        if isinstance(target, Clbit):
            return f"{'' if value else '!'}{self.value(target, outer)}"
        return f"{self.value(target, outer)} == {int(value)}"

    def value(self, node: Any, outer: Mapping[Any, Any]) -> str:
        """Of an expression, a bit or a register."""
        match node:
            case Clbit():
                return self._bit(outer.get(node, node))
            case ClassicalRegister():
                return self._register(tuple(outer.get(bit, bit) for bit in node))
            case expr.Var():
                return self.value(node.var, outer)
            case expr.Value():
                return str(node.value).lower()
            case expr.Cast():
                kind = node.type.kind
                name = "bool" if kind is types.Bool else f"uint[{node.type.width}]"
                return f"{name}({self.value(node.operand, outer)})"
            case expr.Unary():
                invert = node.op.name == "BIT_NOT" and node.type.kind is not types.Bool
                return f"{'~' if invert else '!'}{self.value(node.operand, outer)}"
            case expr.Binary() if node.op.name in SIGNS:
                signs = _SIGNS_OF_BOOLS if node.left.type.kind is types.Bool else SIGNS
                left, right = self.value(node.left, outer), self.value(node.right, outer)
                return f"({left} {signs[node.op.name]} {right})"
            case expr.Index():
                return f"{self.value(node.target, outer)}[{self.value(node.index, outer)}]"
        raise NotWritten
