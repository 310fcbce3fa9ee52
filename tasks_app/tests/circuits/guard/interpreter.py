"""Statements of OpenQASM 3, and the exact distribution of what a program answers."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

import numpy as np
from openqasm3 import ast, parser

from tasks_app.tests.circuits.guard import quantum
from tasks_app.tests.circuits.guard.arithmetic import Arithmetic
from tasks_app.tests.circuits.guard.expressions import Expressions
from tasks_app.tests.circuits.guard.memory import Array, Bit, Bits, Qubits, Variable, scalar
from tasks_app.tests.circuits.guard.values import (
    FLOAT,
    Type,
    Unspecified,
    Value,
    convert,
)

_NEGLIGIBLE = 1e-10
_MAX_STEPS = 2_000
_MAX_CALLS = 50


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _End(Exception):
    pass


class _TooRare(Exception):
    """The run has become so improbable that it is given up."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class Path:
    """The outcomes of the measurements of one run: given ones, then the likelier each time."""

    given: Sequence[int] = ()
    least: float = 0.0
    """A run less probable than this is given up."""
    taken: list[int] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    """Probability of the run that takes the other outcome, at each measurement."""

    def outcome(self, state: quantum.State, one: float) -> int:
        if one < _NEGLIGIBLE or one > 1 - _NEGLIGIBLE:
            return int(one > 0.5)
        if state.probability < self.least:
            raise _TooRare
        done = len(self.taken)
        outcome = self.given[done] if done < len(self.given) else int(one > 0.5)
        self.taken.append(outcome)
        self.others.append(state.probability * (1 - one if outcome else one))
        return outcome


@dataclass(frozen=True, slots=True)
class _Gate:
    parameters: tuple[str, ...]
    qubits: tuple[str, ...]
    body: Sequence[Any]


