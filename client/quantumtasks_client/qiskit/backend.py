"""A backend of the service as one of Qiskit."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target

from quantumtasks_client.client import Client
from quantumtasks_client.models import Backend
from quantumtasks_client.qiskit.device import device_target, runs_as_it_is
from quantumtasks_client.qiskit.following import Submitted
from quantumtasks_client.qiskit.gates import ideal_target
from quantumtasks_client.qiskit.job import QuantumTasksJob
from quantumtasks_client.qiskit.note import Block, Kind
from quantumtasks_client.qiskit.program import Program, loop_variables
from quantumtasks_client.qiskit.pubs import Part, seed_after, shares_of

DEFAULT = "aer"
"""The backend of what names none."""
MAX_CIRCUITS = 1_000  # of a batch


class QuantumTasksBackend(BackendV2):  # type: ignore[misc]  # Qiskit has no types
    """A simulator, or a device that is simulated with its noise, for `run` and the primitives.

    Options of `run` and of `set_options`: `shots`, `memory`, `seed_simulator`, `method` (of the
    simulation; the target of a simulator follows it), `noise` (as in `POST /tasks`; a device has
    its own), `optimization_level` (0 to 3: how hard the service compiles for a device), `priority`
    and `tags`.

    A circuit for a device may be transpiled for it or not. If it is, it stays on the qubits where
    it stands, and unless `optimization_level` says otherwise it is run gate by gate. So is a
    circuit without a layout that has the device's width and nothing but what the device has. What
    else there is, the service places and compiles.
    """

    def __init__(
        self,
        client: Client,
        name: str = DEFAULT,
        provider: Any = None,
        description: str | None = None,
    ) -> None:
        super().__init__(provider=provider, name=name, description=description, backend_version="1")
        self.client = client
        """For what Qiskit has no words for."""

    def __repr__(self) -> str:
        return f"<QuantumTasksBackend {self.name!r}>"

    @classmethod
    def _default_options(cls) -> Options:
        return Options(
            shots=1024,
            memory=False,
            seed_simulator=None,
            method="automatic",
            noise=None,
            optimization_level=None,
            priority=None,
            tags=(),
        )

    @cached_property
    def about(self) -> Backend:
        """What the service tells of it, asked once. Raises `NotFound`."""
        return self.client.backend(self.name)

    @property
    def is_device(self) -> bool:
        """Whether it has gates and couplings of its own."""
        return self.about.qubits is not None

    @property
    def target(self) -> Target:
        """What runs as it is: on a device, or by a simulator's method.

        For a simulator other gates are sent broken down to these.
        """
        if self.is_device:
            return self._device
        return ideal_target(self.options.method, self.about.max_qubits)

    @cached_property
    def _device(self) -> Target:
        return device_target(self.about.definition)

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
        given = {**self.options, **options, "backend": self.name}
        seed, shots = given.pop("seed_simulator"), given.pop("shots")
        parts = list(_parts(self, circuits, seed, shares_of(shots, self.about.max_shots)))
        return QuantumTasksJob(self, Submitted.now(self.client, parts, given))

    def program(self, circuit: QuantumCircuit, kind: Kind) -> Program:
        """The circuit as it is sent to this backend."""
        return Program(circuit, kind, stays=self.is_device and self._is_placed(circuit))

    def _is_placed(self, circuit: QuantumCircuit) -> bool:
        if circuit.layout is not None:
            return True
        # Passes that run after the transpiler's lose the layout.
        whole = circuit.num_qubits == self.num_qubits
        return whole and runs_as_it_is(circuit, self.target)


def _parts(
    backend: QuantumTasksBackend,
    circuits: Sequence[QuantumCircuit],
    seed: int | None,
    shares: Sequence[int],
) -> Iterator[Part]:
    """A task for each circuit, or some where one cannot have all the shots."""
    for index, circuit in enumerate(circuits):
        if not isinstance(circuit, QuantumCircuit):
            raise TypeError(
                f"{type(circuit).__name__} is no QuantumCircuit; `client.submit` takes OpenQASM."
            )
        program = backend.program(circuit, "run")
        if free := {each.name for each in circuit.parameters}.difference(loop_variables(circuit)):
            names = ", ".join(sorted(free))
            raise ValueError(f"{circuit.name} has parameters without a value: {names:.200}.")
        block = Block(pub=index, shape=[]) if len(shares) > 1 else None
        note = msgspec.structs.replace(program.note, block=block)
        for place, shots in enumerate(shares, index * len(shares)):
            yield Part(
                program.fields(note) | {"shots": shots, "seed": seed_after(seed, place)}, note
            )
