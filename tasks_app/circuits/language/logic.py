"""Classical expressions of a file as logic over single bits, which is what the simulator knows.

It knows neither indices nor shifts nor numbers of more than 64 bits, and takes a number for true
by its lowest bit.
"""

from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit, Store
from qiskit.circuit.classical import expr, types

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.values import (
    MACHINE_BITS,
    Bits,
    Type,
    Word,
    unsupported,
)

SIGNS = {
    **{"BIT_AND": "&", "BIT_OR": "|", "BIT_XOR": "^", "LOGIC_AND": "&&", "LOGIC_OR": "||"},
    **{"EQUAL": "==", "NOT_EQUAL": "!=", "LESS": "<", "LESS_EQUAL": "<=", "GREATER": ">"},
    **{"GREATER_EQUAL": ">=", "SHIFT_LEFT": "<<", "SHIFT_RIGHT": ">>"},
}
_SIGNS_OF_ONE = {"BIT_NOT": "~", "LOGIC_NOT": "!", "NEGATE": "-"}


def condition(node: expr.Expr) -> expr.Expr:
    """As it is, where the simulator knows it. Raises CircuitError."""
    return node if _is_plain(node) else expr.lift(measured.condition(value(node)))


def store(target: expr.Expr, node: expr.Expr) -> Store:
    """Raises CircuitError."""
    if isinstance(target, expr.Index):
        bits, place = value(target.target), value(target.index)
        if isinstance(place, Word) and place.number < len(bits.items):
            target = expr.Var(bits.items[place.number], types.Bool())
    if isinstance(target, expr.Var) and isinstance(target.var, Clbit):
        return Store(target, condition(node))
    if not isinstance(target, expr.Var) or not _is_plain(node):
        raise _unsupported("a store of more than logic")
    return Store(target, node)


def is_wide(target: Any) -> bool:
    """Whether it is a register that the simulator cannot take for a number."""
    return isinstance(target, ClassicalRegister) and len(target) >= MACHINE_BITS


def _is_plain(node: expr.Expr) -> bool:
    """Whether the simulator itself knows it, of a register as a whole."""
    number = isinstance(node.type, types.Uint) and node.type.width < MACHINE_BITS
    if not number and not isinstance(node.type, types.Bool):
        return False
    match node:
        case expr.Var() | expr.Value():
            return True
        case expr.Unary() if node.op.name == "NEGATE":
            return False
        case expr.Cast(type=types.Uint()) | expr.Unary():
            return _is_plain(node.operand)
        case expr.Binary() if node.op.name in SIGNS and "SHIFT" not in node.op.name:
            return _is_plain(node.left) and _is_plain(node.right)
    return False


def value(node: expr.Expr) -> Any:
    """Bits, expressions of single bits, or what is known. Raises CircuitError."""
    try:
        return _value(node)
    except Steered:
        raise _unsupported("arithmetic") from None


def _value(node: expr.Expr) -> Any:
    match node:
        case expr.Var(var=Clbit() as bit):
            return bit
        case expr.Var(var=ClassicalRegister() as register):
            return Bits(tuple(register))
        case expr.Value(type=types.Bool() | types.Float()):
            return node.value
        case expr.Value(type=types.Uint(width=width)):
            return Word(Type("bit", width), node.value)
        case expr.Cast(type=types.Bool()):
            return measured.condition(_value(node.operand))
        case expr.Cast(type=types.Uint(width=width)):
            bits = measured.bits_of(_value(node.operand))
            return measured.Signal((*bits, *[False] * width)[:width])
        case expr.Unary() if node.op.name in _SIGNS_OF_ONE:
            return measured.unary(_SIGNS_OF_ONE[node.op.name], _value(node.operand))
        case expr.Binary() if node.op.name in SIGNS:
            return measured.binary(SIGNS[node.op.name], _value(node.left), _value(node.right))
        case expr.Index():
            return _element(measured.bits_of(_value(node.target)), _value(node.index))
    raise _unsupported(node.op.name if hasattr(node, "op") else type(node).__name__)


def _element(bits: tuple[Any, ...], index: Any) -> Any:
    """False beyond the last bit."""
    found: Any = False
    for place, bit in enumerate(bits):
        here = measured.binary("&&", bit, measured.binary("==", index, place))
        found = measured.binary("||", found, here)
    return found


def _unsupported(what: str) -> CircuitError:
    return unsupported(
        f"An expression of measured bits with {what:.80} in QPY", "send the circuit as OpenQASM 3"
    )
