"""Values over measured bits, which the simulator computes while the circuit runs.

The simulator knows the logic of single bits, and that of registers of up to 64 bits. Numbers of
any width are built here from the logic of their bits, as an adder is built from gates.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import zip_longest
from typing import Any

from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter.values import Bits, BitString

_MAX_WIDTH = 1_024
_CHAIN = 16  # Links of a chain of logic before it is kept in a bit: the simulator recurses.


class NotAtRunTime(Exception):
    """The simulator cannot evaluate this; the text names the feature."""


@dataclass(frozen=True, slots=True)
class Word:
    """A whole number in two's complement, its lowest bit first and its sign last.

    A bit is a `Clbit`, an expression for the simulator, or a `bool` where it is known.
    """

    bits: tuple[Any, ...]


def is_runtime(value: object) -> bool:
    return isinstance(value, Clbit | Bits | Word | expr.Expr)


def word(value: Any) -> Word:
    """Any value as a number. Raises NotAtRunTime."""
    if isinstance(value, Word):
        return value
    if isinstance(value, Bits):
        return Word((*value.items, False))
    if isinstance(value, Clbit | expr.Expr):
        return Word((value, False))
    if isinstance(value, BitString):
        return _constant(value.value, value.width + 1)
    if isinstance(value, int):
        return _constant(int(value), value.bit_length() + 1)
    raise NotAtRunTime("A number that is not whole beside measured bits")


def resized(value: Any, width: int) -> tuple[Any, ...]:
    """The lowest `width` bits of a value, as an assignment keeps them."""
    bits = word(value).bits
    return (*bits[:width], *(bits[-1:] * (width - len(bits))))


def condition(value: Any) -> Any:
    """A value as true or false: a bool, or an expression for the simulator."""
    if not is_runtime(value):
        return bool(value.value if isinstance(value, BitString) else value)
    result = _tree(_or, word(value).bits)
    return expr.lift(result) if isinstance(result, Clbit) else result


def negate(value: Any) -> Any:
    return _not(condition(value))


def invert(value: Any) -> Any:
    if isinstance(value, Clbit | expr.Expr):
        return _not(value)
    *bits, sign = word(value).bits
    return Word((*map(_not, bits), sign if sign is False else _not(sign)))


class Arithmetic:
    """Operations on values of which at least one is known at run time only.

    `keep` puts the value of an expression into a bit, so that a term used often stays small.
    All raise NotAtRunTime.
    """

    def __init__(self, keep: Callable[[Any], Clbit]) -> None:
        self._keep = keep

    def binary(self, operation: str, a: Any, b: Any) -> Any:
        if operation in ("&&", "||"):
            return (_and if operation == "&&" else _or)(condition(a), condition(b))
        if operation in ("<<", ">>"):
            return self._shift(operation, a, b)
        x, y = word(a).bits, word(b).bits
        width = max(len(x), len(y))
        if operation in ("&", "|", "^"):
            return _same_kind(a, b, map(_LOGIC[operation], *_extended(x, y, width)))
        if operation in ("==", "!="):
            differ = _tree(_or, map(_xor, *_extended(x, y, width)))
            return differ if operation == "!=" else _not(differ)
        x, y = self._settled(x), self._settled(y)
        if operation in ("<", ">="):
            return self._less(x, y) if operation == "<" else _not(self._less(x, y))
        if operation in (">", "<="):
            return self._less(y, x) if operation == ">" else _not(self._less(y, x))
        if operation in ("+", "-"):
            return Word(self._sum(x, y, subtract=operation == "-"))
        if operation == "*":
            return Word(self._product(x, y))
        raise NotAtRunTime(f"The operator {operation} on measured bits")

    def any_equal(self, value: Any, numbers: Iterable[int]) -> Any:
        return _tree(_or, [False, *(self.binary("==", value, number) for number in numbers)])

    def minus(self, value: Any) -> Word:
        return Word(self._sum((False,), self._settled(word(value).bits), subtract=True))

    def popcount(self, value: Any) -> Word:
        bits = word(value).bits
        return Word(reduce(self._sum, ((bit, False) for bit in self._settled(bits)), (False,)))

    def _settled(self, bits: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(map(self._settle, bits))

    def _settle(self, bit: Any) -> Any:
        small = isinstance(bit, bool | Clbit | expr.Var)
        return bit if small else self._keep(bit)

    def _less(self, x: Sequence[Any], y: Sequence[Any]) -> Any:
        width = max(len(x), len(y))
        xs, ys = _extended(x, y, width)
        below: Any = False
        for place, (left, right) in enumerate(zip(xs, ys, strict=True)):
            if place == width - 1:  # The signs: the negative one is less.
                left, right = right, left
            below = _choose(_xor(left, right), right, below)
            if place % _CHAIN == _CHAIN - 1:
                below = self._settle(below)
        return below

    def _sum(
        self, x: Sequence[Any], y: Sequence[Any], *, subtract: bool = False
    ) -> tuple[Any, ...]:
        """One bit wider than the wider one. The bits of both are settled."""
        width = max(len(x), len(y)) + 1
        if width > _MAX_WIDTH:
            raise NotAtRunTime("A number of this width over measured bits")
        xs, ys = _extended(x, y, width)
        carry: Any = subtract
        result = []
        for left, right in zip(xs, map(_not, ys) if subtract else ys, strict=True):
            differ = _xor(left, right)
            result.append(_xor(differ, carry))
            carry = self._settle(_choose(differ, carry, left))
        return tuple(result)

    def _product(self, x: Sequence[Any], y: Sequence[Any]) -> tuple[Any, ...]:
        if all(isinstance(bit, bool) for bit in x):  # Adding costs, and a 0 adds nothing.
            x, y = y, x
        total: tuple[Any, ...] = (False,)
        for place, factor in enumerate(y):
            if factor is not False:
                row = (*[False] * place, *(_and(bit, factor) for bit in x))
                total = self._settled(
                    self._sum(total, self._settled(row), subtract=place == len(y) - 1)
                )
        return total

    def _shift(self, operation: str, a: Any, places: Any) -> Word:
        if not isinstance(places, int) or not 0 <= places <= _MAX_WIDTH:
            raise NotAtRunTime("A shift by this number of places")
        bits = word(a).bits
        shifted = (*[False] * places, *bits) if operation == "<<" else bits[places:] or bits[-1:]
        if isinstance(a, Bits):  # A register keeps its width.
            shifted = (*resized(Word(shifted), len(a.items)), False)
        return Word(shifted)


def _constant(value: int, width: int) -> Word:
    return Word(tuple(bool(value >> place & 1) for place in range(width)))


def _extended(x: Sequence[Any], y: Sequence[Any], width: int) -> tuple[list[Any], list[Any]]:
    """Both at this width, the sign repeated."""
    return [*x, *[x[-1]] * (width - len(x))], [*y, *[y[-1]] * (width - len(y))]


def _same_kind(a: Any, b: Any, bits: Iterable[Any]) -> Any:
    """The result for two single bits is a single bit."""
    result = tuple(bits)
    single = all(isinstance(value, Clbit | expr.Expr | bool) for value in (a, b))
    return result[0] if single else Word(result)


def _tree(combine: Callable[[Any, Any], Any], bits: Iterable[Any]) -> Any:
    """All bits combined, as a tree because a chain of thousands is too deep."""
    terms = list(bits)
    while len(terms) > 1:
        pairs = zip_longest(terms[::2], terms[1::2], fillvalue=False)
        terms = [combine(left, right) for left, right in pairs]
    return terms[0]


def _not(bit: Any) -> Any:
    if isinstance(bit, bool):
        return not bit
    if isinstance(bit, expr.Unary) and bit.op is expr.Unary.Op.LOGIC_NOT:
        return bit.operand
    return expr.logic_not(bit)


def _and(a: Any, b: Any) -> Any:
    for known, other in ((a, b), (b, a)):
        if isinstance(known, bool):
            return other if known else False
    return expr.logic_and(a, b)


def _or(a: Any, b: Any) -> Any:
    for known, other in ((a, b), (b, a)):
        if isinstance(known, bool):
            return True if known else other
    return expr.logic_or(a, b)


def _xor(a: Any, b: Any) -> Any:
    for known, other in ((a, b), (b, a)):
        if isinstance(known, bool):
            return _not(other) if known else other
    return False if a is b else expr.bit_xor(a, b)


def _choose(which: Any, if_true: Any, if_false: Any) -> Any:
    if isinstance(which, bool):
        return if_true if which else if_false
    return _or(_and(which, if_true), _and(_not(which), if_false))


_LOGIC = {"&": _and, "|": _or, "^": _xor}
