"""Run a program that measurements steer, path by path.

Shots that share their past share one state. A measurement splits them by a multinomial draw, and
each part goes its own way with every value known. What has been done since the last statement of
the top level began is done again on each way, without touching the state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter import ProgramEnd, Run
from tasks_app.circuits.language.interpreter.values import Variable, Word, bits, flat, width_of
from tasks_app.circuits.language.parse import may_measure
from tasks_app.circuits.language.read import Steered
from tasks_app.circuits.simulation.compile import translate
from tasks_app.circuits.simulation.counts import Outcome, check_size
from tasks_app.circuits.simulation.noise import Noise
from tasks_app.circuits.simulation.state import Piece, State, circuit_pieces, pieces

_Bits = tuple[bool, ...]
_MAX_CACHED = 10_000  # Gates with their matrices.


@dataclass(frozen=True, slots=True)
class _Split:
    """Shots that go another way than those before them."""

    run: Run
    statement: int
    history: tuple[_Bits, ...]
    """Of the measurements since the statement began, the last of them the one that split."""
    state: State
    """Before that measurement."""
    collapse: Mapping[int, bool]
    shots: int
    gates: int
    """Applied before."""


class Walk:
    """All paths of one program. Takes the place of the simulator."""

    def __init__(
        self,
        program: Steered,
        *,
        method: str,
        shots: int,
        seed: int,
        noise: Noise | None,
        limits: Limits,
    ) -> None:
        self._asked = method
        self.method = _method(method, noise is not None)
        self.paths = 0
        self.gates = 0  # Of the longest path.
        self.run: Run  # One that came to its end.
        self._program, self._shots, self._noise, self._limits = program, shots, noise, limits
        self._random = np.random.default_rng(seed)
        self._splits: list[_Split] = []
        self._pieces: dict[Any, tuple[Any, list[Piece]]] = {}
        # Of the path under way:
        self._state = State(self.method == "density_matrix", limits)
        self._left = shots
        self._measured = False
        self._start: Run | None = None
        self._statement = 0
        self._history: list[_Bits] = []
        self._repeat: list[_Bits] = []
        self._collapse: Mapping[int, bool] = {}
        self._applied = 0

    def outcome(self, *, memory: bool) -> Outcome:
        """Raises CircuitError."""
        counts: dict[str, int] = {}
        for key, times in self._ends():
            counts[key] = counts.get(key, 0) + times
            check_size(len(counts) + (self._shots if memory else 0), len(key), self._limits)
        if self._noise is not None:
            self._noise.check_width(len(self.run.places))
        if not self._counts():
            counts = {}
        lines = [key for key, times in counts.items() for _ in range(times)] if memory else []
        order = self._random.permutation(len(lines)).tolist()
        return Outcome(counts, [lines[i] for i in order] if memory else None)

    def facts(self) -> dict[str, Any]:
        """What the result's metadata tell, known when the walk is over."""
        return {
            "qubits": len(self.run.places),
            "clbits": sum(map(width_of, self.run.counted.values())),
            "gates": self.gates,
            "depth": None,  # It depends on the path.
            "method": self.method,
            "sampling": "paths",
            "paths": self.paths,
            "measured": self._counts(),
        }

    def _counts(self) -> bool:
        """Whether there is anything to count: outputs, or bits after a measurement."""
        return bool(self.run.outputs or (self.run.registers and self._measured))

    def _ends(self) -> Iterator[tuple[str, int]]:
        """What each path came to, and how many shots."""
        run, statements = self._program.begin(self)
        yield self._follow(run, statements, 0)
        while self._splits:
            split = self._splits.pop()
            self._state, self._left = split.state, split.shots
            self._applied = split.gates
            self._repeat, self._collapse = list(split.history), split.collapse
            yield self._follow(split.run.fork(self), statements, split.statement)

    def _follow(self, run: Run, statements: Sequence[Any], first: int) -> tuple[str, int]:
        try:
            for self._statement in range(first, len(statements)):
                statement = statements[self._statement]
                self._history = []
                self._start = run.fork(self) if may_measure(statement) else None
                run.execute(statement)
        except ProgramEnd:
            pass
        run.finish()
        self.paths += 1
        self.gates = max(self.gates, self._applied)
        self.run = run
        return _key(run), self._left

    # What the program does on its path.

    def apply(self, gate: Any, qubits: Sequence[int]) -> None:
        if self._repeat:
            return
        self._applied += 1
        for name, matrix, inner in self._parts(gate):
            places = [qubits[place] for place in inner]
            self._state.apply(matrix, places)
            if self._noise is not None and (chance := self._noise.after(name, places)):
                self._state.depolarize(places, chance)

    def measure(self, qubits: Sequence[int]) -> Sequence[bool]:
        self._measured = True
        if self._noise is None or not any(self._noise.readout):
            return self._look(qubits)
        misread = self._noise.misread
        return [self._misread(self._look([qubit])[0], misread(qubit)[0]) for qubit in qubits]

    def reset(self, qubit: int) -> None:
        (one,) = self._look([qubit])
        if not self._repeat:
            self._state.ones -= {qubit} if one else set()

    def _look(self, qubits: Sequence[int]) -> _Bits:
        """Measure, and let all shots but those of one outcome wait."""
        if self._repeat:
            return self._again()
        known, unknown = self._state.ones, self._state.unknown(qubits)

        def bits_of(outcome: int) -> _Bits:
            drawn = dict(zip(unknown, bits(outcome, len(unknown)), strict=True))
            return tuple(drawn.get(qubit, qubit in known) for qubit in qubits)

        return self._choose(self._state.probabilities(unknown), bits_of, qubits)

    def _misread(self, bit: bool, flip: float) -> bool:
        if self._repeat:
            return bit ^ self._again()[0]
        return bit ^ self._choose([1 - flip, flip], lambda outcome: (bool(outcome),), ())[0]

    def _again(self) -> _Bits:
        """The next outcome that this path has had before."""
        outcome = self._repeat.pop(0)
        self._history.append(outcome)
        if not self._repeat:
            self._state.collapse(self._collapse)
        return outcome

    def _choose(
        self, chances: Any, bits_of: Callable[[int], _Bits], qubits: Sequence[int]
    ) -> _Bits:
        times = self._random.multinomial(self._left, chances)
        outcomes = np.flatnonzero(times).tolist()
        for outcome in outcomes[1:]:
            self._wait(bits_of(outcome), qubits, int(times[outcome]))
        chosen, self._left = bits_of(outcomes[0]), int(times[outcomes[0]])
        self._history.append(chosen)
        self._state.collapse(dict(zip(qubits, chosen, strict=False)))
        return chosen

    def _wait(self, outcome: _Bits, qubits: Sequence[int], shots: int) -> None:
        assert self._start is not None, "a statement that measures was not expected to"
        history = (*self._history, outcome)
        collapse = dict(zip(qubits, outcome, strict=False))
        state = replace(self._state)
        self._splits.append(
            _Split(self._start, self._statement, history, state, collapse, shots, self._applied)
        )

    def _parts(self, gate: Any) -> list[Piece]:
        standard = getattr(gate, "_standard_gate", None) is not None
        key = (gate.name, *gate.params) if standard else id(gate)
        if key not in self._pieces:
            if len(self._pieces) > _MAX_CACHED:
                self._pieces.clear()
            self._pieces[key] = gate, self._split_up(gate)  # With the gate, its id stays its own.
        return self._pieces[key][1]

    def _split_up(self, gate: Any) -> list[Piece]:
        if self._noise is None:
            return pieces(gate)
        circuit = QuantumCircuit(gate.num_qubits)
        circuit.append(gate, range(gate.num_qubits))
        if self._asked == "automatic":  # As for other programs, so that noise meets the same gates.
            circuit = translate(circuit, "statevector", True)
        return circuit_pieces(translate(circuit, "density_matrix", True))


def _method(asked: str, noisy: bool) -> str:
    if asked in ("automatic", "density_matrix") or (asked == "statevector" and not noisy):
        noisy = noisy or asked == "density_matrix"
        return "density_matrix" if noisy else "statevector"
    raise CircuitError(
        "method_unsuitable",
        "What this program does with its measurements needs the statevector method, or "
        f"density_matrix with noise, not {asked}; choose one of these or automatic.",
    )


def _key(run: Run) -> str:
    """As Qiskit prints it: the last bit leftmost, registers apart, the last of them leftmost."""
    groups = [_written(run, each) for each in run.counted.values()]
    return " ".join(reversed(groups))


def _written(run: Run, output: Any) -> str:
    if not isinstance(output, Variable):
        clbits: list[Clbit] = flat(output)
        return "".join("01"[run.memory.get(bit, False)] for bit in reversed(clbits))
    value = output.value
    return f"{value.pattern:0{value.type.width}b}" if isinstance(value, Word) else str(int(value))
