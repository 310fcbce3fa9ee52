"""Simulated devices from Qiskit, on a running service, against Qiskit's own simulation of them."""

import math
import re
from typing import Any

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager, transpile
from qiskit.circuit import ClassicalRegister, Gate, Parameter
from qiskit.circuit.random import random_circuit
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.quantum_info import DensityMatrix, SparsePauliOp
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import Optimize1qGatesDecomposition
from qiskit_aer import AerSimulator

from quantumtasks_client import Client, OptionsError
from quantumtasks_client.qiskit import (
    EstimatorV2,
    QuantumTasksBackend,
    QuantumTasksJob,
    QuantumTasksProvider,
    SamplerV2,
)
from tasks_app.circuits.device import read_device
from tasks_app.circuits.simulation.device_model import target_of
from tasks_app.circuits.snapshot import definition_of
from testing.qiskit_circuits import of
from tests.dynamic_circuits import cat, measured
from tests.site import LINE

GRID = "noisy_grid16"
SHOTS = 4_000


@pytest.fixture
def line(provider: QuantumTasksProvider) -> QuantumTasksBackend:
    return provider.get_backend(LINE)


def shown(client: Client, task: str) -> list[str]:
    """The lines of the circuit that the service ran, with the qubits of the hardware."""
    again = client.wait(client.rerun(task, outputs=["circuit"])).get_result()
    assert again.circuit is not None
    return [text for text in again.circuit["openqasm"].splitlines() if "$" in text]


def places(circuit: QuantumCircuit) -> list[tuple[str, tuple[int, ...]]]:
    """Its operations but barriers, and the numbers of their qubits."""
    return [
        (each.name, tuple(circuit.find_bit(qubit).index for qubit in each.qubits))
        for each in circuit.data
        if each.name != "barrier"
    ]


def places_in(lines: list[str]) -> list[tuple[str, tuple[int, ...]]]:
    """The same of the text of a circuit without control flow."""
    return [
        (
            "measure" if "measure" in line else re.findall(r"\w+", line)[0],
            tuple(map(int, re.findall(r"\$(\d+)", line))),
        )
        for line in lines
        if "barrier" not in line
    ]


# -- what there is -----------------------------------------------------------------------------


def test_backends_are_those_of_the_service(provider: QuantumTasksProvider, client: Client) -> None:
    assert [each.name for each in provider.backends()] == [each.name for each in client.backends()]
    assert provider.get_backend().name == "aer"
    line = provider.get_backend(LINE)
    assert "fixed-frequency transmons" in line.description
    assert (line.num_qubits, line.is_device) == (5, True)
    with pytest.raises(QiskitBackendNotFoundError, match="noisy_line6"):
        provider.get_backend("noisy_line6")


@pytest.mark.parametrize("name", [LINE, GRID])
def test_the_target_is_what_the_service_compiles_for(
    provider: QuantumTasksProvider, name: str
) -> None:
    backend = provider.get_backend(name)
    definition = backend.about.definition
    assert definition_of(backend) == definition
    ours, theirs = backend.target, target_of(read_device(definition), control_flow=True)
    assert set(ours.operation_names) == set(theirs.operation_names)
    assert set(backend.coupling_map.get_edges()) == set(backend.about.coupling_map or ())
    for operation in theirs.operation_names:
        for where, cost in theirs[operation].items():
            told = [getattr(cost, each, None) for each in ("error", "duration")]
            own = ours[operation][where]
            assert [getattr(own, each, None) for each in ("error", "duration")] == told
    times = [(each.t1, each.t2) for each in theirs.qubit_properties]
    assert [
        (each.t1, each.t2) for each in backend.qubit_properties(range(ours.num_qubits))
    ] == times


# -- where a circuit runs ----------------------------------------------------------------------


@pytest.mark.parametrize("level", range(4))
def test_a_transpiled_circuit_is_run_gate_by_gate_where_it_stands(
    line: QuantumTasksBackend, client: Client, level: int
) -> None:
    circuit = of(3, ("h", 0), ("cx", 0, 1), ("ry", 0.3, 1), ("cx", 0, 2), ("barrier",))
    circuit.delay(110, 1, "ns")
    circuit.measure_all()
    placed = transpile(circuit, line, initial_layout=[4, 1, 3], optimization_level=level)
    job = line.run(placed)
    facts = job.result().results[0].metadata
    assert facts["optimization_level"] == 0
    assert facts["final_layout"] == facts["layout"] == [0, 1, 2, 3, 4]
    assert sorted(places_in(shown(client, job.job_id()))) == sorted(places(placed))


def test_what_is_not_transpiled_is_placed_by_the_service(line: QuantumTasksBackend) -> None:
    facts = line.run(cat(3)).result().results[0].metadata
    assert (facts["optimization_level"], facts["backend"]) == (2, LINE)
    assert len(facts["layout"]) == 3


