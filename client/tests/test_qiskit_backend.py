"""The backend, its jobs and their results, on a running service."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping

import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.providers import BackendV2, JobStatus, JobTimeoutError, JobV1
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_aer import AerSimulator

from quantumtasks_client import Client, InvalidRequest, NotFound, TaskCancelled, TaskFailed
from quantumtasks_client.qiskit import (
    NotFromQiskit,
    QuantumTasksBackend,
    QuantumTasksProvider,
    SamplerV2,
    program,
)
from testing.qiskit_circuits import of
from testing.service import ROOT
from tests.circuits import UNITARY
from tests.dynamic_circuits import DYNAMIC, HIDDEN, WIDE, cat, measured
from tests.site import BELL, Site

SHOTS = 2_000
Counts = Mapping[str, int]


@pytest.fixture
def backend(provider: QuantumTasksProvider) -> QuantumTasksBackend:
    return provider.get_backend()


def long() -> QuantumCircuit:
    """Which takes its time: each shot resets in the middle."""
    circuit = measured(1, 1)
    with circuit.for_loop(range(2_000)):
        circuit.reset(0)
        circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def failing() -> QuantumCircuit:
    """Which the service refuses: too much memory for any method."""
    circuit = QuantumCircuit(60)
    for turn in range(60):
        for qubit in range(60):
            circuit.ry(0.1 + turn, qubit)
            circuit.cx(qubit, (qubit + 7) % 60)
    circuit.measure_all()
    return circuit


def test_it_works(backend: QuantumTasksBackend) -> None:
    circuit = DYNAMIC["several_registers"]()
    circuit.metadata = {"angle": 0.7}
    job = backend.run(circuit, shots=200, memory=True, seed_simulator=7)
    found = job.result()
    assert isinstance(backend, BackendV2)
    assert isinstance(job, JobV1)
    assert job.status() is JobStatus.DONE
    assert (found.success, found.job_id, found.backend_name) == (True, job.job_id(), "aer")
    local = AerSimulator().run(circuit, shots=200, memory=True).result()
    assert found.results[0].header == local.results[0].header
    assert set(map(len, found.get_counts())) == set(map(len, local.get_counts()))
    assert Counter(found.get_memory()) == found.get_counts() == found.get_counts(circuit.name)
    assert sum(found.data()["counts"].values()) == found.results[0].shots == 200


def test_a_circuit_is_a_task_and_several_are_a_batch(
    backend: QuantumTasksBackend, client: Client
) -> None:
    job = backend.run(cat(2), tags=["mine"])
    task = client.get(job.job_id())
    assert (job.task_ids, task.tags) == ([task.task_id], ["qiskit", "mine"])
    circuits = [cat(2), cat(3)]
    several = backend.run(circuits)
    batch = client.get_batch(several.job_id())
    assert several.task_ids == [each.task_id for each in batch.tasks]
    assert [client.get(each).name for each in several.task_ids] == [c.name for c in circuits]
    assert [set(c) for c in several.result().get_counts()] == [{"00", "11"}, {"000", "111"}]


def test_counts_are_those_that_others_get_of_the_same_program(
    backend: QuantumTasksBackend, client: Client
) -> None:
    job = backend.run(cat(3), shots=500, seed_simulator=11)
    program = client.get_submission(job.job_id())["circuit"]
    task = client.wait(client.submit(program, shots=500, seed=11))
    assert job.result().get_counts() == task.counts
    again = backend.run([cat(3), cat(3)], shots=500, seed_simulator=11).result().get_counts()
    assert again[0] == task.counts
    assert again[1] != task.counts, "the same draws twice"


def test_circuits_of_every_kind_give_what_local_aer_gives(backend: QuantumTasksBackend) -> None:
    others = ("boxed", "variables", "expressions", "own gates")  # which Aer does not take
    circuits = [build() for name, build in DYNAMIC.items() if name not in others]
    circuits += [_measured(build()) for name, build in UNITARY.items() if name not in others]
    circuits += [
        random_circuit(4, 6, measure=True, conditional=True, reset=True, seed=seed)
        for seed in range(20)
    ]
    assert len(circuits) >= 100
    found = backend.run(circuits, shots=SHOTS, seed_simulator=1).result()
    simulator = AerSimulator()
    known = transpile(circuits, simulator, optimization_level=0)
    expected = simulator.run(known, shots=SHOTS, seed_simulator=2).result()
    for index, circuit in enumerate(circuits):
        ours, theirs = (each.data(index).get("counts", {}) for each in (found, expected))
        assert _likely(ours, theirs), (circuit.name, ours, theirs)


def _measured(circuit: QuantumCircuit) -> QuantumCircuit:
    values = [0.2 + 0.1 * place for place in range(circuit.num_parameters)]
    circuit = circuit.assign_parameters(values)
    circuit.measure_all()
    return circuit


def _likely(ours: Counts, theirs: Counts) -> bool:
    """Whether both may come of one distribution. Seeds are fixed, so that no luck is in it."""
    pairs = [(ours.get(key, 0), theirs.get(key, 0)) for key in ours.keys() | theirs.keys()]
    return all(abs(a - b) <= 4.5 * math.sqrt(a + b) for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "angle", "ones"),
    # Of the two bits that are measured first, and how likely the last is 1 after each.
    [
        ("variables", 1.2, {"00": 0.5, "01": 0.5, "10": 1.0, "11": 1.0}),
        ("expressions", 0.8, {"00": 0.0, "01": 0.5, "10": 0.5, "11": 1.0}),
    ],
)
def test_classical_expressions_steer_as_they_should(
    backend: QuantumTasksBackend, name: str, angle: float, ones: dict[str, float]
) -> None:
    found = backend.run(DYNAMIC[name](), shots=SHOTS, seed_simulator=1).result()
    one = math.sin(angle / 2) ** 2
    expected: dict[str, int] = {}
    for first, chance in ones.items():
        both = SHOTS * one ** first.count("1") * (1 - one) ** first.count("0")
        expected |= {f"1{first}": round(both * chance), f"0{first}": round(both * (1 - chance))}
    assert _likely(found.get_counts(), expected)


def test_a_box_is_what_is_in_it(backend: QuantumTasksBackend) -> None:
    boxed, plain = DYNAMIC["boxed"](), measured(2, 2)
    plain.ry(0.7, 0)
    plain.cx(0, 1)
    plain.measure([0, 1], [0, 1])
    found = [backend.run(each, seed_simulator=1).result().get_counts() for each in (boxed, plain)]
    assert found[0] == found[1]


def test_qpy_says_the_same(backend: QuantumTasksBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("several_registers", "loose_bits", "aliases", "interleaved", "branches", "prepared")
    circuits = [DYNAMIC[name]() for name in kinds]
    as_text = backend.run(circuits, shots=SHOTS, seed_simulator=1).result()
    # As if OpenQASM had no words for any of them.
    monkeypatch.setattr(program, "_openqasm", lambda circuit, *_: (None, circuit.parameters))
    job = backend.run(circuits, shots=SHOTS, seed_simulator=2)
    for index, task_id in enumerate(job.task_ids):
        assert backend.client.get_submission(task_id)["circuit_format"] == "qpy"
        ours, theirs = (each.data(index)["counts"] for each in (job.result(), as_text))
        assert _likely(ours, theirs), kinds[index]
    swept = of(1, ("ry", Parameter("θ["), 0))
    swept.measure_all()
    data = SamplerV2(backend).run([(swept, [0, math.pi])], shots=10).result()[0].data.meas
    assert [data.get_counts(place) for place in (0, 1)] == [{"0": 10}, {"1": 10}]
    again = backend.provider.job(job.job_id())
    assert again.result().get_counts() == job.result().get_counts()


def test_wide_circuits_of_clifford_gates(backend: QuantumTasksBackend) -> None:
    fitting = generate_preset_pass_manager(0, backend).run([build() for build in WIDE.values()])
    several, hidden = backend.run(fitting, shots=100).result().get_counts()
    assert set(several) == {"0" * 60, "1" * 60}
    assert hidden == {HIDDEN: 100}


def test_the_target_is_that_of_the_method(backend: QuantumTasksBackend) -> None:
    circuit = of(3, ("t", 0), ("rccx", 0, 1, 2), ("mcp", 0.3, [0, 1], 2))
    fitting = generate_preset_pass_manager(1, backend).run(circuit)
    assert set(fitting.count_ops()) <= set(backend.operation_names)
    backend.set_options(method="stabilizer")
    assert "t" not in backend.operation_names
    assert {"h", "cx", "measure", "if_else"} <= set(backend.operation_names)


def test_more_shots_than_a_task_may_have(backend: QuantumTasksBackend) -> None:
    job = backend.run([cat(2), cat(3)], shots=250_000, memory=True, seed_simulator=3)
    assert len(job.task_ids) == 6
    found = job.result()
    for index in (0, 1):
        assert sum(found.get_counts(index).values()) == len(found.get_memory(index)) == 250_000
        assert found.results[index].shots == 250_000


def test_options_are_checked(backend: QuantumTasksBackend) -> None:
    with pytest.raises(TypeError, match="'shoots'"):
        backend.run(cat(2), shoots=5)
    with pytest.raises(InvalidRequest, match="method"):
        backend.run(cat(2), method="guess")
    with pytest.raises(ValueError, match=r"parameters without a value: θ"):
        backend.run(of(1, ("rx", Parameter("θ"), 0)))
    with pytest.raises(ValueError, match="nothing to run"):
        backend.run([])
    noisy = backend.run(cat(2), noise={"readout": 0.5}, method="density_matrix").result()
    assert set(noisy.get_counts()) == {"00", "01", "10", "11"}
    assert noisy.results[0].metadata["method"] == "density_matrix"


def test_what_is_not_measured_has_no_counts(backend: QuantumTasksBackend) -> None:
    found = backend.run(QuantumCircuit(1, 1), memory=True).result()
    assert found.success
    assert found.data() == {}


def test_a_job_is_waited_for(backend: QuantumTasksBackend) -> None:
    job = backend.run(long(), shots=100_000)
    with pytest.raises(JobTimeoutError):
        job.result(timeout=0.1)
    with pytest.raises(JobTimeoutError):
        job.wait_for_final_state(timeout=0.1)
    seen: list[tuple[str, JobStatus]] = []

    def watch(job_id: str, status: JobStatus, watched: object) -> None:
        assert watched is job
        seen.append((job_id, status))
        job.cancel()

    job.wait_for_final_state(callback=watch)
    assert job.cancelled()
    assert not job.done()
    assert seen[-1] == (job.job_id(), JobStatus.CANCELLED)
    assert seen[0][1] in (JobStatus.QUEUED, JobStatus.RUNNING)
    with pytest.raises(TaskCancelled):
        job.result()


def test_a_job_is_cancelled(backend: QuantumTasksBackend) -> None:
    job = backend.run([long(), cat(2)], shots=100_000)
    assert job.cancel()
    job.wait_for_final_state()
    assert job.in_final_state()
    done = backend.run(cat(2))
    done.result()
    assert not done.cancel()
    assert done.done()


def test_a_failure_is_told(backend: QuantumTasksBackend) -> None:
    job = backend.run([cat(2), failing()], method="statevector")
    with pytest.raises(TaskFailed, match="MiB") as caught:
        job.result()
    assert caught.value.code == "too_much_memory"
    assert job.status() is JobStatus.ERROR
    found = job.result(partial=True)
    assert [each.success for each in found.results] == [True, False]
    assert not found.success
    assert found.get_counts(0)
    assert "MiB" in found.results[1].status


ELSEWHERE = """
import json, sys
from quantumtasks_client.qiskit import QuantumTasksProvider
provider = QuantumTasksProvider(*sys.argv[1:3])
results = [provider.job(job_id).result() for job_id in sys.argv[3:]]
print(json.dumps([[each.to_dict()["header"] | each.data.to_dict() for each in found.results]
                  for found in results]))
