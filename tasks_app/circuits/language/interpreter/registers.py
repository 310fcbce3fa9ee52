"""The registers of a program, and where its operations go.

A program becomes one circuit as long as the simulator can do at run time what it asks for.
Where it asks for more, `Steered` is raised and the program is run path by path: `paths` then
tells the outcome of each measurement at once, and every value is known.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, Self

from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, CircuitInstruction, Clbit, Measure, Parameter, Qubit, Reset
from qiskit.circuit.classical import expr

from tasks_app.circuits.errors import check_width
from tasks_app.circuits.job import Limits
from tasks_app.circuits.language.interpreter.deferred import Deferred, Inputs
from tasks_app.circuits.language.interpreter.measured import Steered
from tasks_app.circuits.language.interpreter.names import Names
from tasks_app.circuits.language.interpreter.values import (
    Array,
    Bits,
    Qubits,
    Type,
    Variable,
    Word,
    failure,
    flat,
)

_MEASURE, _RESET = Measure(), Reset()
TIE = "tied to the block"
"""The label of a barrier that is not the program's."""


class Paths(Protocol):
    """The quantum state on one path through a program."""

    def apply(self, gate: Any, qubits: Sequence[int]) -> None: ...
    def measure(self, qubits: Sequence[int]) -> Sequence[bool]: ...
    def reset(self, qubit: int) -> None: ...


