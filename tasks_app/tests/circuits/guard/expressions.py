"""Expressions: names, indices, operators, calls."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from openqasm3 import ast

from tasks_app.tests.circuits.guard.arithmetic import FUNCTIONS, Arithmetic
from tasks_app.tests.circuits.guard.memory import (
    Array,
    Bits,
    BitsOf,
    Element,
    Qubits,
    bits_of,
    known,
    scalar,
)
from tasks_app.tests.circuits.guard.values import (
    BIT,
    BOOL,
    FLOAT,
    INT,
    UINT,
    Type,
    Unspecified,
    Value,
    convert,
    truth,
)

PI = Value(Type("float"), math.pi)
CONSTANTS = {
    **dict.fromkeys(("pi", "π"), PI),
    **dict.fromkeys(("tau", "τ"), Value(PI.type, math.tau)),
    **dict.fromkeys(("euler", "ℇ"), Value(PI.type, math.e)),
}
_KINDS: dict[Any, Any] = {
    ast.IntType: "int",
    ast.UintType: "uint",
    ast.FloatType: "float",
    ast.AngleType: "angle",
}


class Expressions:
    """What an expression stands for: a value, or something that can be assigned to."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.scopes: list[dict[str, Any]] = [{}]

    def call(self, node: Any) -> Any:
        """Call a subroutine."""
        raise NotImplementedError

    def value(self, node: Any) -> Value:
        return scalar(self.evaluate(node))

    def whole(self, node: Any) -> int:
        return self.value(node).whole

    def holds(self, node: Any) -> bool:
        return bool(convert(self.value(node), BOOL).number)

    def lookup(self, name: str) -> Any:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        raise Unspecified(f"no name {name}")

    def type_of(self, node: Any) -> Type:
        """The type of one value."""
        if isinstance(node, ast.BoolType):
            return BOOL
        size = getattr(node, "size", None)
        if isinstance(node, ast.BitType):
            return BIT if size is None else Type("bit", self.whole(size))
        if type(node) not in _KINDS:
            raise Unspecified(f"a value of {type(node).__name__}")
        kind = _KINDS[type(node)]
        return Type(kind, sized=False) if size is None else Type(kind, self.whole(size))

    def evaluate(self, node: Any) -> Any:
        """Execute a statement, or tell what an expression stands for: a value or its place."""
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise Unspecified(f"{type(node).__name__}")
        return method(node)

    def _Identifier(self, node: ast.Identifier) -> Any:
        return self.lookup(node.name)

    def _IntegerLiteral(self, node: ast.IntegerLiteral) -> Any:
        return Value(INT, node.value, literal=True)

    def _FloatLiteral(self, node: ast.FloatLiteral) -> Any:
        return Value(FLOAT, node.value, literal=True)

    def _BooleanLiteral(self, node: ast.BooleanLiteral) -> Any:
        return truth(node.value)

    def _BitstringLiteral(self, node: ast.BitstringLiteral) -> Any:
        return Value(Type("bit", node.width), node.value)

    def _UnaryExpression(self, node: ast.UnaryExpression) -> Any:
        return self.arithmetic.unary(node.op.name, self.value(node.expression))

    def _BinaryExpression(self, node: ast.BinaryExpression) -> Any:
        left, right = self.value(node.lhs), self.value(node.rhs)
        return self.arithmetic.binary(node.op.name, left, right)

    def _Cast(self, node: ast.Cast) -> Any:
        value, to = self.value(node.argument), self.type_of(node.type)
        self.arithmetic.met.add(f"{to.kind}({value.kind})")
        return convert(value, to)

    def _FunctionCall(self, node: ast.FunctionCall) -> Any:
        if node.name.name in FUNCTIONS:
            return self.arithmetic.call(node.name.name, [self.value(a) for a in node.arguments])
        return self.call(node)

    def _SizeOf(self, node: ast.SizeOf) -> Any:
        target = self.evaluate(node.target)
        dimension = 0 if node.index is None else self.whole(node.index)
        if not isinstance(target, Array) or not 0 <= dimension < target.items.ndim:
            raise Unspecified("the size of what is no array")
        return Value(UINT, target.items.shape[dimension])

    def _Concatenation(self, node: ast.Concatenation) -> Any:
        left, right = self.evaluate(node.lhs), self.evaluate(node.rhs)
        if isinstance(left, Array) and isinstance(right, Array) and left.type == right.type:
            return Array(left.type, np.concatenate([left.items, right.items]))
        if isinstance(left, Bits) and isinstance(right, Bits):
            if {id(bit) for bit in left.items} & {id(bit) for bit in right.items}:
                raise Unspecified("bits joined with themselves")
            return Bits(left.items + right.items)
        if isinstance(left, Qubits) and isinstance(right, Qubits):
            if set(left.items) & set(right.items):
                raise Unspecified("qubits joined with themselves")
            return Qubits(left.items + right.items)
        raise Unspecified("joining things of different kinds")

    def _IndexExpression(self, node: ast.IndexExpression) -> Any:
        return self.part(self.evaluate(node.collection), node.index)

    def _IndexedIdentifier(self, node: ast.IndexedIdentifier) -> Any:
        found = self.lookup(node.name.name)
        for index in node.indices:
            found = self.part(found, index)
        return found

    def part(self, whole: Any, index: Any) -> Any:
        """The part of a register, an array or a number that the index names, as a reference."""
        if isinstance(whole, Array):
            return self._part_of_array(whole, index)
        length = len(whole.items) if isinstance(whole, Bits | Qubits) else self._bits_in(whole)
        if isinstance(index, list) and len(index) != 1:
            raise Unspecified("more indices than dimensions")
        single = not isinstance(index, ast.DiscreteSet) and not isinstance(
            index[0], ast.RangeDefinition
        )
        places = self._places(index if isinstance(index, ast.DiscreteSet) else index[0], length)
        if isinstance(whole, Bits):
            return Bits(tuple(whole.items[place] for place in places), single)
        if isinstance(whole, Qubits):
            return Qubits(tuple(whole.items[place] for place in places), single)
        return bits_of(whole, places) if isinstance(whole, Value) else BitsOf(whole, tuple(places))

    def _bits_in(self, whole: Any) -> int:
        type = whole.type
        if type.kind in ("bool", "float") or not type.sized:
            raise Unspecified(f"the bits of a {type.kind}")
        self.arithmetic.met.add(f"{type.kind}[]")
        return int(type.width)

    def _part_of_array(self, array: Array, index: Any) -> Any:
        parts = [index] if isinstance(index, ast.DiscreteSet) else index
        shape = array.items.shape
        if len(parts) > len(shape):
            raise Unspecified("more indices than dimensions")
        key: list[Any] = []
        for part, length in zip(parts, shape, strict=False):
            places = self._places(part, length)
            if isinstance(part, ast.RangeDefinition):
                step = places[1] - places[0] if len(places) > 1 else 1
                stop = places[-1] + (1 if step > 0 else -1)
                key.append(slice(places[0], None if stop < 0 else stop, step))
            elif isinstance(part, ast.DiscreteSet):
                key.append(places)
            else:
                key.append(places[0])
        if len(key) == len(shape) and all(isinstance(each, int) for each in key):
            return Element(array, tuple(key))
        return Array(array.type, array.items[tuple(key)])

    def _places(self, part: Any, length: int) -> list[int]:
        if isinstance(part, ast.RangeDefinition):
            found: Sequence[int] = self.range(part, length)
        elif isinstance(part, ast.DiscreteSet):
            found = [self.whole(value) for value in part.values]
        else:
            found = [self.whole(part)]
        if any(not -length <= place < length for place in found):
            raise Unspecified("an index outside of its register")
        places = [place % length for place in found]
        if not places or len(set(places)) < len(places):
            raise Unspecified("an empty index, or the same twice")
        return places

    def range(self, node: Any, length: int | None = None) -> range:
        """Both ends included; negative ends and open ones count within `length`."""
        step = 1 if node.step is None else self.whole(node.step)
        if step == 0 or (length is None and None in (node.start, node.end)):
            raise Unspecified("a range without end")
        last = (length or 0) - 1
        start, end = (
            default if each is None else self._end(self.whole(each), length)
            for each, default in (
                (node.start, 0 if step > 0 else last),
                (node.end, last if step > 0 else 0),
            )
        )
        return range(start, end + (1 if step > 0 else -1), step)

    @staticmethod
    def _end(place: int, length: int | None) -> int:
        if length is not None and not -length <= place < length:
            raise Unspecified("the end of a range outside of its register")
        return place + length if length is not None and place < 0 else place

    def elements(self, node: Any) -> list[Value]:
        """What a `for` loop goes through."""
        if isinstance(node, ast.RangeDefinition):
            return [Value(INT, number) for number in self.range(node)]
        if isinstance(node, ast.DiscreteSet):
            return [self.value(each) for each in node.values]
        found = self.evaluate(node)
        if isinstance(found, Array):
            if found.items.ndim != 1:
                raise Unspecified("a loop over an array of more than one dimension")
            return [known(item) for item in found.items]
        value = scalar(found)
        if value.kind != "bit":
            raise Unspecified(f"a loop over {value.kind}")
        return [Value(BIT, value.whole >> place & 1) for place in range(value.type.width)]
