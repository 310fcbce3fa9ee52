"""The fast lane: plain statements of both versions of OpenQASM, without a syntax tree."""

import ast
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from qiskit.circuit import Clbit, Qubit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.interpreter import (
    ProgramEnd,
    Run,
    arithmetic,
    control,
    functions,
    measured,
)
from tasks_app.circuits.language.interpreter.conversion import as_parameter
from tasks_app.circuits.language.interpreter.declarations import declare_rest
from tasks_app.circuits.language.interpreter.gates import apply, broadcast, define, named
from tasks_app.circuits.language.interpreter.library import WITHOUT_INCLUDE, GateSpec
from tasks_app.circuits.language.interpreter.values import (
    Bits,
    Qubits,
    Variable,
    flat,
    unsupported,
)
from tasks_app.circuits.language.parse import parse_statement, parsed, statement_end

# A name, perhaps parameters in parentheses, and the rest up to `;`. Nothing here tries a text in
# more than one way: that would take the square of its length.
_PLAIN = r"""\s*+((?!(?:if|opaque)\b)[A-Za-z_]\w*+)\s*+(?:\(([^{};@"']*)\))?+([^(){};@"']*+);"""
_STATEMENT = re.compile(_PLAIN, re.ASCII)
_IF = re.compile(
    r"\s*+if\s*+\(\s*+([A-Za-z_]\w*+)\s*+==\s*+([0-9]{1,18}+)\s*+\)" + _PLAIN + r"(?!\s*+else\b)",
    re.ASCII,
)
_HEAD = r"\s++([A-Za-z_]\w*+)\s*+(?:\(([\w\s,]*+)\))?+([\w\s,]*+)"
_GATE = re.compile(r"\s*+gate" + _HEAD + r"\{([^{}]*+)\}", re.ASCII)
_OPAQUE = re.compile(r"\s*+opaque" + _HEAD + ";", re.ASCII)
_DELAY = re.compile(r"delay(?:_[0-9]+)?")
_INCLUDE = re.compile(r"""\s*+include\s*+(?:"([^"\n]*)"|'([^'\n]*)')\s*+;""")
_OPERAND = re.compile(
    r"\s*+(?P<name>[A-Za-z_]\w*+)\s*+(?:\[\s*+(?P<size>[0-9]{1,9}+)\s*+\]\s*+)?", re.ASCII
)
_DECLARATION = re.compile(
    r"(?:\[\s*+(?P<size>[0-9]{1,9}+)\s*+\]\s*+)?(?P<name>[A-Za-z_]\w*+)\s*+", re.ASCII
)
_DECIMAL = re.compile(r"\s*-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_ARITHMETIC = re.compile(r"[\wπ\s.+\-*/(),]*", re.ASCII)
_NAME = re.compile(r"(?<![\w.])[A-Za-z_π]\w*")
_MAX_PARAMETERS = 400  # Characters: Python's parser, too, is recursive.
_MAX_TREES = 256  # Kept: those in a gate's body are read often.
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


class _NotPlain(Exception):
    """The statement is for the reference parser, which may find that it is an error."""


class FastLane:
    """Executes plain statements of a text and stops before any other."""

    def __init__(self, run: Run, text: str) -> None:
        self._run = run
        self._text = text
        # What stands for qubits and parameters repeats, and on one level of a program a register
        # or a constant never changes its meaning.
        self._operands: dict[tuple[str, int], list[tuple[Qubit, ...]]] = {}
        self._values: dict[str, tuple[Any, ...]] = {"": ()}
        self._keywords: dict[str, Callable[[str], None]] = {
            "measure": self._measure_arrow,
            "reset": self._reset,
            "barrier": self._barrier,
            "qreg": lambda rest: _declare(run.declare_qubits, _OPERAND, rest),
            "creg": lambda rest: _declare(run.declare_bits, _OPERAND, rest),
        }
        if not run.old:
            self._keywords |= {
                "qubit": lambda rest: _declare(run.declare_qubits, _DECLARATION, rest),
                "bit": lambda rest: _declare(run.declare_bits, _DECLARATION, rest),
            }

    def drive(self, offset: int) -> int:
        """Execute statements from `offset`; return where the first other one begins."""
        text, match_statement = self._text, _STATEMENT.match
        while True:
            try:
                while match := match_statement(text, offset):
                    self._take(*match.groups(""))
                    offset = match.end()
                if match := _IF.match(text, offset):
                    self._if(*match.groups(""))
                elif match := _GATE.match(text, offset):
                    self._definition(match)
                elif self._run.old and (match := _OPAQUE.match(text, offset)):
                    self._opaque(*match.groups(""))
                elif match := _INCLUDE.match(text, offset):
                    self._run.include(match[1] or match[2])
                else:
                    return offset
                offset = match.end()
            except (_NotPlain, CircuitError) as error:
                if getattr(error, "line", None) is not None:  # Of a gate's body.
                    raise
                # Nothing was executed. The reference parser knows the place of an error.
                return offset

    def _take(self, name: str, parameters: str, rest: str) -> None:
        if (keyword := self._keywords.get(name)) and not parameters:
            keyword(rest)
        elif "=" in rest:
            self._measure_assign(f"{name} {rest}")
        else:
            self._gate(named(self._run, name), parameters, rest)

    def _if(self, name: str, number: str, *statement: str) -> None:
        self._needs_circuit()
        bits = self._named(name)
        if not isinstance(bits, Clbit | Bits):
            raise _NotPlain
        holds = measured.binary("==", bits, int(number))
        if isinstance(holds, bool):
            raise _NotPlain
        with control.branch(self._run, holds):
            self._take(*statement)

    def _definition(self, match: re.Match[str]) -> None:
        if match[1] in self._keywords:
            raise _NotPlain
        parameters, qubits = _names(match[2] or ""), _names(match[3])
        text, start, end = self._text, *match.span(4)
        place = start
        while statement := _STATEMENT.match(text, place, end):
            if statement[2]:
                _trees(statement[2])
            if not all(map(_OPERAND.fullmatch, statement[3].split(","))):
                raise _NotPlain
            place = statement.end()
        if text[place:end].strip():
            raise _NotPlain
        body = partial(read_part, text=text, start=start, end=end)
        define(self._run, match[1], parameters, qubits, body)

    def _opaque(self, name: str, parameters: str, qubits: str) -> None:
        def refuse(run: Run, values: Any) -> Any:
            raise unsupported(f"The opaque gate {name:.80}", "add its definition")

        if name in self._keywords:
            raise _NotPlain
        if _DELAY.fullmatch(name):  # As Qiskit writes it.
            define(self._run, name, _names(parameters), _names(qubits), lambda run: None)
        elif name not in WITHOUT_INCLUDE:
            spec = GateSpec(len(_names(parameters)), len(_names(qubits)), refuse)
            self._run.define(name, spec)

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
        source, _, target = rest.partition("->")
        self._measure(source, target)

    def _measure_assign(self, statement: str) -> None:
        target, _, source = statement.partition("=")
        match source.split(None, 1):
            case ["measure", qubits]:
                self._measure(qubits, target)
            case _:
                raise _NotPlain

    def _measure(self, source: str, target: str) -> None:
        self._needs_circuit()
        qubits, bits = self._qubit(source), self._named(target)
        self._run.measure(qubits, bits)

    def _reset(self, rest: str) -> None:
        self._needs_circuit()
        self._run.reset(self._qubit(rest))

    def _needs_circuit(self) -> None:
        """On paths a measurement has more than one outcome."""
        if self._run.paths is not None:
            raise _NotPlain

    def _barrier(self, rest: str) -> None:
        operands = rest.split(",") if rest.strip() else []
        self._run.barrier([qubit for each in operands for qubit in flat(self._qubit(each))])

    def _named(self, text: str) -> Any:
        """A register, or an element of one."""
        match = _OPERAND.fullmatch(text)
        if match is None:
            raise _NotPlain
        value = self._run.lookup(match[1])
        if match[2] is None:
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
        if _DECIMAL.fullmatch(parameters):  # Most are, and this way it takes a third of the time.
            return (as_parameter(float(parameters)),)
        return tuple(as_parameter(self._value(tree)) for tree in _trees(parameters))

    def _value(self, tree: ast.expr) -> Any:
        match tree:
            case ast.Constant(value=int() | float() as number):
                return float(number) if self._run.old else number
            case ast.Name(id=name):
                found = self._run.lookup(name[1:])
                return found.value if isinstance(found, Variable) and found.constant else found
            case ast.UnaryOp(op=ast.UAdd(), operand=operand) if self._run.old:
                return self._value(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return arithmetic.unary("-", self._value(operand))
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                left, right = self._value(tree.left), self._value(tree.right)
                return arithmetic.binary(_OPERATORS[type(op)], left, right)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                if name[1:] in functions.FUNCTIONS and name[1:] not in self._run.globals:
                    self._run.predefined.add(name[1:])
                    return functions.call(name[1:], *map(self._value, arguments))
        raise _NotPlain


def read_part(
    run: Run, text: str, start: int, end: int | None = None, *, fast: bool = True
) -> None:
    """Execute the statements of a part of the text: the plain ones quickly, all others too.

    Raises CircuitError or Steered.
    """
    lane, offset = FastLane(run, text), start
    while True:
        if fast:
            offset = lane.drive(offset)
        stop = statement_end(text, offset, end)
        if stop is None:
            return
        try:
            run.run_block(parse_statement(text, offset, stop))
        except ProgramEnd:
            declare_rest(run, parsed(text, stop))
            return
        offset = stop


@lru_cache(_MAX_TREES)
def _trees(parameters: str) -> list[ast.expr]:
    """The syntax trees of Python, which writes such arithmetic as OpenQASM does.

    Each name gets a letter before it, so that none is a word of Python's.
    """
    if len(parameters) > _MAX_PARAMETERS or not _ARITHMETIC.fullmatch(parameters):
        raise _NotPlain
    lettered = _NAME.sub(r"n\g<0>", parameters)
    try:
        tree = ast.parse(f"f({lettered})", mode="eval").body
    except SyntaxError:
        raise _NotPlain from None
    match tree:  # Or parentheses of theirs end where ours should.
        case ast.Call(func=ast.Name(id="f"), args=found, keywords=[]):
            return found
    raise _NotPlain


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if not all(map(str.isidentifier, names)):
        raise _NotPlain
    return names


def _declare(
    declare: Callable[[str, int | None], object], pattern: re.Pattern[str], text: str
) -> None:
    match = pattern.fullmatch(text)
    if match is None:
        raise _NotPlain
    declare(match["name"], None if match["size"] is None else int(match["size"]))