class Registers(Names):
    """What a program has declared so far, and the circuit of it."""

    def __init__(
        self,
        limits: Limits,
        inputs: Inputs,
        paths: Paths | None = None,
        *,
        old: bool = False,
    ) -> None:
        super().__init__(limits, inputs, old=old)
        self.paths = paths
        self.circuit = QuantumCircuit()
        self.registers: list[str] = []
        """Names of bits at the top level in the order declared, which are what is counted."""
        self.outputs: list[str] = []
        """What is declared `output`: if there is anything, only that is counted."""
        self.memory: dict[Clbit, bool] = {}
        """The value of each bit, where it is known."""
        self.places: dict[Qubit, int] = {}
        self.depth = 0  # Of blocks that a measurement decides.
        self.called = 0  # Subroutines, so far.
        self.deferred: dict[Deferred, Parameter] = {}
        """What the circuit has in place of angles that are not known yet."""
        self.made: dict[Any, Any] = {}  # Gates with their modifiers, and of the program's own.
        self._bits = 0
        self.measured: Qubit | None = None  # The last one that was.
        self._sizes: dict[str, Any] = {}  # Of what is declared, on all paths.

    def fork(self) -> Self:
        """A copy between two statements of the top level, which goes on by itself."""
        other = copy.copy(self)
        other.globals = {name: _copied(value) for name, value in self.globals.items()}
        other.scopes = [other.globals]
        other.registers, other.outputs = list(self.registers), list(self.outputs)
        other.memory, other.places = dict(self.memory), dict(self.places)
        return other

    @property
    def counted(self) -> dict[str, Any]:
        """The registers, or outputs, whose bits are the program's outcome."""
        return {name: self.globals[name] for name in self.outputs or self.registers}

    def declare_qubits(self, name: str, size: int | None) -> None:
        """`size` is `None` for a single qubit."""
        if len(self.scopes) > 1:
            raise failure("Qubits can be declared at the top level only.")
        self.check_known(name, size)
        self._check_size(len(self.places), size, "qubits", self.limits.max_qubits)
        qubits = tuple(Qubit() for _ in range(1 if size is None else size))
        self.define(name, qubits[0] if size is None else Qubits(qubits))
        self._add_qubits(qubits)

    def _add_qubits(self, qubits: Sequence[Qubit]) -> None:
        for qubit in qubits:
            self.places[qubit] = len(self.places)
        if self.paths is None:
            self.circuit.add_bits(qubits)

    def physical_qubit(self, name: str) -> Qubit:
        index = int(name[1:][:12])
        self._check_size(len(self.places), index + 1, "qubits", self.limits.max_qubits)
        for place in range(index + 1):
            if f"${place}" not in self.globals:
                self.globals[f"${place}"] = Qubit()
                self._add_qubits([self.globals[f"${place}"]])
        return self.globals[f"${index}"]

    def declare_bits(self, name: str, size: int | None) -> Any:
        """`size` is `None` for a single bit."""
        counted = len(self.scopes) == 1
        self.check_known(name, size)
        value = self.new_bits(size, counted=counted)
        self.define(name, value)
        if counted:
            self.registers.append(name)
            self._bits += len(flat(value))
        return value

    def new_bits(self, size: int | None, *, counted: bool = False) -> Any:
        """Bits that are 0."""
        self.forbid_in_gate()
        self._check_size(self._bits, size, "classical bits", self.limits.max_clbits)
        bits = tuple(Clbit() for _ in range(1 if size is None else size))
        if self.paths is None:
            if not counted and self.circuit.num_clbits + len(bits) > self.limits.max_clbits:
                raise Steered
            self.circuit.add_bits(bits)
            if self.depth:  # The block may run again.
                self.store(bits, [False] * len(bits))
        return bits[0] if size is None else Bits(bits)

    def check_known(self, name: str, size: Any) -> None:
        """Refuse a size that a measurement decides: an outcome has the same bits in all shots."""
        if len(self.scopes) == 1 and self._sizes.setdefault(name, size) != size:
            raise failure(f"A measurement decides the size of {name!r:.80}; declare it constant.")

    def _check_size(self, have: int, size: int | None, kind: str, allowed: int) -> None:
        more = 1 if size is None else size
        if more < 1:
            raise failure("A register needs at least one element.")
        check_width(kind, have + more, allowed)

    def forbid_in_gate(self) -> None:
        if self.in_gate:
            raise failure("The body of a gate holds gates only.")

    # Operations.

    def angles(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """As gates take them: one that is deferred becomes a parameter of the circuit."""
        return tuple(self._angle(each) if isinstance(each, Deferred) else each for each in values)

    def _angle(self, value: Deferred) -> Parameter:
        if value not in self.deferred:
            self.deferred[value] = Parameter(f"p{len(self.deferred)}")
        return self.deferred[value]

    def put(self, instruction: CircuitInstruction) -> None:
        """Without the checks that Qiskit makes: they have been made."""
        if self.in_gate or self.paths is None:
            self.circuit._current_scope().append(instruction)
        else:
            places = [self.places[qubit] for qubit in instruction.qubits]
            self.paths.apply(instruction.operation, places)

    def measure(self, source: Any, target: Any) -> None:
        self.forbid_in_gate()
        qubits, bits = flat(source), flat(target)
        if not isinstance(target, Bits | Clbit):
            raise failure("A measurement is written to a bit or a bit register.")
        if len(qubits) != len(bits):
            raise failure(f"{len(qubits)} qubits are measured to {len(bits)} bits.")
        self.count_steps(len(bits))
        if self.paths is not None:
            outcomes = self.paths.measure([self.places[qubit] for qubit in qubits])
            self.memory.update(zip(bits, outcomes, strict=True))
            return
        self.measured = qubits[-1]
        for qubit, bit in zip(qubits, bits, strict=True):
            self.put(CircuitInstruction(_MEASURE, (qubit,), (bit,)))

    def reset(self, operand: Any) -> None:
        if not self.old:  # Where Qiskit writes gates that begin with resets.
            self.forbid_in_gate()
        for qubit in flat(operand):
            if self.paths is None:
                self.put(CircuitInstruction(_RESET, (qubit,)))
            else:
                self.paths.reset(self.places[qubit])

    def barrier(self, qubits: Sequence[Qubit]) -> None:
        """Without qubits: of all."""
        if self.in_gate or self.paths is None:
            self.circuit.barrier(list(dict.fromkeys(qubits)) or self.circuit.qubits)

    def tie(self) -> None:
        """Aer keeps the order of what shares a qubit: without one, a block with stores moves."""
        if self.circuit.qubits:
            qubit = self.measured or self.circuit.qubits[0]
            self.circuit.append(Barrier(1, label=TIE), [qubit], copy=False)

    def read(self, value: Any) -> Any:
        """The value of bits where it is known, and any other value as it is."""
        if self.paths is None or not isinstance(value, Bits | Clbit):
            return value
        if isinstance(value, Clbit):
            return self.memory.get(value, False)
        pattern = sum(self.memory.get(bit, False) << i for i, bit in enumerate(value.items))
        return Word(Type("bit", len(value.items)), pattern)

    def store(self, bits: Sequence[Clbit], values: Sequence[Any]) -> None:
        """One by one: a value must not read a bit stored before it."""
        self.count_steps(len(bits))
        for bit, value in zip(bits, values, strict=True):
            if self.paths is not None:
                self.memory[bit] = value
            else:
                self.circuit.store(bit, expr.lift(value))

    def keep(self, value: Any) -> Clbit:
        """A hidden bit with this value."""
        bit = self.new_bits(None)
        self.store((bit,), (value,))
        return bit


def _copied(value: Any) -> Any:
    if isinstance(value, Variable):
        return replace(value, value=_copied(value.value))
    return replace(value, items=value.items.copy()) if isinstance(value, Array) else value
