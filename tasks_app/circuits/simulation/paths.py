"""Run a program that measurements steer, path by path.

Shots that share their past share one state. A measurement splits them by a multinomial draw, and
each part goes its own way with every value known. What has been done since the last statement of
the top level began is done again on each way, without touching the state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter import ProgramEnd, Run
from tasks_app.circuits.language.interpreter.declarations import declare_rest
from tasks_app.circuits.language.interpreter.values import Variable, Word, bits, flat, width_of
from tasks_app.circuits.language.parse import may_measure
from tasks_app.circuits.language.read import SteeredProgram
from tasks_app.circuits.simulation.compile import Options, translate
from tasks_app.circuits.simulation.counts import Outcome, check_size
from tasks_app.circuits.simulation.sampling import in_some_order
from tasks_app.circuits.simulation.state import Piece, State, circuit_pieces, pieces

_Bits = tuple[bool, ...]
_MAX_CACHED = 10_000  # Gates with their matrices.


@dataclass(slots=True)
class _Path:
    """Shots that share their past."""

    state: State
    shots: int
    gates: int = 0
    """Applied so far."""
    statement: int = 0
    """The one of the top level that is under way."""
    start: Run | None = None
    """The program before it; None if it measures nothing."""
    history: list[_Bits] = field(default_factory=list)
    """Outcomes since then."""
    before: Sequence[_Bits] = ()
    """Those that it had before it split from another path, which it begins with."""
    collapse: Mapping[int, bool] = field(default_factory=dict)
    """What the last of them makes of the state, which is that before it."""

    @property
    def repeats(self) -> bool:
        return len(self.history) < len(self.before)


class Walk:
    """All paths of one program. Takes the place of the simulator."""

    def __init__(
        self, program: SteeredProgram, options: Options, *, seed: int, limits: Limits
    ) -> None:
        self.method = _method(options.method, options.noise is not None)
        self.paths = 0
        self.gates = 0  # Of the longest path.
        self.run: Run  # One that came to its end.
        self._program, self._options, self._limits = program, options, limits
        self._noise = options.noise
        self._seed, self._random = seed, np.random.default_rng(seed)
        self._waiting: list[_Path] = []
        self._path = _Path(State(self.method == "density_matrix", limits), options.shots)
        self._pieces: dict[Any, tuple[Any, list[Piece]]] = {}

    def outcome(self) -> Outcome:
        """Raises CircuitError."""
        counts: dict[str, int] = {}
        memory = self._options.shots if "memory" in self._options.outputs else 0
        for key, times in self._ends():
            counts[key] = counts.get(key, 0) + times
            check_size(len(counts) + memory, len(key), self._limits)
        if self._noise is not None:
            self._noise.check_width(len(self.run.places))
        if not self._counts():
            counts = {}
        return Outcome(counts, in_some_order(counts, self._seed) if memory else [])

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
        """Whether there is anything to count: outputs, or bits of a program that measures."""
        return bool(self.run.outputs or (self.run.registers and self._program.measures))

    def _ends(self) -> Iterator[tuple[str, int]]:
        """What each path came to, and how many shots."""
        run, statements = self._program.begin(self)
        yield self._follow(run, statements)
        while self._waiting:
            self._path = self._waiting.pop()
            assert self._path.start is not None, "a statement that measures was not expected to"
            yield self._follow(self._path.start.fork(), statements)

    def _follow(self, run: Run, statements: Sequence[Any]) -> tuple[str, int]:
        path = self._path
        try:
            for number in range(path.statement, len(statements)):
                path.statement, statement = number, statements[number]
                path.start = run.fork() if may_measure(statement) else None
                run.execute(statement)
                path.history, path.before = [], ()
        except ProgramEnd:
            declare_rest(run, statements[path.statement + 1 :])
        run.finish()
        self.paths += 1
        self.gates = max(self.gates, path.gates)
        self.run = run
        return _key(run), path.shots

    # What the program does on its path.

    def apply(self, gate: Any, qubits: Sequence[int]) -> None:
        path = self._path
        if path.repeats:
            return
        path.gates += 1
        for name, matrix, inner in self._parts(gate):
            places = [qubits[place] for place in inner]
            path.state.apply(matrix, places)
            if self._noise is not None and (chance := self._noise.after(name, places)):
                path.state.depolarize(places, chance)

    def measure(self, qubits: Sequence[int]) -> Sequence[bool]:
        if self._noise is None or not any(self._noise.readout):
            return self._look(qubits)
        misread = self._noise.misread
        return [self._misread(self._look([qubit])[0], misread(qubit)[0]) for qubit in qubits]

    def reset(self, qubit: int) -> None:
        self._look([qubit])
        if not self._path.repeats:
            self._path.state.ones -= {qubit}

    def _look(self, qubits: Sequence[int]) -> _Bits:
        """Measure, and let all shots but those of one outcome wait."""
        if self._path.repeats:
            return self._again()
        state = self._path.state
        known, unknown = state.ones, state.unknown(qubits)

        def bits_of(outcome: int) -> _Bits:
            drawn = dict(zip(unknown, bits(outcome, len(unknown)), strict=True))
            return tuple(drawn.get(qubit, qubit in known) for qubit in qubits)

        return self._choose(state.probabilities(unknown), bits_of, qubits)

    def _misread(self, bit: bool, flip: float) -> bool:
        if self._path.repeats:
            return bit ^ self._again()[0]
        return bit ^ self._choose([1 - flip, flip], lambda outcome: (bool(outcome),), ())[0]

    def _again(self) -> _Bits:
        """The next outcome that this path has had before."""
        path = self._path
        path.history.append(path.before[len(path.history)])
        if not path.repeats:
            path.state.collapse(path.collapse)
        return path.history[-1]

    def _choose(
        self, chances: Any, bits_of: Callable[[int], _Bits], qubits: Sequence[int]
    ) -> _Bits:
        path = self._path
        times = self._random.multinomial(path.shots, chances)
        first, *others = np.flatnonzero(times).tolist()
        for outcome in others:
            another = replace(path, state=replace(path.state), shots=int(times[outcome]))
            another.history, another.before = [], (*path.history, bits_of(outcome))
            another.collapse = dict(zip(qubits, bits_of(outcome), strict=False))
            self._waiting.append(another)
        chosen, path.shots = bits_of(first), int(times[first])
        path.history.append(chosen)
        path.state.collapse(dict(zip(qubits, chosen, strict=False)))
        return chosen

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
        # As for other programs, so that noise meets the same gates.
        if self._options.method == "automatic":
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
