"""Counts drawn from the probabilities of the outcomes, for small circuits that end by measuring.

Aer takes about a microsecond for each shot of the smallest circuit, which is most of the time of
a usual one. The probabilities take it once, and how often each outcome came among so many shots
is one multinomial draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer.library import SaveProbabilities

from tasks_app.circuits.simulation.rewriting import Ending

MOST_QUBITS = 12
"""Above, preparing the state takes longer than the shots."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """A circuit without its measurements, which saves the probabilities of their outcomes."""

    circuit: QuantumCircuit
    clbits: tuple[int, ...]
    """Indices of the bits measured into; the i-th is bit i of an outcome's number."""

    def draw(self, probabilities: Any, *, shots: int, seed: int) -> dict[str, int]:
        """Counts by the bits' string."""
        generator = np.random.default_rng(seed)
        times = generator.multinomial(shots, probabilities / np.sum(probabilities))
        outcomes = np.flatnonzero(times)
        keys = bit_strings(outcomes, self.clbits, self.circuit.num_clbits)
        return dict(zip(keys, times[outcomes].tolist(), strict=True))


def in_some_order(counts: Mapping[str, int], seed: int) -> list[str]:
    """The outcome of each shot: given how often each came, every order is as likely."""
    keys, times = list(counts), list(counts.values())
    order = np.random.default_rng([seed, 1]).permutation(np.repeat(np.arange(len(keys)), times))
    return [keys[number] for number in order]


def bit_strings(outcomes: NDArray[np.int64], clbits: Sequence[int], width: int) -> list[str]:
    """All bits, the last leftmost, for each number whose i-th bit is in the i-th of `clbits`."""
    digits = np.full((len(outcomes), width), ord("0"), dtype=np.uint8)
    places = [width - 1 - clbit for clbit in clbits]
    digits[:, places] = ord("0") + (outcomes[:, np.newaxis] >> np.arange(len(clbits)) & 1)
    text = digits.tobytes().decode()
    return [text[start : start + width] for start in range(0, len(text), width)]


def sampling(ending: Ending, *, method: str, shots: int) -> Sampling | None:
    """Of a circuit that measures at its end only; None if it does not, or would not gain."""
    measured = ending.measured
    if not measured or (method == "stabilizer" and shots < 4 * 2 ** len(measured)):
        return None  # A stabilizer state takes each outcome apart.
    kept = ending.circuit
    kept.append(SaveProbabilities(len(measured)), list(measured.values()))
    return Sampling(kept, tuple(kept.find_bit(bit).index for bit in measured))
