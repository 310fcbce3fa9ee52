"""Qubits and gates, and the exact distribution of what a program answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openqasm3 import ast, parser

from tasks_app.tests.circuits.guard import quantum
from tasks_app.tests.circuits.guard.arithmetic import Arithmetic
from tasks_app.tests.circuits.guard.memory import Qubits
from tasks_app.tests.circuits.guard.statements import ProgramEnd, Statements
from tasks_app.tests.circuits.guard.values import FLOAT, Type, Unspecified, Value

_NEGLIGIBLE = 1e-10


class _TooRare(Exception):
    """The run has become so improbable that it is given up."""


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


class Machine(Statements):
    """One run of a program."""

    def __init__(self, arithmetic: Arithmetic, path: Path, inputs: Mapping[str, Any]) -> None:
        super().__init__(arithmetic, inputs)
        self.state = quantum.State()
        self._path = path

    def run(self, program: Any) -> str:
        """The registers' bits as the service writes them."""
        try:
            self.block(program.statements)
        except ProgramEnd:
            declared = sum(_declares_bits(statement) for statement in program.statements)
            if len(self.registers) + len(self.outputs) != declared:
                raise Unspecified("an end before all registers are declared") from None
        registers = self.outputs or self.registers
        written = (
            "".join(str(bit.value) for bit in reversed(each.items)) for each in reversed(registers)
        )
        return " ".join(written)

    def measure(self, node: Any) -> Value:
        self.arithmetic.met.add("measure")
        qubits = self._qubits(node.qubit).items
        pattern = sum(self._measure_one(qubit) << place for place, qubit in enumerate(qubits))
        return Value(Type("bit", len(qubits)), pattern)

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

    def _Include(self, node: ast.Include) -> None:
        if node.filename != "stdgates.inc":
            raise Unspecified(f"the library {node.filename}")
        self.scopes[0].update(quantum.LIBRARY)

    def _QubitDeclaration(self, node: ast.QubitDeclaration) -> None:
        count = 1 if node.size is None else self.whole(node.size)
        qubits = tuple(self.state.add() for _ in range(count))
        self.scopes[-1][node.qubit.name] = Qubits(qubits, single=node.size is None)

    # Gates.

    def _QuantumGateDefinition(self, node: ast.QuantumGateDefinition) -> None:
        parameters = tuple(each.name for each in node.arguments)
        qubits = tuple(each.name for each in node.qubits)
        self.scopes[-1][node.name.name] = _Gate(parameters, qubits, node.body)

    def _QuantumGate(self, node: ast.QuantumGate) -> None:
        self._apply(node)

    def _QuantumPhase(self, node: ast.QuantumPhase) -> None:
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
            self.block(gate.body)
            return self.state.as_matrix()
        finally:
            self.scopes, self.state = saved, outer

    def _QuantumReset(self, node: ast.QuantumReset) -> None:
        for qubit in self._qubits(node.qubits).items:
            if self._measure_one(qubit):
                self.state.apply(quantum.LIBRARY["x"](), [qubit])

    def _QuantumBarrier(self, node: ast.QuantumBarrier) -> None:
        pass


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