def test_a_circuit_that_has_lost_its_layout_stays_too(
    line: QuantumTasksBackend, client: Client
) -> None:
    placed = transpile(cat(3), line, initial_layout=[4, 3, 2], optimization_level=0)
    after = PassManager([Optimize1qGatesDecomposition(target=line.target)]).run(placed)
    assert after.layout is None
    assert sorted(places_in(shown(client, line.run(after).job_id()))) == sorted(places(after))
    wrong = QuantumCircuit(5, 2)
    wrong.x(0)
    wrong.cx(0, 4)  # which the device does not join
    wrong.measure([0, 4], [0, 1])
    facts = line.run(wrong).result().results[0].metadata
    assert facts["optimization_level"] == 2


def test_blocks_count_when_it_is_asked_whether_a_circuit_fits(line: QuantumTasksBackend) -> None:
    for far, level in ((1, 0), (4, 2)):
        circuit = QuantumCircuit(5, 2)
        circuit.x(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.cx(0, far)
        circuit.measure(far, 1)
        found = line.run(circuit, shots=500).result()
        assert found.results[0].metadata["optimization_level"] == level
        assert found.get_counts()["11"] > 400


def test_what_is_asked_for_goes_first(line: QuantumTasksBackend, client: Client) -> None:
    placed = transpile(cat(2), line, initial_layout=[4, 3])
    job = line.run([placed, cat(2)], optimization_level=3, priority=-7)
    facts = [each.metadata for each in job.result().results]
    assert [each["optimization_level"] for each in facts] == [3, 3]
    assert facts[0]["layout"] == [0, 1, 2, 3, 4]
    assert [client.get(each).priority for each in job.task_ids] == [-7, -7]
    line.set_options(optimization_level=1, priority=-8)
    sampled = SamplerV2(line, options={"priority": -9}).run([cat(2)])
    (task,) = [client.wait(each) for each in sampled.task_ids]
    assert (task.priority, task.backend) == (-9, LINE)
    assert task.get_result().metadata["optimization_level"] == 1


def test_a_layout_says_nothing_to_the_ideal_simulator(
    provider: QuantumTasksProvider, line: QuantumTasksBackend, client: Client
) -> None:
    job = provider.get_backend().run(transpile(cat(2), line, initial_layout=[4, 3]))
    assert set(job.result().get_counts()) == {"00", "11"}
    sent = client.get_submission(job.job_id())
    assert "$" not in sent["circuit"]
    assert not {"backend", "optimization_level"} & sent.keys()


def test_what_could_not_stay_is_not_sent(line: QuantumTasksBackend) -> None:
    placed = transpile(cat(2), line)
    placed.append(Gate("secret", 1, []), [0])
    with pytest.raises(ValueError, match="OpenQASM cannot say"):
        line.run(placed)


def test_a_device_refuses_what_it_cannot_do(line: QuantumTasksBackend) -> None:
    with pytest.raises(OptionsError, match="noise of its own"):
        line.run(cat(2), noise={"readout": 0.1}).result()


# -- what it gives -----------------------------------------------------------------------------


def assert_alike(ours: dict[str, int], theirs: dict[str, int]) -> None:
    """Both may come of one distribution. Seeds are fixed, so that no luck is in it."""
    for key in ours.keys() | theirs.keys():
        one, other = ours.get(key, 0), theirs.get(key, 0)
        assert abs(one - other) <= 5 * math.sqrt(one + other), (key, ours, theirs)


def several() -> QuantumCircuit:
    """Registers that are measured out of order, and a condition on one of them."""
    circuit = measured(3, (2, "a"), (1, "b"))
    circuit.add_register(ClassicalRegister(1, "last"))
    circuit.ry(1.1, 0)
    circuit.cx(0, 2)
    circuit.measure([2, 0], [0, 1])
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(1)
        circuit.cx(1, 2)
    circuit.measure([1, 2], [2, 3])
    return circuit


def test_counts_are_those_of_qiskits_own_simulation(line: QuantumTasksBackend) -> None:
    circuits = [random_circuit(4, 4, max_operands=3, measure=True, seed=n) for n in range(20)]
    circuits += [several(), cat(5)]
    placed = [
        transpile(each, line, optimization_level=place % 4, seed_transpiler=place)
        for place, each in enumerate(circuits)
    ]
    found = line.run(placed, shots=SHOTS, seed_simulator=1).result()
    simulator = AerSimulator.from_backend(line)
    expected = simulator.run(placed, shots=SHOTS, seed_simulator=2).result()
    for index in range(len(circuits)):
        assert_alike(found.get_counts(index), expected.get_counts(index))


@pytest.mark.parametrize(("name", "layout"), [(LINE, [4, 2, 0]), (GRID, [15, 3, 7])])
def test_observables_follow_the_users_layout(
    provider: QuantumTasksProvider, name: str, layout: list[int]
) -> None:
    backend = provider.get_backend(name)
    angle = Parameter("θ")
    circuit = of(3, ("h", 0), ("cx", 0, 1), ("ry", angle, 1), ("cx", 0, 2), ("sx", 2), ("t", 2))
    placed = generate_preset_pass_manager(2, backend, initial_layout=layout, seed_transpiler=1).run(
        circuit
    )
    observables = [
        SparsePauliOp(["ZZI", "XIY", "IIZ"], [1, 0.5, -0.3]),
        SparsePauliOp(["IXZ", "YII"], [0.7, 2]),
    ]
    sent = [each.apply_layout(placed.layout) for each in observables]
    angles = np.array([0.2, 0.9, 2.1])
    (found,) = EstimatorV2(backend).run([(placed, [[each] for each in sent], angles)]).result()
    states = [state_of(placed.assign_parameters([at]), backend) for at in angles]
    right = [[np.real(state.expectation_value(e)) for state in states] for e in observables]
    np.testing.assert_allclose(found.data.evs, right, atol=1e-8)
    assert not found.data.stds.any()
    ideal = EstimatorV2(provider.get_backend()).run([(circuit, [[e] for e in observables], angles)])
    assert 1e-3 < np.abs(ideal.result()[0].data.evs - right).max() < 0.3, "there is no noise"


def state_of(placed: QuantumCircuit, backend: QuantumTasksBackend) -> DensityMatrix:
    """Of the program's qubits, in their order, as Qiskit's own simulation leaves them."""
    placed.save_density_matrix(qubits=placed.layout.final_index_layout(filter_ancillas=True))
    simulator = AerSimulator.from_backend(backend, method="density_matrix")
    return DensityMatrix(simulator.run(placed).result().data()["density_matrix"])


def test_observables_of_what_the_service_places_are_the_programs_own(
    line: QuantumTasksBackend,
) -> None:
    circuit = of(3, ("x", 0), ("h", 1), ("cx", 1, 2))
    values = EstimatorV2(line).run([(circuit, ["IIZ", "ZZI", "XXI"])]).result()[0].data.evs
    np.testing.assert_allclose(values, [-1, 1, 1], atol=0.05)
    assert np.all(np.abs(values) < 1)


def test_an_idle_qubit_has_its_observables_too(line: QuantumTasksBackend) -> None:
    placed = transpile(of(1, ("x", 0)), line, initial_layout=[1])
    found = EstimatorV2(line).run([(placed, ["IIIZI", "ZIIII", "XIIII"])]).result()[0].data.evs
    np.testing.assert_allclose(found, [-1, 1, 0], atol=0.01)
    nothing = EstimatorV2(line).run([(QuantumCircuit(5), "ZZZZZ")]).result()[0].data.evs
    assert nothing == pytest.approx(1)


def test_a_sampler_sweeps_a_transpiled_circuit(line: QuantumTasksBackend, client: Client) -> None:
    circuit = of(2, ("ry", Parameter("b"), 1), ("rx", Parameter("a"), 0), ("cx", 0, 1))
    circuit.measure_all()
    placed = transpile(circuit, line, initial_layout=[3, 4], seed_transpiler=1)
    values = np.random.default_rng(1).uniform(0, np.pi, (2, 3, 2))
    job = SamplerV2(line, options={"seed_simulator": 3}).run([(placed, values)], shots=SHOTS)
    data = job.result()[0].data.meas
    bound = [placed.assign_parameters(row) for row in values.reshape(6, 2)]
    expected = AerSimulator.from_backend(line).run(bound, shots=SHOTS, seed_simulator=4).result()
    for place, theirs in zip(np.ndindex(2, 3), expected.get_counts(), strict=True):
        assert_alike(data.get_counts(place), theirs)
    facts = client.wait(job.task_ids[0]).get_result().metadata
    assert (facts["compilations"], facts["optimization_level"]) == (1, 0)


# -- jobs --------------------------------------------------------------------------------------


def test_a_job_knows_its_backend(provider: QuantumTasksProvider, line: QuantumTasksBackend) -> None:
    jobs = [line.run(cat(2), tags=["here"]), line.run([cat(2)] * 2, tags=["here"])]
    provider.get_backend().run(cat(2), tags=["here"])
    for job in jobs:
        again: Any = provider.job(job.job_id())
        assert isinstance(again, QuantumTasksJob)
        assert again.backend().name == LINE
        assert again.result().backend_name == LINE
    found = [job.job_id() for job in provider.jobs(tag="here", backend=LINE)]
    assert found == [job.job_id() for job in reversed(jobs)]


def test_a_backend_may_take_fewer_shots_at_a_time(
    line: QuantumTasksBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "about", msgspec.structs.replace(line.about, max_shots=400))
    job = line.run(cat(2), shots=1_000)
    assert [line.client.get(each).shots for each in job.task_ids] == [400, 400, 200]
    assert sum(job.result().get_counts().values()) == 1_000
    estimated = EstimatorV2(line).run([(of(1, ("h", 0)), "Z")], precision=0.01)
    assert line.client.get(estimated.task_ids[0]).shots == 400
