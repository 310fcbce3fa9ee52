"""Counts drawn from the probabilities of the outcomes, for small circuits that end by measuring.

Aer takes about a microsecond for each shot of the smallest circuit, which is most of the time of
a usual one. The probabilities take it once, and how often each outcome came among so many shots
is one multinomial draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer.library import SaveProbabilities

from tasks_app.circuits.simulation.rewriting import without_final_measurements

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
        keys = [key_of(outcome, self.clbits) for outcome in outcomes.tolist()]
        times = times[outcomes]
        # Given how often each came, every order is as likely.
        order = generator.permutation(np.repeat(np.arange(len(keys)), times)) if memory else ()
        return dict(zip(keys, times.tolist(), strict=True)), [keys[number] for number in order]


def key_of(outcome: int, clbits: Sequence[int]) -> str:
    """Of Aer, for the number of an outcome whose i-th bit is in the i-th of these bits."""
    return hex(sum((outcome >> i & 1) << clbit for i, clbit in enumerate(clbits)))


def sampling(circuit: QuantumCircuit, *, method: str, shots: int) -> Sampling | None:
    """None if the circuit does not end by measuring, or would not gain."""
    if circuit.num_qubits > _MOST_QUBITS:
        return None
    ending = without_final_measurements(circuit)
    measured = ending.measured
    if ending.others:
        return None
    if not measured or (method == "stabilizer" and shots < 4 * 2 ** len(measured)):
        return None  # A stabilizer state takes each outcome apart.
    kept = ending.circuit
    kept.append(SaveProbabilities(len(measured)), list(measured.values()))
    return Sampling(kept, tuple(circuit.find_bit(bit).index for bit in measured))
