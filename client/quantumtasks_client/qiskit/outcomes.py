"""From what the service counted to what Qiskit's results hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.result.models import ExperimentResult, ExperimentResultData

from quantumtasks_client.models import Result
from quantumtasks_client.qiskit.note import Note

Bits = NDArray[np.uint8]


def bits_of(keys: Sequence[str], note: Note) -> Bits:
    """A row for each key, with the circuit's i-th classical bit in column i."""
    text = "".join(keys).replace(" ", "").encode()
    rows = np.frombuffer(text, np.uint8).reshape(len(keys), -1)[:, ::-1] - ord("0")
    if note.order is None:
        return rows
    bits = np.empty_like(rows)
    bits[:, note.order] = rows
    return bits


def shots_of(counts: Mapping[str, int], shots: int, note: Note, seed: Sequence[int]) -> Bits:
    """A row for each shot. In an order drawn with the seed: each order is as likely."""
    if not counts:  # Nothing was measured.
        return np.zeros((shots, note.clbits), np.uint8)
    rows = np.repeat(np.arange(len(counts)), list(counts.values()))
    order: NDArray[np.intp] = np.random.default_rng(seed).permutation(rows)
    return bits_of(list(counts), note)[order]


def experiment(told: Sequence[Result], note: Note) -> ExperimentResult:
    """What Aer would tell of a circuit, whose shots one task or several have run."""
    facts = told[0].metadata
    data: dict[str, Any] = {}
    if any(each.counts for each in told):
        counts = Counter[str]()
        for each in told:
            counts.update(each.counts or {})
        numbers = _numbers(list(counts), note)
        data["counts"] = dict(zip(numbers, counts.values(), strict=True))
    if memory := [line for each in told for line in each.memory or ()]:
        data["memory"] = _numbers(memory, note)
    return ExperimentResult(
        sum(each.shots or 0 for each in told),
        True,
        ExperimentResultData(**data),
        status="DONE",
        seed=facts["seed"],
        seed_simulator=facts["seed"],
        header=header(note),
        name=note.name,
        time_taken=sum(each.metadata["run_seconds"] for each in told),
        metadata=facts,
    )


def header(note: Note) -> dict[str, Any]:
    """What Qiskit says of a circuit beside its result."""
    return {
        "name": note.name,
        "n_qubits": note.qubits,
        "qreg_sizes": [list(register) for register in note.qregs],
        "creg_sizes": [[register.name, len(register.bits)] for register in note.cregs],
        "memory_slots": note.clbits,
        "global_phase": note.phase,
        "metadata": note.metadata or {},
    }


def _numbers(keys: Sequence[str], note: Note) -> list[str]:
    """Each as the number of all classical bits, in hexadecimal."""
    packed = np.packbits(bits_of(keys, note), axis=1, bitorder="little")
    return [hex(int.from_bytes(row.tobytes(), "little")) for row in packed]