"""


def test_results_are_had_in_another_process(site: Site, backend: QuantumTasksBackend) -> None:
    circuits = [build() for build in DYNAMIC.values()]
    circuits[0].metadata = {"list": [1, 2], "nested": {"é": None}}
    jobs = [
        backend.run(circuits[0], shots=50, memory=True),
        backend.run(circuits, shots=50),
        backend.run(circuits[:2], shots=100_010),
    ]
    ids = [job.job_id() for job in jobs]
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, site.url, site.token, *ids],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    expected = [
        [each.to_dict()["header"] | each.data.to_dict() for each in job.result().results]
        for job in jobs
    ]
    assert json.loads(told) == expected


def test_jobs_are_found(provider: QuantumTasksProvider, client: Client) -> None:
    backend = provider.get_backend("aer")
    jobs = [backend.run(cat(2), tags=["found"]), backend.run([cat(2)] * 3, tags=["found"])]
    client.submit(BELL, tags=["found"])
    listed = list(provider.jobs(tag="found"))
    assert [job.job_id() for job in listed] == [job.job_id() for job in reversed(jobs)]
    assert listed[0].result().get_counts() == jobs[1].result().get_counts()
    assert len(list(provider.jobs(1, tag=["found"]))) == 1


def test_text_is_no_circuit(provider: QuantumTasksProvider) -> None:
    with pytest.raises(TypeError, match="str is no QuantumCircuit"):
        provider.get_backend().run(BELL)


def test_a_backend_tells_its_name(provider: QuantumTasksProvider) -> None:
    assert repr(provider.get_backend()) == "<QuantumTasksBackend 'aer'>"


def test_what_there_is_not(provider: QuantumTasksProvider, client: Client) -> None:
    with pytest.raises(QiskitBackendNotFoundError):
        provider.get_backend("ibm_everywhere")
    with pytest.raises(NotFound):
        provider.job("01a20017-8ed7-725d-bb02-5241f3e7abf2")
    with pytest.raises(NotFromQiskit):
        provider.job(client.submit(BELL).task_id)
