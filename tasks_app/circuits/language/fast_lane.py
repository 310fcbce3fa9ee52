"""The fast lane: plain top-level statements of OpenQASM 3, without a syntax tree."""

import ast
import re
from collections.abc import Callable
from typing import Any

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.interpreter import Run, arithmetic, functions
from tasks_app.circuits.language.interpreter.conversion import ArithmeticFailure, as_parameter
from tasks_app.circuits.language.interpreter.deferred import Deferred
from tasks_app.circuits.language.interpreter.gates import apply, broadcast
from tasks_app.circuits.language.interpreter.library import GateSpec
from tasks_app.circuits.language.interpreter.values import Bits, Qubits, Variable, Word

# A name, perhaps parameters with at most two levels of parentheses, and the rest up to `;`.
_STATEMENT = re.compile(
    r"\s*([A-Za-z_]\w*)\s*(?:\(([^(){};]*(?:\([^(){};]*\)[^(){};]*)*)\))?([^(){};@\"']*);",
    re.ASCII,
)
_INCLUDE = re.compile(r"""\s*include\s*(?:"([^"\n]*)"|'([^'\n]*)')\s*;""")
_OPERAND = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\[\s*([0-9]{1,9})\s*\])?\s*", re.ASCII)
_DECLARATION = re.compile(r"(?:\[\s*([0-9]{1,9})\s*\]\s*)?([A-Za-z_]\w*)\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_ARITHMETIC = re.compile(r"[\wπ\s.+\-*/(),]*", re.ASCII)
_NAME = re.compile(r"(?<![\w.])[A-Za-z_π]\w*")
_MAX_PARAMETERS = 400  # Characters: Python's parser, too, is recursive.
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


class _NotPlain(Exception):
    """The statement is for the reference parser, which may find that it is an error."""


class FastLane:
    """Executes plain statements of a text and stops before any other."""

    def __init__(self, run: Run, text: str) -> None:
        self._run = run
        self._text = text
        # What stands for qubits and parameters repeats, and at the top level a register or a
        # constant never changes its meaning.
        self._operands: dict[tuple[str, int], list[tuple[Qubit, ...]]] = {}
        self._values: dict[str, tuple[Any, ...]] = {"": ()}
        self._keywords: dict[str, Callable[[str], None]] = {
            "measure": self._measure_arrow,
            "reset": self._reset,
            "barrier": self._barrier,
            "qubit": self._qubits,
            "bit": self._bits,
            "qreg": self._qreg,
            "creg": self._creg,
        }

    def drive(self, offset: int) -> int:
        """Execute statements from `offset`; return where the first other one begins."""
        text, match_statement = self._text, _STATEMENT.match
        while True:
            try:
                while match := match_statement(text, offset):
                    self._take(*match.groups(""))
                    offset = match.end()
                if not (match := _INCLUDE.match(text, offset)):
                    return offset
                self._run.include(match[1] or match[2])
                offset = match.end()
            except (_NotPlain, CircuitError):
                # Nothing was executed. The reference parser knows the place of an error.
                return offset

    def _take(self, name: str, parameters: str, rest: str) -> None:
        spec = self._run.globals.get(name)
        if isinstance(spec, GateSpec):
            self._gate(spec, parameters, rest)
        elif parameters:
            raise _NotPlain
        elif name in self._keywords:
            self._keywords[name](rest)
        else:
            self._measure_assign(f"{name} {rest}")

    def _gate(self, spec: GateSpec, parameters: str, rest: str) -> None:
        applications = self._operands.get((rest, spec.qubits))
        if applications is None:
            operands = [self._qubit(operand) for operand in rest.split(",")]
            applications = broadcast(operands, spec.qubits)
            self._operands[rest, spec.qubits] = applications
        values = self._values.get(parameters)
        if values is None:
            values = self._values[parameters] = self._evaluated(parameters)
        if len(values) != spec.parameters:
            raise _NotPlain
        apply(self._run, spec, values, applications)

    def _measure_arrow(self, rest: str) -> None:
        source, arrow, target = rest.partition("->")
        if not arrow:
            raise _NotPlain
        self._measure(source, target)

    def _measure_assign(self, statement: str) -> None:
        target, equals, source = statement.partition("=")
        source = source.lstrip()
        if not equals or not source.startswith("measure") or not source[7:8].isspace():
            raise _NotPlain
        self._measure(source[7:], target)

    def _measure(self, source: str, target: str) -> None:
        self._needs_circuit()
        qubits, bits = self._qubit(source), self._named(target)
        if not isinstance(bits, Clbit | Bits):
            raise _NotPlain
        if _length(qubits) != _length(bits):
            raise _NotPlain
        self._run.measure(qubits, bits)

    def _reset(self, rest: str) -> None:
        self._needs_circuit()
        self._run.reset(self._qubit(rest))

    def _needs_circuit(self) -> None:
        """On paths a measurement has more than one outcome."""
        if self._run.paths is not None:
            raise _NotPlain

    def _barrier(self, rest: str) -> None:
        self._needs_circuit()
        circuit = self._run.circuit
        if not rest.strip():
            circuit.barrier(circuit.qubits)
            return
        operands = [self._qubit(operand) for operand in rest.split(",")]
        circuit.barrier(list(dict.fromkeys(qubit for item in operands for qubit in _items(item))))

    def _qubits(self, rest: str) -> None:
        self._run.declare_qubits(*_declared(_DECLARATION.fullmatch(rest), 2, 1))

    def _bits(self, rest: str) -> None:
        self._run.declare_bits(*_declared(_DECLARATION.fullmatch(rest), 2, 1))

    def _qreg(self, rest: str) -> None:
        self._run.declare_qubits(*_declared(_OPERAND.fullmatch(rest), 1, 2))

    def _creg(self, rest: str) -> None:
        self._run.declare_bits(*_declared(_OPERAND.fullmatch(rest), 1, 2))

    def _named(self, text: str) -> Any:
        """A register, or an element of one."""
        match = _OPERAND.fullmatch(text)
        value = self._run.globals.get(match[1]) if match else None
        if match is None or match[2] is None:
            return value
        if not isinstance(value, Qubits | Bits) or int(match[2]) >= len(value.items):
            raise _NotPlain
        return value.items[int(match[2])]

    def _qubit(self, text: str) -> Any:
        value = self._named(text)
        if not isinstance(value, Qubit | Qubits):
            raise _NotPlain
        return value

    def _evaluated(self, parameters: str) -> tuple[Any, ...]:
        try:
            if _DECIMAL.fullmatch(parameters):
                return (as_parameter(float(parameters)),)
            return tuple(as_parameter(self._value(tree)) for tree in _trees(parameters))
        except ArithmeticFailure:
            raise _NotPlain from None

    def _value(self, tree: ast.expr) -> Any:
        match tree:
            case ast.Constant(value=int() | float() as number):
                return float(number) if self._run.old else number
            case ast.Name(id=name):
                return self._constant(name[1:])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return arithmetic.unary("-", self._value(operand))
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                left, right = self._value(tree.left), self._value(tree.right)
                return arithmetic.binary(_OPERATORS[type(op)], left, right)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                if functions.is_function(name[1:]) and name[1:] not in self._run.globals:
                    return functions.call(name[1:], *map(self._value, arguments))
        raise _NotPlain

    def _constant(self, name: str) -> Any:
        found = self._run.globals.get(name)
        if found is None and name in functions.CONSTANTS:
            return functions.CONSTANTS[name]
        known = found.value if isinstance(found, Variable) and found.constant else None
        if isinstance(known, int | float | Word | Deferred):
            return known
        raise _NotPlain


def _trees(parameters: str) -> list[ast.expr]:
    """The syntax trees of Python, which writes such arithmetic as OpenQASM does.

    Each name gets a letter before it, so that none is a word of Python's.
    """
    if len(parameters) > _MAX_PARAMETERS or not _ARITHMETIC.fullmatch(parameters):
        raise _NotPlain
    try:
        tree: Any = ast.parse(f"({_NAME.sub(_lettered, parameters)},)", mode="eval")
    except SyntaxError:
        raise _NotPlain from None
    return list(tree.body.elts)


def _lettered(name: re.Match[str]) -> str:
    return f"n{name[0]}"


def _declared(match: re.Match[str] | None, name: int, size: int) -> tuple[str, int | None]:
    if match is None:
        raise _NotPlain
    return match[name], None if match[size] is None else int(match[size])


def _items(value: Any) -> tuple[Any, ...]:
    return value.items if isinstance(value, Qubits | Bits) else (value,)


def _length(value: Any) -> int:
    return len(_items(value))
