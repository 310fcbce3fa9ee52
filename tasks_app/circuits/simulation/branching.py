"""Counts of small circuits that measure on the way, without a run for each shot.

Aer begins each shot of them anew, which takes it ten microseconds and on virtual machines fifty,
whatever the circuit. Here shots that share their past share one state: a measurement splits them
by a binomial draw, and each part goes on by itself.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    CASE_DEFAULT,
    CircuitInstruction,
    Clbit,
    IfElseOp,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr, types

from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation.aer import NOT_REAL, Angles
from tasks_app.circuits.simulation.state import Piece, State, pieces

_LEAST_STEPS, _MOST_STEPS = 200, 20_000
"""On all paths together. In between as many as shots, each of which takes Aer as long."""
_EXACT_STEPS = 5_000
"""On all paths, for exact means: as many as take about as long as a thousand shots take Aer."""
_LEAST_WEIGHT = 1e-14
_OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    **{"BIT_AND": operator.and_, "BIT_OR": operator.or_, "BIT_XOR": operator.xor},
    **{"LOGIC_AND": operator.and_, "LOGIC_OR": operator.or_},
    **{"EQUAL": operator.eq, "NOT_EQUAL": operator.ne},
    **{"LESS": operator.lt, "LESS_EQUAL": operator.le},
    **{"GREATER": operator.gt, "GREATER_EQUAL": operator.ge},
}
N = TypeVar("N", int, float)
R = TypeVar("R")
_Value = Callable[[int], int]
"""Of an expression, from all bits as a number, of which bit i is the i-th."""


class _Unsuitable(Exception):
    """There is something that only Aer knows, or too much to do."""


@dataclass(slots=True)
class _Label:
    place: int = 0


@dataclass(frozen=True, slots=True)
class _Apply:
    matrix: Any
    qubits: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Measure:
    qubit: int
    bit: int | None
    """None for a reset."""


@dataclass(frozen=True, slots=True)
class _Store:
    bits: Sequence[int]
    value: _Value


@dataclass(frozen=True, slots=True)
class _Jump:
    to: _Label
    unless: _Value


_Step = _Apply | _Measure | _Store | _Jump


@dataclass(frozen=True, slots=True)
class Branching:
    """A circuit whose shots may end in different states."""

    circuit: QuantumCircuit
    limits: Limits

    def draw(
        self, angles: Sequence[Angles], *, shots: int, seeds: Sequence[int]
    ) -> list[tuple[dict[str, int], int]] | None:
        """For each of the angles, counts by the bits' string and the number of paths.

        None where Aer is quicker.
        """
        left = iter(seeds)
        most, width = min(max(shots, _LEAST_STEPS), _MOST_STEPS), self.circuit.num_clbits

        def drawn(steps: Sequence[_Step]) -> tuple[dict[str, int], int]:
            random, counts, paths = np.random.default_rng(next(left)), Counter[int](), 0

            def split(times: int, chance: float) -> int:
                return int(random.binomial(times, chance))

            for bits, _, times in _ends(steps, shots, split, most, self.limits):
                counts[bits] += times
                paths += 1
            return {f"{bits:0{width}b}": times for bits, times in counts.items()}, paths

        return self._for_each(angles, drawn)

    def means(
        self, angles: Sequence[Angles], paulis: Sequence[Mapping[int, str]]
    ) -> list[Sequence[float]] | None:
        """For each of the angles, the means of Pauli strings (letters by qubit) over all paths.

        None where there is too much to do.
        """

        def weighted(steps: Sequence[_Step]) -> Sequence[float]:
            found, left = np.zeros(len(paulis)), _EXACT_STEPS
            for _, state, weight in _ends(steps, 1.0, operator.mul, left, self.limits):
                left -= len(paulis)
                if left < 0:
                    raise _Unsuitable
                found += [weight * state.mean(pauli) for pauli in paulis]
            return list(found)

        return self._for_each(angles, weighted)

    def _for_each(
        self, angles: Sequence[Angles], follow: Callable[[Sequence[_Step]], R]
    ) -> list[R] | None:
        found = []
        for values in angles:
            try:
                circuit = self.circuit.assign_parameters(values) if values else self.circuit
                found.append(follow(_Writing(circuit).steps))
            except (_Unsuitable, *NOT_REAL):
                return None  # Of an angle that is no number, who runs it for Aer tells.
        return found


def branching(circuit: QuantumCircuit, limits: Limits) -> Branching | None:
    """None for a circuit that is too long: each run would begin to write its steps in vain."""
    return Branching(circuit, limits) if circuit.size() <= _MOST_STEPS else None


def _ends(
    steps: Sequence[_Step], whole: N, split: Callable[[N, float], N], left: int, limits: Limits
) -> Iterator[tuple[int, State, N]]:
    """What each path comes to in bits and state, and its part of the whole.

    `split`: how much of a part measures 1, by the chance of it; `left`: steps that may be taken.
    Raises _Unsuitable.
    """
    waiting: list[tuple[int, State, int, Any]] = [(0, State(False, limits), 0, whole)]
    while waiting:
        place, state, bits, times = waiting.pop()
        while place < len(steps):
            if not left:
                raise _Unsuitable
            left -= 1
            step = steps[place]
            place += 1
            match step:
                case _Apply():
                    state.apply(step.matrix, step.qubits)
                case _Jump():
                    place = place if step.unless(bits) else step.to.place
                case _Store():
                    bits = _with(bits, step.bits, step.value(bits))
                case _Measure(qubit, bit):
                    ones = times if qubit in state.ones else 0
                    if state.unknown([qubit]):
                        ones = split(times, state.probabilities([qubit])[1])
                    for one, part in ((True, ones), (False, times - ones)):
                        if part > _LEAST_WEIGHT:
                            after = replace(state)
                            after.collapse({qubit: one})
                            if bit is None:
                                after.ones -= {qubit}
                            known = bits if bit is None else _with(bits, [bit], one)
                            waiting.append((place, after, known, part))
                    break
        else:
            yield bits, state, times


def _with(bits: int, places: Iterable[int], value: int) -> int:
    for i, place in enumerate(places):
        bits = bits & ~(1 << place) | (value >> i & 1) << place
    return bits


_Places = Mapping[Any, int]
_Loop = tuple[_Label, _Label] | None
"""Where `break` and `continue` go on."""


class _Writing:
    """Writes a circuit as steps, of which some say where to go on. Raises _Unsuitable."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.steps: list[_Step] = []
        self._bits = {bit: place for place, bit in enumerate(circuit.clbits)}
        self._pieces: dict[Any, Sequence[Piece]] = {}
        qubits = {bit: place for place, bit in enumerate(circuit.qubits)}
        self._write(circuit, qubits, None)

    def _write(self, part: QuantumCircuit, places: _Places, loop: _Loop) -> None:
        """`places`: of the qubits of a block; its bits are the circuit's own."""
        for each in part.data:
            if len(self.steps) > _MOST_STEPS:
                raise _Unsuitable
            operation = each.operation
            qubits = [places[qubit] for qubit in each.qubits]
            match each.name:
                case "barrier" | "delay":
                    pass
                case "measure":
                    self.steps.append(_Measure(qubits[0], self._bits[each.clbits[0]]))
                case "reset":
                    self.steps.append(_Measure(qubits[0], None))
                case "store":
                    target, value = operation.params
                    self.steps.append(_Store(self._bits_of(target), self._value(value)))
                case "break_loop" | "continue_loop" if loop:
                    self._jump(loop[each.name == "continue_loop"])
                case _ if each.is_control_flow():
                    self._control(each, places, loop)
                case _:
                    for _, matrix, spots in self._pieces_of(each):
                        self.steps.append(_Apply(matrix, [qubits[spot] for spot in spots]))

    def _control(self, each: CircuitInstruction, places: _Places, loop: _Loop) -> None:
        operation, end = each.operation, _Label()

        def write(block: QuantumCircuit, loop: _Loop) -> None:
            inner = zip(block.qubits, each.qubits, strict=True)
            self._write(block, {bit: places[other] for bit, other in inner}, loop)

        if isinstance(operation, IfElseOp):
            other = _Label()
            self._jump(other, unless=self._condition(operation.condition))
            write(operation.blocks[0], loop)
            self._jump(end)
            self._mark(other)
            for block in operation.blocks[1:]:
                write(block, loop)
        elif isinstance(operation, WhileLoopOp):
            again = _Label()
            self._mark(again)
            self._jump(end, unless=self._condition(operation.condition))
            write(operation.blocks[0], (end, again))
            self._jump(again)
        elif isinstance(operation, SwitchCaseOp):
            value = self._value(operation.target)
            for labels, block in operation.cases_specifier():
                following = _Label()
                self._jump(following, unless=_any_of(labels, value))
                write(block, loop)
                self._jump(end)
                self._mark(following)
        else:
            rounds, variable, body = operation.params
            for number in rounds:
                again, bound = _Label(), variable in body.parameters
                write(body.assign_parameters({variable: number}) if bound else body, (end, again))
                self._mark(again)
        self._mark(end)

    def _jump(self, to: _Label, *, unless: _Value = lambda bits: False) -> None:
        self.steps.append(_Jump(to, unless))

    def _mark(self, label: _Label) -> None:
        label.place = len(self.steps)

    def _pieces_of(self, each: CircuitInstruction) -> Sequence[Piece]:
        if not each.is_standard_gate():
            return pieces(each.operation)
        key = each.name, *each.params
        if key not in self._pieces:
            self._pieces[key] = pieces(each.operation)
        return self._pieces[key]

    def _bits_of(self, target: Any) -> Sequence[int]:
        target = target.var if isinstance(target, expr.Var) else target
        bits = (target,) if isinstance(target, Clbit) else target
        return [self._bits[bit] for bit in bits]

    def _condition(self, condition: Any) -> _Value:
        if isinstance(condition, expr.Expr):
            return self._value(condition)
        target, number = condition
        return _any_of([int(number)], self._value(target))

    def _value(self, node: Any) -> _Value:
        match node:
            case expr.Value(value=known):
                return lambda bits: known
            case expr.Cast() | expr.Unary():
                value, inverts = self._value(node.operand), isinstance(node, expr.Unary)
                if node.type.kind is types.Bool:
                    return lambda bits: bool(value(bits)) != inverts
                most = (1 << node.type.width) - 1
                return lambda bits: value(bits) & most ^ most * inverts
            case expr.Binary():
                left, right = self._value(node.left), self._value(node.right)
                operation = _OPERATIONS[node.op.name]
                return lambda bits: operation(left(bits), right(bits))
        spots = self._bits_of(node)
        return lambda bits: sum((bits >> spot & 1) << i for i, spot in enumerate(spots))


def _any_of(labels: Sequence[Any], value: _Value) -> _Value:
    if CASE_DEFAULT in labels:
        return lambda bits: True
    return lambda bits: value(bits) in labels
