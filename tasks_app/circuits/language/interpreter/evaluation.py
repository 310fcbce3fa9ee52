"""What every expression is evaluated by, and the kinds of value that statements ask for."""

from collections.abc import Callable
from typing import Any

from qiskit.circuit import Qubit

from tasks_app.circuits.language.interpreter import measured
from tasks_app.circuits.language.interpreter.conversion import (
    ArithmeticFailure,
    as_parameter,
    convert,
)
from tasks_app.circuits.language.interpreter.deferred import Deferred
from tasks_app.circuits.language.interpreter.measured import Signal
from tasks_app.circuits.language.interpreter.run import Run, Steered
from tasks_app.circuits.language.interpreter.values import (
    BIT,
    BOOL,
    MACHINE_BITS,
    Array,
    Duration,
    Qubits,
    Type,
    Word,
    failure,
    locate,
    unsupported,
)

EXPRESSIONS: dict[type, Callable[[Run, Any], Any]] = {}


def expression(*kinds: type) -> Callable[[Callable[[Run, Any], Any]], Any]:
    """Registers the function that evaluates expressions of these kinds."""

    def register(function: Callable[[Run, Any], Any]) -> Any:
        EXPRESSIONS.update(dict.fromkeys(kinds, function))
        return function

    return register


def evaluate(run: Run, node: Any) -> Any:
    """What an expression stands for; bits and qubits stay references."""
    function = EXPRESSIONS.get(type(node))
    if function is None:
        raise unsupported(node, f"An expression of kind {type(node).__name__}")
    return function(run, node)


def value(run: Run, node: Any) -> Any:
    """The value of an expression: known, or for the simulator to find."""
    return run.read(evaluate(run, node))


def parameter(run: Run, node: Any) -> Any:
    """A finite number, as a gate takes it; perhaps deferred."""
    found = value(run, node)
    if measured.is_runtime(found):
        raise Steered
    return computed(node, lambda: as_parameter(found))


def number(run: Run, node: Any) -> float:
    """The same, known."""
    return float(parameter(run, node))


def integer(run: Run, node: Any) -> int:
    found = value(run, node)
    if measured.is_runtime(found):
        raise Steered
    if isinstance(found, Deferred):
        found.needed()
    if not isinstance(found, int) and not (isinstance(found, Word) and _whole(found)):
        raise failure(node, "A whole number is needed here; cast it with int(...).")
    return int(found.number if isinstance(found, Word) else found)


def _whole(found: Word) -> bool:
    return found.type.kind in ("int", "uint", "bit")


def condition(run: Run, node: Any) -> Any:
    """A bool, or an expression for the simulator."""
    found = value(run, node)
    if isinstance(found, Qubit | Qubits | Array | Duration | None):
        raise failure(node, "This cannot be true or false.")
    return measured.condition(found)


def computed(node: Any, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except ArithmeticFailure as error:
        locate(error, node)
        raise
    except TypeError:
        raise failure(node, "This expression does not fit the types of its operands.") from None


def coerced(run: Run, found: Any, declared: Type, node: Any) -> Any:
    """The value as an assignment to this type or a cast makes it."""
    found = run.read(found)
    if not measured.is_runtime(found):
        return computed(node, lambda: convert(found, declared))
    if declared == BOOL:
        return measured.condition(found)
    bits = measured.bits_of(found)
    if declared.kind == "bit" and len(bits) == max(declared.width, 1):
        return found
    if declared.kind == "uint" and len(bits) <= declared.width:
        return Signal((*bits, *[False] * (declared.width - len(bits))))
    raise Steered


def type_of(run: Run, node: Any) -> Type:
    """The type that a node of the syntax tree names."""
    kind = type(node).__name__.removesuffix("Type").lower()
    if kind == "bool":
        return BOOL
    if kind in ("duration", "stretch"):
        return Type("duration")
    if kind not in ("bit", "int", "uint", "float", "angle"):
        raise unsupported(node, f"A variable of type {kind}", "write it with real numbers")
    if node.size is None:
        return BIT if kind == "bit" else Type(kind, MACHINE_BITS)
    width = integer(run, node.size)
    if width < 1:
        raise failure(node, f"A value of type {kind} has at least one bit.")
    if width > 1_024 and kind != "bit":
        raise failure(node, f"A value of type {kind} has 1 to 1,024 bits.")
    if kind == "float" and width not in (16, 32, 64):
        raise unsupported(node, f"float[{width}]", "a float has 16, 32 or 64 bits")
    return Type(kind, width)
