"""A sampler's PUBs as tasks, and the results of these as its own."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from quantumtasks_client.operations import MAX_SETS
from quantumtasks_client.qiskit.backend import QuantumTasksBackend
from quantumtasks_client.qiskit.note import Block
from quantumtasks_client.qiskit.outcomes import Bits, shots_of
from quantumtasks_client.qiskit.pubs import (
    Part,
    Told,
    by_pub,
    given,
    seed_after,
    shares_of,
    values_of,
)

_BYTES = 6_000_000  # Of a task's result: the service allows 8 MiB.
_SPARSE_BITS = 30  # From here on there is rather one outcome a shot than all that are possible.


def parts(
    backend: QuantumTasksBackend, pubs: Sequence[SamplerPub], seed: int | None
) -> Iterator[Part]:
    """The tasks: one for each PUB, or some where one cannot hold its parameters or its result."""
    before = 0
    for index, pub in enumerate(pubs):
        program = backend.program(pub.circuit, "sampler")
        values = values_of(pub, program)
        for shots in shares_of(pub.shots, backend.about.max_shots):
            step = _most_sets(pub.circuit, shots)
            for first in range(0, len(values), step):
                block = Block(pub=index, shape=list(pub.shape), first=first)
                note = msgspec.structs.replace(program.note, block=block)
                fields = program.fields(note) | {"shots": shots}
                fields["seed"] = seed_after(seed, before + first)
                yield Part(fields | given(values[first : first + step], pub.shape), note)
            before += len(values)


def _most_sets(circuit: QuantumCircuit, shots: int) -> int:
    """Whose counts surely fit a result."""
    bits, registers = int(circuit.num_clbits), len(circuit.cregs)
    outcomes = shots if bits >= _SPARSE_BITS else min(shots, 1 << bits)
    return max(1, min(MAX_SETS, _BYTES // (outcomes * (bits + registers + 10))))


def result(told: Sequence[Told]) -> PrimitiveResult[SamplerPubResult]:
    """Of all PUBs, from the results of their tasks."""
    return PrimitiveResult(list(map(_pub_result, by_pub(told))), {"version": 2})


def _pub_result(told: Sequence[Told]) -> SamplerPubResult:
    note, block = told[0].note, told[0].block
    found: dict[int, list[Bits]] = {}
    for each in told:
        for place, bits in _bits(each):
            found.setdefault(place, []).append(bits)
    rows = [np.concatenate(found[place]) for place in sorted(found)]
    data = {}
    for register in note.cregs:
        packed = np.array([_packed(bits, register.bits) for bits in rows])
        array = packed.reshape(*block.shape, *packed.shape[1:])
        data[register.name] = BitArray(array, len(register.bits))
    return SamplerPubResult(
        DataBin(**data, shape=tuple(block.shape)),
        metadata={"shots": len(rows[0]), "circuit_metadata": note.metadata or {}},
    )


def _bits(told: Told) -> Iterator[tuple[int, Bits]]:
    """The place of each parameter set, and a row for each of its shots."""
    shots, seed = told.result.shots or 0, told.result.metadata["seed"]
    for place, each in enumerate(told.result.sets or [told.result], told.block.first):
        yield place, shots_of(each.counts or {}, shots, told.note, [seed, place])


def _packed(bits: Bits, places: Sequence[int]) -> Bits:
    """A register's bits in whole bytes, the highest first."""
    left = np.zeros((len(bits), -len(places) % 8), np.uint8)
    return np.packbits(np.hstack([left, bits[:, list(reversed(places))]]), axis=1)
