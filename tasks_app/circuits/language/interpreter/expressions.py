"""Evaluate OpenQASM 3 expressions: to a plain value, or to something over measured bits."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.language.interpreter import constants, measured
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    BitString,
    Duration,
    Qubits,
    Variable,
    failure,
    unsupported,
)

_MAX_ARRAY = 1_000_000  # Elements.
Lookup = Callable[[ast.Identifier], Any]
Call = Callable[[ast.FunctionCall], Any]
Keep = Callable[[Any], Clbit]


class Evaluator:
    """Evaluates expressions with the names that `lookup` knows.

    `call` evaluates a call of a subroutine and `keep` puts an expression over measured bits
    into a bit: both may append to the circuit.
    """

    def __init__(self, lookup: Lookup, call: Call, keep: Keep) -> None:
        self._lookup = lookup
        self._call = call
        self._runtime = measured.Arithmetic(keep)

    def value(self, node: Any) -> Any:
        """A number, bool, BitString, Duration, list (array), Qubit(s), or a run-time value."""
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise unsupported(node, f"An expression of kind {type(node).__name__}")
        return method(node)

    def number(self, node: Any) -> float:
        return self.as_number(self.value(node), node)

    def integer(self, node: Any) -> int:
        return self.as_integer(self.value(node), node)

    def as_number(self, value: Any, node: Any) -> float:
        if measured.is_runtime(value):
            raise unsupported(node, "A number that depends on a measurement")
        if not isinstance(value, int | float):
            raise failure(node, "A number is needed here.")
        if not math.isfinite(value):
            raise failure(node, "This number is not finite.")
        return value

    def as_integer(self, value: Any, node: Any) -> int:
        number = self.as_number(value, node)
        if not isinstance(number, int):
            raise failure(node, "A whole number is needed here.")
        return int(number)

    def condition(self, node: Any) -> Any:
        """A bool, or an expression for the simulator."""
        value = self.value(node)
        if isinstance(value, Qubit | Qubits | list | Duration):
            raise failure(node, "This cannot be true or false.")
        return measured.condition(value)

    def any_equal(self, value: Any, numbers: Sequence[int], node: Any) -> Any:
        """Whether a run-time value is one of the numbers."""
        return self._at_run_time(node, lambda: self._runtime.any_equal(value, numbers))

    def range(self, node: ast.RangeDefinition, length: int | None = None) -> range:
        """Both ends included, as OpenQASM has it; open ends need `length`."""
        step = 1 if node.step is None else self.integer(node.step)
        if step == 0:
            raise failure(node, "The step of a range must not be 0.")
        if length is None and (node.start is None or node.end is None):
            raise failure(node, "This range needs a start and an end.")
        last = (length or 0) - 1
        start = self._end(node.start, 0 if step > 0 else last, length)
        end = self._end(node.end, last if step > 0 else 0, length)
        if max(abs(start), abs(end)) >= 2**62:  # Python counts no longer ranges.
            raise failure(node, "This range is too large.")
        return range(start, end + (1 if step > 0 else -1), step)

    def _end(self, node: Any, default: int, length: int | None) -> int:
        if node is None:
            return default
        value = self.integer(node)
        return value + length if length is not None and value < 0 else value

    def index(self, collection: Any, index: Any, node: Any) -> Any:
        """The part of a register, array or integer that one index or set names."""
        if isinstance(index, ast.DiscreteSet):
            return self._select(collection, [self.integer(item) for item in index.values], node)
        for dimension in index:
            if isinstance(dimension, ast.RangeDefinition):
                places = self.range(dimension, self._length(collection, node))
                collection = self._select(collection, places, node)
            else:
                collection = self._item(collection, self.integer(dimension), node)
        return collection

    def _length(self, collection: Any, node: Any) -> int:
        if isinstance(collection, Qubits | Bits):
            return len(collection.items)
        if isinstance(collection, list):
            return len(collection)
        raise failure(node, "This has no elements.")

    def _item(self, collection: Any, place: int, node: Any) -> Any:
        if isinstance(collection, BitString):
            return bool(collection.value >> place & 1)
        if isinstance(collection, int | measured.Word):  # Bit `place` of an integer.
            if not 0 <= place < 1_024:
                raise failure(node, f"Bit {place} of an integer does not exist.")
            return measured.resized(collection, place + 1)[place]
        items = collection.items if isinstance(collection, Qubits | Bits) else collection
        if not isinstance(items, list | tuple):
            raise failure(node, "This has no elements.")
        if not -len(items) <= place < len(items):
            raise failure(node, f"Index {place} is outside 0 to {len(items) - 1}.")
        return items[place]

    def _select(self, collection: Any, places: Sequence[int], node: Any) -> Any:
        if len(places) > self._length(collection, node):
            raise failure(node, "This selects more elements than there are.")
        items = [self._item(collection, place, node) for place in places]
        if isinstance(collection, Qubits):
            return Qubits(tuple(items))
        return Bits(tuple(items)) if isinstance(collection, Bits) else items

    # One method for each kind of node, found by its name.

    def _IntegerLiteral(self, node: ast.IntegerLiteral) -> int:
        return node.value

    def _FloatLiteral(self, node: ast.FloatLiteral) -> float:
        return node.value

    def _BooleanLiteral(self, node: ast.BooleanLiteral) -> bool:
        return node.value

    def _BitstringLiteral(self, node: ast.BitstringLiteral) -> BitString:
        return BitString(node.value, node.width)

    def _DurationLiteral(self, node: ast.DurationLiteral) -> Duration:
        return Duration(node.value, node.unit.name)

    def _ArrayLiteral(self, node: ast.ArrayLiteral) -> list[Any]:
        return [self.value(item) for item in node.values]

    def _Identifier(self, node: ast.Identifier) -> Any:
        found = self._lookup(node)
        return found.value if isinstance(found, Variable) else found

    def _IndexExpression(self, node: ast.IndexExpression) -> Any:
        return self.index(self.value(node.collection), node.index, node)

    def _IndexedIdentifier(self, node: ast.IndexedIdentifier) -> Any:
        value = self._Identifier(node.name)
        for index in node.indices:
            value = self.index(value, index, node)
        return value

    def _Concatenation(self, node: ast.Concatenation) -> Any:
        left, right = self.value(node.lhs), self.value(node.rhs)
        left = Qubits((left,)) if isinstance(left, Qubit) else left
        right = Qubits((right,)) if isinstance(right, Qubit) else right
        left = Bits((left,)) if isinstance(left, Clbit) else left
        right = Bits((right,)) if isinstance(right, Clbit) else right
        if isinstance(left, list) and isinstance(right, list):
            if len(left) + len(right) > _MAX_ARRAY:
                raise failure(node, "This array is too long.", "too_many_operations")
            return left + right
        for kind in (Qubits, Bits):
            if isinstance(left, kind) and isinstance(right, kind):
                if set(left.items) & set(right.items):
                    raise failure(node, "The joined registers overlap.")
                return kind(left.items + right.items)
        raise failure(node, "Only registers and arrays of one kind can be joined.")

    def _UnaryExpression(self, node: ast.UnaryExpression) -> Any:
        value = self.value(node.expression)
        if not measured.is_runtime(value):
            return self._compute(node, lambda: constants.unary(node.op.name, value))
        if node.op.name == "!":
            return measured.negate(value)
        if node.op.name == "~":
            return measured.invert(value)
        return self._at_run_time(node, lambda: self._runtime.minus(value))

    def _BinaryExpression(self, node: ast.BinaryExpression) -> Any:
        left, right = self.value(node.lhs), self.value(node.rhs)
        operation = node.op.name
        if isinstance(left, Duration) or isinstance(right, Duration):
            if operation not in ("+", "-", "*", "/"):
                raise unsupported(node, "Comparing durations")
            return Duration(0.0, "dt")  # No duration has an effect.
        if measured.is_runtime(left) or measured.is_runtime(right):
            return self._at_run_time(node, lambda: self._runtime.binary(operation, left, right))
        left = left.value if isinstance(left, BitString) else left
        right = right.value if isinstance(right, BitString) else right
        return self._compute(node, lambda: constants.binary(operation, left, right))

    def _FunctionCall(self, node: ast.FunctionCall) -> Any:
        if node.name.name in ("rotl", "rotr") and len(node.arguments) == 2:
            return self._rotated(node)
        if not constants.is_function(node.name.name):
            return self._call(node)
        if node.name.name == "popcount" and len(node.arguments) == 1:
            value = self.value(node.arguments[0])
            if measured.is_runtime(value):
                return self._at_run_time(node, lambda: self._runtime.popcount(value))
        arguments = [self.number(argument) for argument in node.arguments]
        return self._compute(node, lambda: constants.call(node.name.name, arguments))

    def _rotated(self, node: ast.FunctionCall) -> Any:
        value, places = self.value(node.arguments[0]), self.integer(node.arguments[1])
        if not isinstance(value, Bits):
            raise unsupported(node, "Rotating anything but a bit register")
        places = (places if node.name.name == "rotr" else -places) % len(value.items)
        return Bits(value.items[places:] + value.items[:places])

    def _SizeOf(self, node: ast.SizeOf) -> int:
        value = self.value(node.target)
        for _ in range(0 if node.index is None else self.integer(node.index)):
            value = self._item(value, 0, node)
        return self._length(value, node)

    def _Cast(self, node: ast.Cast) -> Any:
        value, declared = self.value(node.argument), node.type
        if isinstance(value, Clbit | Bits | BitString) and isinstance(declared, ast.IntType):
            # The specification's own programs compare `int[2](bits)` with 3.
            declared = ast.UintType(declared.size)
        return self.coerce(value, declared, node)

    def coerce(self, value: Any, declared: Any, node: Any) -> Any:
        """The value as the declared type holds it. A run-time value stays one."""
        if measured.is_runtime(value):
            return self._coerce_at_run_time(value, declared, node)
        if isinstance(value, BitString):
            value = value.value
        if isinstance(declared, ast.ArrayType):
            return self.array(value, declared, list(declared.dimensions), node)
        if isinstance(declared, ast.DurationType | ast.StretchType):
            if not isinstance(value, Duration):
                raise failure(node, "A duration is needed here.")
            return value
        if not isinstance(value, int | float):
            raise failure(node, "A number is needed here.")
        if isinstance(declared, ast.BitType) and declared.size is not None:
            width = self.width(declared, node)
            return BitString(int(value) % (1 << width), width)
        if isinstance(declared, ast.BoolType | ast.BitType):
            return bool(value)
        if isinstance(declared, ast.FloatType):
            return float(value)
        if isinstance(declared, ast.AngleType):
            return float(value) % math.tau
        if isinstance(declared, ast.IntType | ast.UintType):
            return self._wrap(value, declared, node)
        raise unsupported(
            node, f"A variable of type {type(declared).__name__.removesuffix('Type')}"
        )

    def _coerce_at_run_time(self, value: Any, declared: Any, node: Any) -> Any:
        if isinstance(declared, ast.BoolType):
            return measured.condition(value)
        if isinstance(declared, ast.BitType):
            if declared.size is None or not isinstance(value, measured.Word):
                return value
            return measured.Word((*measured.resized(value, self.width(declared, node)), False))
        if not isinstance(declared, ast.IntType | ast.UintType):
            raise unsupported(node, "A number that depends on a measurement")
        bits = measured.resized(value, self.width(declared, node))
        return measured.Word(bits if isinstance(declared, ast.IntType) else (*bits, False))

    def width(self, declared: Any, node: Any) -> int:
        """Bits of an integer or bit type."""
        bits = 64 if declared.size is None else self.integer(declared.size)
        if not 1 <= bits <= 1_024:
            raise failure(node, "An integer has 1 to 1024 bits.")
        return bits

    def _wrap(self, value: float, declared: Any, node: Any) -> int:
        if not math.isfinite(value):
            raise failure(node, "This number is not finite.")
        if not math.isfinite(value):
            raise failure(node, "This number is not finite.")
        whole, bits = int(value), self.width(declared, node)
        if isinstance(declared, ast.UintType):
            return whole % (1 << bits)
        half = 1 << (bits - 1)
        return (whole + half) % (2 * half) - half

    def array(self, value: Any, declared: Any, dimensions: list[Any], node: Any) -> Any:
        """A copy of the value as an array of this shape holds it."""
        if not dimensions:
            return self.coerce(value, declared.base_type, node)
        if not isinstance(value, list) or len(value) != self.integer(dimensions[0]):
            raise failure(node, "The array has another shape than declared.")
        return [self.array(item, declared, dimensions[1:], node) for item in value]

    def _compute(self, node: Any, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except constants.ArithmeticFailure as error:
            raise failure(node, f"This expression {error}.") from None

    def _at_run_time(self, node: Any, build: Callable[[], Any]) -> Any:
        try:
            return build()
        except measured.NotAtRunTime as error:
            raise unsupported(node, str(error)) from None
