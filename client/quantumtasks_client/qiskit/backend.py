"""A simulator of the service as a backend of Qiskit."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target

from quantumtasks_client.client import Client
from quantumtasks_client.qiskit.following import Submitted
from quantumtasks_client.qiskit.gates import target
from quantumtasks_client.qiskit.job import QuantumTasksJob
from quantumtasks_client.qiskit.note import Block
from quantumtasks_client.qiskit.program import Program, loop_variables
from quantumtasks_client.qiskit.pubs import Part, seed_after, shares_of

MAX_CIRCUITS = 1_000  # of a batch
NUM_QUBITS = 1_024


class QuantumTasksBackend(BackendV2):  # type: ignore[misc]  # Qiskit has no types
    """A simulator, for `run` and for the primitives.

    Options of `run` and of `set_options`: `shots`, `memory`, `seed_simulator`, `method` (of the
    simulation; the target follows it), `noise` (as in `POST /tasks`) and `tags`.
    """

    def __init__(self, client: Client, name: str = "aer", provider: Any = None) -> None:
        super().__init__(
            provider=provider,
            name=name,
            description="Qiskit Aer, run by a Quantum Tasks service.",
            backend_version="1",
        )
        self.client = client
        """For what Qiskit has no words for."""

    @classmethod
    def _default_options(cls) -> Options:
        return Options(
            shots=1024, memory=False, seed_simulator=None, method="automatic", noise=None, tags=()
        )

    @property
    def target(self) -> Target:
        """What the simulation method runs as it is. Other gates are sent broken down to these."""
        return target(self.options.method, NUM_QUBITS)

    @property
    def max_circuits(self) -> int:
        """Of one `run`."""
        return MAX_CIRCUITS

    def run(
        self, run_input: QuantumCircuit | Iterable[QuantumCircuit], **options: Any
    ) -> QuantumTasksJob:
        """Submit a circuit as a task, or several as a batch.

        When this returns they are stored, and will be run. Of several circuits the first has the
        seed `seed_simulator`, and each a seed of its own.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        if unknown := options.keys() - self.options.keys():
            known = ", ".join(self.options.keys())
            raise TypeError(f"The backend has no option {min(unknown)!r}; it has {known}.")
        given = {**self.options, **options}
        seed, shots = given.pop("seed_simulator"), given.pop("shots")
        parts = list(_parts(circuits, seed, shares_of(shots)))
        return QuantumTasksJob(self, Submitted.now(self.client, parts, given))


def _parts(
    circuits: Sequence[QuantumCircuit], seed: int | None, shares: Sequence[int]
) -> Iterator[Part]:
    """A task for each circuit, or some where one cannot have all the shots."""
    for index, circuit in enumerate(circuits):
        program = Program(circuit, "run")
        if free := {each.name for each in circuit.parameters}.difference(loop_variables(circuit)):
            names = ", ".join(sorted(free))
            raise ValueError(f"{circuit.name} has parameters without a value: {names:.200}.")
        block = Block(pub=index, shape=[]) if len(shares) > 1 else None
        note = msgspec.structs.replace(program.note, block=block)
        for place, shots in enumerate(shares, index * len(shares)):
            yield Part(
                program.fields(note) | {"shots": shots, "seed": seed_after(seed, place)}, note
            )
