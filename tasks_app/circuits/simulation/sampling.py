"""Counts drawn from the probabilities of the outcomes, for small circuits that end by measuring.

Aer takes about a microsecond for each shot of the smallest circuit, which is most of the time of
a usual one. The probabilities take it once, and how often each outcome came among so many shots
is one multinomial draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, Gate, Qubit
from qiskit_aer.library import SaveProbabilities

_MOST_QUBITS = 12  # Above, preparing the state takes longer than the shots.


@dataclass(frozen=True, slots=True)
class Sampling:
    """A circuit without its measurements, which saves the probabilities of their outcomes."""

    circuit: QuantumCircuit
    clbits: tuple[int, ...]
    """Indices of the bits measured into; the i-th is bit i of an outcome's number."""

    def draw(
        self, probabilities: Any, *, shots: int, seed: int, memory: bool
    ) -> tuple[dict[str, int], list[str]]:
        """Counts by outcome, and if wanted the outcome of each shot, keyed as Aer does."""
        generator = np.random.default_rng(seed)
        times = generator.multinomial(shots, probabilities / np.sum(probabilities))
        outcomes = np.flatnonzero(times)
        keys = [hex(self._bits(outcome)) for outcome in outcomes.tolist()]
        times = times[outcomes]
        # Given how often each came, every order is as likely.
        order = generator.permutation(np.repeat(np.arange(len(keys)), times)) if memory else ()
        return dict(zip(keys, times.tolist(), strict=True)), [keys[number] for number in order]

    def _bits(self, outcome: int) -> int:
        return sum((outcome >> i & 1) << clbit for i, clbit in enumerate(self.clbits))


def sampling(circuit: QuantumCircuit, *, method: str, shots: int) -> Sampling | None:
    """None if the circuit does not end by measuring, or would not gain."""
    if circuit.num_qubits > _MOST_QUBITS:
        return None
    measured: dict[Clbit, Qubit] = {}
    final: set[Qubit] = set()
    kept = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name in ("barrier", "delay"):
            continue
        if not final.isdisjoint(instruction.qubits):
            return None
        if instruction.name == "measure":
            (qubit,), (clbit,) = instruction.qubits, instruction.clbits
            if clbit in measured:
                return None
            measured[clbit] = qubit
            final.add(qubit)
        elif isinstance(instruction.operation, Gate):
            kept._append(instruction)
        else:
            return None
    if not measured or (method == "stabilizer" and shots < 4 * 2 ** len(measured)):
        return None  # A stabilizer state takes each outcome apart.
    kept.append(SaveProbabilities(len(measured)), list(measured.values()))
    return Sampling(kept, tuple(circuit.find_bit(bit).index for bit in measured))