class Machine(Expressions):
    """One run of a program."""

    def __init__(self, arithmetic: Arithmetic, path: Path, inputs: Mapping[str, Any]) -> None:
        super().__init__(arithmetic)
        self.state = quantum.State()
        self.registers: list[Bits] = []
        self.outputs: list[Bits] = []
        self._path = path
        self._inputs = inputs
        self._steps = self._calls = 0

    def run(self, program: Any) -> str:
        """The registers' bits as the service writes them."""
        try:
            self._block(program.statements)
        except _End:
            declared = sum(_declares_bits(statement) for statement in program.statements)
            if len(self.registers) + len(self.outputs) != declared:
                raise Unspecified("an end before all registers are declared") from None
        registers = self.outputs or self.registers
        written = (
            "".join(str(bit.value) for bit in reversed(each.items)) for each in reversed(registers)
        )
        return " ".join(written)

    def _block(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise Unspecified("too many steps")
            self.execute(statement)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self.scopes.append({})
        try:
            yield
        finally:
            self.scopes.pop()

    def _inner_block(self, statements: Sequence[Any]) -> None:
        with self._scope():
            self._block(statements)

    # Measurements.

    def _measure(self, qubits: Qubits) -> Value:
        self.arithmetic.met.add("measure")
        pattern = 0
        for place, qubit in enumerate(qubits.items):
            pattern |= self._measure_one(qubit) << place
        return Value(Type("bit", len(qubits.items)), pattern)

    def _measure_one(self, qubit: int) -> int:
        one = self.state.probability_of_one(qubit)
        outcome = self._path.outcome(self.state, one)
        self.state.project(qubit, outcome, one if outcome else 1 - one)
        return outcome

    def _qubits(self, node: Any) -> Qubits:
        found = self.evaluate(node)
        if not isinstance(found, Qubits):
            raise Unspecified("a qubit is needed here")
        return found

    def _given(self, node: Any) -> Any:
        """What stands on the right of an assignment."""
        if isinstance(node, ast.QuantumMeasurement):
            return self._measure(self._qubits(node.qubit))
        return self.evaluate(node)

    # Declarations.

    def declare(self, name: str, type_node: Any, value: Any = None) -> Any:
        """A new variable, register or array in the innermost scope, with a copy of the value."""
        if name in self.scopes[-1]:
            raise Unspecified(f"the name {name} twice")
        if isinstance(type_node, ast.ArrayType):
            shape = [self.whole(size) for size in type_node.dimensions]
            made: Any = Array.new(self.type_of(type_node.base_type), shape)
        elif isinstance(type_node, ast.BitType):
            width = self.type_of(type_node).width
            made = Bits(tuple(Bit() for _ in range(width)), single=type_node.size is None)
        else:
            made = Variable(self.type_of(type_node))
        if value is not None:
            made.assign(value)
        self.scopes[-1][name] = made
        return made

    def _literal_array(self, node: Any, type: Type) -> Array:
        rows = [
            self._literal_array(each, type).items
            if isinstance(each, ast.ArrayLiteral)
            else self._row(each, type)
            for each in node.values
        ]
        items = np.empty((len(rows), *np.shape(rows[0])), dtype=object)
        for place, row in enumerate(rows):
            items[place] = row
        return Array(type, items)

    def _row(self, node: Any, type: Type) -> Any:
        found = self.evaluate(node)
        return found.items if isinstance(found, Array) else convert(scalar(found), type)

    @singledispatchmethod
    def execute(self, node: Any) -> None:
        raise Unspecified(f"the statement {type(node).__name__}")

    @execute.register
    def _(self, node: ast.Include) -> None:
        if node.filename != "stdgates.inc":
            raise Unspecified(f"the library {node.filename}")
        self.scopes[0].update(quantum.LIBRARY)

    @execute.register
    def _(self, node: ast.QubitDeclaration) -> None:
        count = 1 if node.size is None else self.whole(node.size)
        qubits = tuple(self.state.add() for _ in range(count))
        self.scopes[-1][node.qubit.name] = Qubits(qubits, single=node.size is None)

    @execute.register
    def _(self, node: ast.ClassicalDeclaration) -> None:
        type, value = node.type, node.init_expression
        if isinstance(type, ast.ArrayType) and isinstance(value, ast.ArrayLiteral):
            given: Any = self._literal_array(value, self.type_of(type.base_type))
        else:
            given = None if value is None else self._given(value)
        made = self.declare(node.identifier.name, type, given)
        if isinstance(made, Bits) and len(self.scopes) == 1:
            self.registers.append(made)

    @execute.register
    def _(self, node: ast.ConstantDeclaration) -> None:
        value = convert(self.value(node.init_expression), self.type_of(node.type))
        self.scopes[-1][node.identifier.name] = value

    @execute.register
    def _(self, node: ast.IODeclaration) -> None:
        name = node.identifier.name
        if node.io_identifier.name == "output":
            made = self.declare(name, node.type)
            if not isinstance(made, Bits):
                raise Unspecified("an output that is no bits")
            self.outputs.append(made)
            return
        given = self._inputs[name]
        kind = FLOAT if isinstance(given, float) else Type("int", sized=False)
        self.declare(name, node.type, Value(kind, given))

    @execute.register
    def _(self, node: ast.AliasStatement) -> None:
        self.scopes[-1][node.target.name] = self.evaluate(node.value)

    # Assignments.

    @execute.register
    def _(self, node: ast.ClassicalAssignment) -> None:
        operation = node.op.name.removesuffix("=")
        if isinstance(node.rvalue, ast.ArrayLiteral):
            target = self.evaluate(node.lvalue)
            value: Any = self._literal_array(node.rvalue, target.type)
        elif operation:
            value = self.value(node.rvalue)
            target = self.evaluate(node.lvalue)
            value = self.arithmetic.binary(operation, scalar(target), value)
        else:
            value = self._given(node.rvalue)
            target = self.evaluate(node.lvalue)
        self._assign(target, value)

    def _assign(self, target: Any, value: Any) -> None:
        if not hasattr(target, "assign"):
            raise Unspecified("an assignment to a constant")
        target.assign(value)

    @execute.register
    def _(self, node: ast.QuantumMeasurementStatement) -> None:
        value = self._measure(self._qubits(node.measure.qubit))
        if node.target is not None:
            self._assign(self.evaluate(node.target), value)

    # Gates.

    @execute.register
    def _(self, node: ast.QuantumGateDefinition) -> None:
        parameters = tuple(each.name for each in node.arguments)
        qubits = tuple(each.name for each in node.qubits)
        self.scopes[-1][node.name.name] = _Gate(parameters, qubits, node.body)

    @execute.register
    def _(self, node: ast.QuantumGate) -> None:
        self._apply(node)

    @execute.register
    def _(self, node: ast.QuantumPhase) -> None:
        self._apply(node)

    def _apply(self, node: Any) -> None:
        matrix = self._matrix(node)
        operands = [self._qubits(each) for each in node.qubits]
        for qubits in _broadcast(operands):
            if len(set(qubits)) < len(qubits) or len(matrix) != 1 << len(qubits):
                raise Unspecified("a gate on qubits that it does not fit")
            self.state.apply(matrix, qubits)

    def _matrix(self, node: Any) -> quantum.Matrix:
        """Of a gate with its modifiers, of which the last is the innermost."""
        if isinstance(node, ast.QuantumPhase):
            matrix = quantum.global_phase(self.value(node.argument).real)
        else:
            values = [self.value(each).real for each in node.arguments]
            matrix = self._plain_matrix(node.name.name, values)
        for modifier in reversed(node.modifiers):
            name, argument = modifier.modifier.name, modifier.argument
            self.arithmetic.met.add(f"{name} @")
            if name == "inv":
                matrix = matrix.conj().T
            elif name == "pow":
                matrix = quantum.power(matrix, self.value(argument).real)
            else:
                count = 1 if argument is None else self.whole(argument)
                matrix = quantum.controlled(matrix, count, int(name == "ctrl"))
        return matrix

    def _plain_matrix(self, name: str, values: Sequence[float]) -> quantum.Matrix:
        self.arithmetic.met.add(name)
        if name == "U":
            return quantum.builtin_u(*values)
        gate = self.lookup(name)
        if not isinstance(gate, _Gate):
            matrix: quantum.Matrix = gate(*values)
            return matrix
        saved, outer = self.scopes, self.state
        # The body sees constants and gates, no variables.
        constants = {n: v for n, v in saved[0].items() if not hasattr(v, "assign")}
        names = {qubit: Qubits((i,), True) for i, qubit in enumerate(gate.qubits)}
        parameters = {p: Value(FLOAT, v) for p, v in zip(gate.parameters, values, strict=True)}
        self.scopes = [constants, names | parameters]
        self.state = quantum.State.identity(len(gate.qubits))
        try:
            self._block(gate.body)
            return self.state.as_matrix()
        finally:
            self.scopes, self.state = saved, outer

    @execute.register
    def _(self, node: ast.QuantumReset) -> None:
        for qubit in self._qubits(node.qubits).items:
            if self._measure_one(qubit):
                self.state.apply(quantum.LIBRARY["x"](), [qubit])

    @execute.register
    def _(self, node: ast.QuantumBarrier) -> None:
        pass

    # Control flow.

    @execute.register
    def _(self, node: ast.CompoundStatement) -> None:
        self._inner_block(node.statements)

    @execute.register
    def _(self, node: ast.BranchingStatement) -> None:
        self.arithmetic.met.add("if")
        self._inner_block(node.if_block if self.holds(node.condition) else node.else_block)

    @execute.register
    def _(self, node: ast.WhileLoop) -> None:
        self.arithmetic.met.add("while")
        try:
            while self.holds(node.while_condition):
                self._iteration(node.block)
        except _Break:
            pass

    @execute.register
    def _(self, node: ast.ForInLoop) -> None:
        self.arithmetic.met.add("for")
        try:
            for value in self.elements(node.set_declaration):
                with self._scope():
                    self.declare(node.identifier.name, node.type, value)
                    self._iteration(node.block)
        except _Break:
            pass

    def _iteration(self, block: Sequence[Any]) -> None:
        with suppress(_Continue):
            self._inner_block(block)

    @execute.register
    def _(self, node: ast.SwitchStatement) -> None:
        self.arithmetic.met.add("switch")
        target = self.value(node.target)
        if target.kind not in ("int", "uint"):
            raise Unspecified(f"a switch on {target.kind}")
        for labels, body in node.cases:
            if target.number in [self.whole(label) for label in labels]:
                self._inner_block(body.statements)
                return
        if node.default is not None:
            self._inner_block(node.default.statements)

    @execute.register
    def _(self, node: ast.BreakStatement) -> None:
        self.arithmetic.met.add("break")
        raise _Break

    @execute.register
    def _(self, node: ast.ContinueStatement) -> None:
        self.arithmetic.met.add("continue")
        raise _Continue

    @execute.register
    def _(self, node: ast.EndStatement) -> None:
        self.arithmetic.met.add("end")
        raise _End

    # Subroutines.

    @execute.register
    def _(self, node: ast.SubroutineDefinition) -> None:
        self.scopes[-1][node.name.name] = node

    @execute.register
    def _(self, node: ast.ReturnStatement) -> None:
        value = None if node.expression is None else self._given(node.expression)
        raise _Return(value if value is None else scalar(value))

    @execute.register
    def _(self, node: ast.ExpressionStatement) -> None:
        self.evaluate(node.expression)

    def call(self, node: Any) -> Any:
        definition = self.lookup(node.name.name)
        if not isinstance(definition, ast.SubroutineDefinition) or self._calls > _MAX_CALLS:
            raise Unspecified("a call of what is no subroutine")
        self.arithmetic.met.add("def")
        arguments = [self.evaluate(each) for each in node.arguments]
        saved, self.scopes = self.scopes, [self.scopes[0], {}]
        self._calls += 1
        try:
            for parameter, argument in zip(definition.arguments, arguments, strict=True):
                self._pass(parameter, argument)
            self._inner_block(definition.body)
        except _Return as result:
            if definition.return_type is None:
                return None
            return convert(scalar(result.value), self.type_of(definition.return_type))
        finally:
            self.scopes = saved
            self._calls -= 1
        return None

    def _pass(self, parameter: Any, argument: Any) -> None:
        """By value, but for qubits and arrays."""
        name = parameter.name.name
        if isinstance(parameter, ast.QuantumArgument):
            size = 1 if parameter.size is None else self.whole(parameter.size)
            if not isinstance(argument, Qubits) or len(argument.items) != size:
                raise Unspecified("an argument that is not the qubits declared")
            self.scopes[-1][name] = Qubits(argument.items, single=parameter.size is None)
        elif isinstance(parameter.type, ast.ArrayReferenceType):
            self.arithmetic.met.add(f"{parameter.access.name} array")
            self._check_array(parameter.type, argument)
            self.scopes[-1][name] = argument
        else:
            self.declare(name, parameter.type, argument)

    def _check_array(self, declared: Any, argument: Any) -> None:
        dimensions = declared.dimensions
        if isinstance(argument, Array) and argument.type == self.type_of(declared.base_type):
            shape = argument.items.shape
            if isinstance(dimensions, list):
                if shape == tuple(self.whole(each) for each in dimensions):
                    return
            elif len(shape) == self.whole(dimensions):
                return
        raise Unspecified("an argument that is not the array declared")


def _declares_bits(node: Any) -> bool:
    bits = isinstance(getattr(node, "type", None), ast.BitType)
    output = isinstance(node, ast.IODeclaration) and node.io_identifier.name == "output"
    return bits and (output or isinstance(node, ast.ClassicalDeclaration))


def _broadcast(operands: Sequence[Qubits]) -> list[tuple[int, ...]]:
    """The qubits of each application of a gate; registers go in step."""
    lengths = {len(each.items) for each in operands if not each.single}
    if len(lengths) > 1:
        raise Unspecified("registers of different sizes")
    count = lengths.pop() if lengths else 1
    return [tuple(each.items[0 if each.single else i] for each in operands) for i in range(count)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program may answer and how probable each is."""

    probabilities: dict[str, float]
    lost: float
    """Probability of the runs that were not followed."""
    met: frozenset[str]
    """Operators, functions, gates and statements that any run met."""
    literals_mixed: bool
    """Whether what a literal's type is makes a difference to the type of an expression."""


def answer(
    text: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    literals_adapt: bool = False,
    max_paths: int = 600,
    least: float = 1e-7,
) -> Answer:
    """Follow every run whose probability is at least `least`. Raises Unspecified."""
    program = parser.parse(text)
    arithmetic = Arithmetic(literals_adapt)
    found: dict[str, float] = defaultdict(float)
    lost = 0.0
    waiting: list[tuple[int, ...]] = [()]
    for _ in range(max_paths):
        path = Path(waiting.pop(), least)
        machine = Machine(arithmetic, path, inputs or {})
        try:
            found[machine.run(program)] += machine.state.probability
        except _TooRare:
            lost += machine.state.probability
        for place in range(len(path.given), len(path.taken)):
            if path.others[place] < least:
                lost += path.others[place]
            else:
                waiting.append((*path.taken[:place], 1 - path.taken[place]))
        if not waiting:
            return Answer(dict(found), lost, frozenset(arithmetic.met), arithmetic.literals_mixed)
    raise Unspecified("too many runs")
