"""Logic over measured bits, which the simulator computes while the circuit runs.

Comparisons, logic and shifts of bits are here; whatever asks for more raises `Steered`, and the
program is run path by path.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import starmap, zip_longest
from typing import Any

from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr

from tasks_app.circuits.language.interpreter import arithmetic
from tasks_app.circuits.language.interpreter.deferred import decided
from tasks_app.circuits.language.interpreter.values import Bits, Type, Word, bits


class Steered(Exception):
    """A measurement decides what no circuit of the simulator can express."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A register of expressions for the simulator, or of `bool` where they are known."""

    items: tuple[Any, ...]


def is_runtime(value: object) -> bool:
    return isinstance(value, Clbit | Bits | Signal | expr.Expr)


def is_register(value: object) -> bool:
    """Whether it is bits, measured or not, of which a single one may be a bool."""
    return is_runtime(value) or isinstance(value, bool) or arithmetic.has_kind(value, "bit")


def bits_of(value: Any) -> tuple[Any, ...]:
    """The value as bits, the lowest first. Raises Steered for what is no natural number."""
    if isinstance(value, Bits | Signal):
        return value.items
    if isinstance(value, Clbit | expr.Expr | bool):
        return (value,)
    if isinstance(value, Word) and value.type.kind == "bit":
        return bits(value.number, value.type.width)
    number = value.number if isinstance(decided(value), Word) else value
    if not isinstance(number, int) or number < 0 or arithmetic.has_kind(value, "angle"):
        raise Steered
    return bits(number, max(number.bit_length(), 1))


def joined(low: tuple[Any, ...], high: tuple[Any, ...]) -> Any:
    """The bits of two registers as those of one."""
    items = low + high
    if any(map(is_runtime, items)):
        return Signal(items)
    return Word(Type("bit", len(items)), sum(bit << place for place, bit in enumerate(items)))


def condition(value: Any) -> Any:
    """A value as true or false: a bool, or an expression for the simulator."""
    if not is_runtime(value):
        return arithmetic.truth(value)
    result = _tree(_or, bits_of(value))
    return expr.lift(result) if isinstance(result, Clbit) else result


def unary(operation: str, value: Any) -> Any:
    """An operation on a value, known or not."""
    if not is_runtime(value):
        return arithmetic.unary(operation, value)
    if operation == "!":
        return _not(condition(value))
    if operation != "~":
        raise Steered
    if isinstance(value, Clbit | expr.Expr):
        return _not(value)
    return Signal(tuple(map(_not, bits_of(value))))


def binary(operation: str, a: Any, b: Any) -> Any:
    """An operation on values, known or not."""
    if operation in ("&&", "||"):
        return (_and if operation == "&&" else _or)(condition(a), condition(b))
    if not is_runtime(a) and not is_runtime(b):
        return arithmetic.binary(operation, a, b)
    if operation in _MIRRORED and not is_runtime(a):
        a, b, operation = b, a, _MIRRORED[operation]
    if operation in ("<<", ">>"):
        return _shifted(operation, a, b)
    if operation in _MIRRORED and isinstance(b, int) and b < 0 and len(bits_of(a)) < 64:
        return operation in ("!=", ">", ">=")
    x, y = bits_of(a), bits_of(b)
    if operation in _LOGIC:
        narrow = a if len(x) < len(y) else b
        # Written numbers take the width of the register beside them.
        if len(x) != len(y) and (is_runtime(narrow) or isinstance(narrow, Word)):
            raise Steered
        return Signal(tuple(starmap(_LOGIC[operation], zip_longest(x, y, fillvalue=False))))
    if operation not in _MIRRORED:
        raise Steered
    pairs = zip_longest(x, y, fillvalue=False)
    if operation in ("==", "!="):
        differ = _tree(_or, starmap(_xor, pairs))
        return differ if operation == "!=" else _not(differ)
    less = _less((b, a) if operation in (">", "<=") else (a, b) for a, b in pairs)
    return less if operation in ("<", ">") else _not(less)


def any_equal(value: Any, numbers: Iterable[int]) -> Any:
    return _tree(_or, [False, *(binary("==", value, number) for number in numbers)])


def _less(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """Whether the first number is the smaller one; their bits in pairs, the lowest first."""

    def joined(low: Any, high: Any) -> Any:
        return _or(high[0], _and(high[1], low[0])), _and(high[1], low[1])

    # Of each place, whether it is less there and whether it is equal.
    places = [(_and(_not(a), b), _not(_xor(a, b))) for a, b in pairs]
    return _tree(joined, places, (False, True))[0]


def _shifted(operation: str, value: Any, places: Any) -> Signal:
    if is_runtime(places) or (places := arithmetic.exact(places)) < 0:
        raise Steered
    items = bits_of(value)
    places = min(places, len(items))
    if operation == "<<":
        return Signal((*[False] * places, *items[: len(items) - places]))
    return Signal((*items[places:], *[False] * places))


def _tree(combine: Callable[[Any, Any], Any], items: Iterable[Any], neutral: Any = False) -> Any:
    """All bits combined, as a tree because a chain of thousands is too deep."""
    terms = list(items)
    while len(terms) > 1:
        pairs = zip_longest(terms[::2], terms[1::2], fillvalue=neutral)
        terms = [combine(left, right) for left, right in pairs]
    return terms[0]


def _not(bit: Any) -> Any:
    if isinstance(bit, bool):
        return not bit
    if isinstance(bit, expr.Unary) and bit.op is expr.Unary.Op.LOGIC_NOT:
        return bit.operand
    return expr.logic_not(bit)


def _and(a: Any, b: Any) -> Any:
    if isinstance(a, bool):
        return b if a else False
    return _and(b, a) if isinstance(b, bool) else expr.logic_and(a, b)


def _or(a: Any, b: Any) -> Any:
    if isinstance(a, bool):
        return True if a else b
    return _or(b, a) if isinstance(b, bool) else expr.logic_or(a, b)


def _xor(a: Any, b: Any) -> Any:
    if isinstance(a, bool):
        return _not(b) if a else b
    if isinstance(b, bool):
        return _xor(b, a)
    return False if a is b else expr.bit_xor(a, b)


_LOGIC = {"&": _and, "|": _or, "^": _xor}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
