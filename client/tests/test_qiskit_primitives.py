"""Sampler and estimator on a running service."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import (
    ClassicalRegister,
    Parameter,
    ParameterVector,
    QuantumRegister,
    Qubit,
)
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, StatevectorEstimator
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparseObservable, SparsePauliOp
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from quantumtasks_client import Client, TaskFailed
from quantumtasks_client.qiskit import (
    EstimatorV2,
    QuantumTasksBackend,
    QuantumTasksProvider,
    SamplerV2,
    estimation,
)
from testing.qiskit_circuits import of
from testing.service import ROOT
from tests.dynamic_circuits import cat, measured
from tests.site import Site


@pytest.fixture
def backend(site: Site) -> Iterator[QuantumTasksBackend]:
    provider = QuantumTasksProvider(site.url, site.token)
    yield provider.get_backend()
    provider.client.close()


def rotation() -> QuantumCircuit:
    """Whose first register is 1 with the chance sin²(θ/2), and whose second is always 3."""
    circuit = measured(3, (1, "turned"), (0, "none"), (10, "ones"))
    circuit.ry(Parameter("θ[0]"), 0)
    circuit.x([1, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def ansatz() -> QuantumCircuit:
    angles = ParameterVector("a", 11)  # whose tenth comes after the second by name
    circuit = QuantumCircuit(2)
    for place, angle in enumerate(angles):
        circuit.ry(angle * (place + 1), place % 2)
        circuit.cx(0, 1)
    return circuit


def outside_registers(*shared: int) -> QuantumCircuit:
    """Three qubits of which the middle one is in no register, and one of those that are shared."""
    circuit = QuantumCircuit(QuantumRegister(1), [Qubit()], QuantumRegister(1))
    if shared:
        bits = [circuit.qubits[place] for place in shared]
        circuit.add_register(QuantumRegister(name="shared", bits=bits))
    for place, qubit in enumerate(circuit.qubits, 1):
        circuit.ry(0.4 * place, qubit)
    return circuit


def test_a_sampler_works(backend: QuantumTasksBackend, client: Client) -> None:
    sampler = SamplerV2(backend)
    assert isinstance(sampler, BaseSamplerV2)
    angles = np.array([[0.0, np.pi], [np.pi / 2, 2 * np.pi]])
    circuit = rotation()
    circuit.metadata = {"tag": 1}
    job = sampler.run([(circuit, angles), (cat(2), None, 77)], shots=3_000)
    assert len(client.get_batch(job.job_id()).tasks) == len(job.task_ids) == 2
    first, second = job.result()
    assert job.status() is JobStatus.DONE
    assert first.metadata == {"shots": 3_000, "circuit_metadata": {"tag": 1}}
    assert first.data.shape == first.data.turned.shape == (2, 2)
    assert first.data.turned.num_shots == 3_000
    assert first.data.ones.get_counts() == {"0000000011": 12_000}
    assert first.data.ones.array.shape == (2, 2, 3_000, 2)
    assert first.data.none.array.shape == (2, 2, 3_000, 0)
    chance = first.data.turned.get_counts((1, 0)).get("1", 0) / 3_000
    assert abs(chance - 0.5) < 0.05
    assert [first.data.turned.get_counts(at) for at in ((0, 0), (0, 1), (1, 1))] == [
        {"0": 3_000},
        {"1": 3_000},
        {"0": 3_000},
    ]
    assert second.data.meas.num_shots == 77


def test_registers_of_a_shot_belong_together(backend: QuantumTasksBackend) -> None:
    circuit = measured(3, 1, 1, 1)
    circuit.h(0)
    circuit.cx(0, [1, 2])
    circuit.measure([0, 1, 2], [2, 0, 1])
    data = SamplerV2(backend).run([circuit]).result()[0].data
    assert np.array_equal(data.c0.array, data.c1.array)
    assert np.array_equal(data.c0.array, data.c2.array)
    ones = data.c0.array.mean(axis=1).ravel()
    assert 0.3 < ones[:300].mean() < 0.7, "the shots are sorted"


def test_bits_of_several_registers_and_of_none(backend: QuantumTasksBackend) -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(3, "all"))
    circuit.add_register(ClassicalRegister(name="odd", bits=circuit.clbits[:0:-1]))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    data = SamplerV2(backend).run([circuit], shots=5).result()[0].data
    assert data.all.get_counts() == {"101": 5}
    assert data["odd"].get_counts() == {"01": 5}
    with pytest.warns(UserWarning, match="no classical register"):
        nothing = SamplerV2(backend).run([QuantumCircuit(1)]).result()[0]
    assert len(nothing.data) == 0


def test_seeds_repeat_what_was_sampled(backend: QuantumTasksBackend, client: Client) -> None:
    sampler = SamplerV2(backend, options={"seed_simulator": 5, "default_shots": 400})
    pub = (rotation(), [1.0, 1.0])
    first, again, other = (
        sampler.run([pub, pub]).result(),
        sampler.run([pub]).result(),
        SamplerV2(backend).run([pub], shots=400).result(),
    )
    arrays = [result[0].data.turned.array for result in (first, again, other)]
    assert np.array_equal(arrays[0], arrays[1])
    assert not np.array_equal(arrays[0], arrays[2])
    draws = [*arrays[0], *first[1].data.turned.array]
    assert len({draw.tobytes() for draw in draws}) == 4, "the same draws twice"
    task = client.get(sampler.run([(cat(2),)]).task_ids[0])
    assert client.get_submission(task)["seed"] == 5


def test_more_than_a_task_can_hold(
    backend: QuantumTasksBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    angles = np.linspace(0, np.pi, 1_500)
    job = SamplerV2(backend).run([(rotation(), angles)], shots=20)
    assert len(job.task_ids) == 2
    ones = job.result()[0].data.turned.array.mean(axis=(1, 2))
    assert (ones[0], ones[-1], len(ones)) == (0, 1, 1_500)
    assert abs(ones[700:800].mean() - 0.5) < 0.1
    monkeypatch.setattr(backend, "about", msgspec.structs.replace(backend.about, max_shots=50))
    split = SamplerV2(backend, options={"seed_simulator": 1}).run(
        [(rotation(), [0.5, np.pi])], shots=120
    )
    assert len(split.task_ids) == 3
    data = split.result()[0].data
    assert data.turned.array.shape == (2, 120, 1)
    assert data.turned.get_counts(1) == {"1": 120}
    parts = data.turned.array[0, :100].reshape(2, 50)
    assert parts.any()
    assert not np.array_equal(parts[0], parts[1]), "the same draws twice"


HAMILTONIAN = SparsePauliOp(["II", "ZZ", "XI", "YX"], [0.5, 1.0, -0.7, 0.2])


def test_an_estimator_works(backend: QuantumTasksBackend, client: Client) -> None:
    estimator = EstimatorV2(backend)
    assert isinstance(estimator, BaseEstimatorV2)
    circuit = ansatz()
    circuit.metadata = {"tag": 1}
    values = np.random.default_rng(1).uniform(0, 2, (4, 3, 11))
    pub_list = [
        (circuit, HAMILTONIAN, values),
        (circuit, [["ZZ"], ["XX"], [HAMILTONIAN]], values[0]),
        (circuit, [[["ZI"]], [["IZ"]]], values),
        (circuit, ["ZZ", {"XY": 2.0, "II": -1}, "ZZ"], values[1]),
        (circuit, HAMILTONIAN, values[0, 0]),
        (cat(2).remove_final_measurements(inplace=False), ["ZZ", "XX", "ZI"]),
        (outside_registers(), ["IIX", "IXI", "XII"]),
        (outside_registers(2, 0), ["IIX", "IXI", "XII"]),
    ]
    job = estimator.run(pub_list)
    assert len(job.task_ids) == len(pub_list)
    found = job.result()
    expected = StatevectorEstimator().run(pub_list).result()
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.data.evs.shape == theirs.data.evs.shape
        np.testing.assert_allclose(ours.data.evs, theirs.data.evs, atol=1e-9)
        np.testing.assert_array_equal(ours.data.stds, np.zeros_like(theirs.data.evs))
        assert ours.metadata == theirs.metadata


def test_precision_is_as_aer_has_it(backend: QuantumTasksBackend) -> None:
    values = np.random.default_rng(2).uniform(0, 2, (3, 11))
    pub_list = [
        (ansatz(), HAMILTONIAN, values, 0.05),
        (ansatz(), [["ZZ"], ["XX"], ["ZZ"]], values),
        (cat(2).remove_final_measurements(inplace=False), "XX"),
    ]
    ours = EstimatorV2(backend, options={"seed_simulator": 9, "default_precision": 0.2})
    theirs = AerEstimator(options={"run_options": {"seed_simulator": 9}, "default_precision": 0.2})
    for found, expected in zip(
        ours.run(pub_list).result(), theirs.run(pub_list).result(), strict=True
    ):
        np.testing.assert_allclose(found.data.evs, expected.data.evs, atol=1e-9)
        np.testing.assert_array_equal(found.data.stds, expected.data.stds)
        assert found.metadata["target_precision"] == expected.metadata["target_precision"]


def test_projectors_are_observables(backend: QuantumTasksBackend) -> None:
    circuit = of(3, ("ry", 0.7, 0), ("cx", 0, 1), ("rx", 0.4, 2))
    observable = SparseObservable.from_list([("0+1", 0.5), ("Zr-", 2.0), ("lII", -1.0)])
    exact = EstimatorV2(backend).run([(circuit, observable)]).result()[0].data.evs
    paulis = SparsePauliOp.from_sparse_observable(observable.as_paulis())
    expected = StatevectorEstimator().run([(circuit, paulis)]).result()[0].data.evs
    assert abs(exact - expected) < 1e-9


def test_a_pub_of_nothing_is_refused(backend: QuantumTasksBackend) -> None:
    with pytest.raises(ValueError, match="nothing to run"):
        SamplerV2(backend).run([(rotation(), np.zeros((2, 0, 1)))])
    with pytest.raises(ValueError, match="nothing to run"):
        EstimatorV2(backend).run([(ansatz(), [], np.zeros((0, 11)))])


def test_where_there_are_only_averages(backend: QuantumTasksBackend) -> None:
    circuit = measured(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    pub = (circuit, ["ZI", "ZZ"])
    exact = EstimatorV2(backend).run([pub]).result()[0]
    assert exact.data.evs.tolist() == pytest.approx([0, 1])
    averaged = EstimatorV2(backend, options={"method": "matrix_product_state"})
    result = averaged.run([pub], precision=0.02).result()[0]
    assert abs(result.data.evs[0]) < 0.1
    assert result.data.evs[1] == pytest.approx(1)
    assert result.data.stds.tolist() == pytest.approx([0.02, 0], rel=0.1, abs=1e-9)
    noisy = EstimatorV2(backend, options={"noise": {"depolarizing_1q": 0.5}})
    value = noisy.run([(of(1, ("x", 0)), "Z")]).result()[0].data.evs
    assert value == pytest.approx(-0.5)


def test_only_what_was_asked_for_is_computed(
    backend: QuantumTasksBackend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the whole product of parameters and observables where that is little, else of blocks."""
    observables = [{"ZZ": 1.0, "XI": place / 10} for place in range(12)]
    values = np.random.default_rng(3).uniform(0, 2, (12, 11))
    pub = (ansatz(), observables, values)
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    whole = EstimatorV2(backend).run([pub])
    monkeypatch.setattr(estimation, "_FEW", 16)
    blocks = EstimatorV2(backend).run([pub])
    monkeypatch.setattr(estimation, "MAX_TERMS", 4)
    product = EstimatorV2(backend).run([(ansatz(), observables, values[:, None])])
    assert len(whole.task_ids) == 1
    assert len(blocks.task_ids) == 3
    sent = [client.get_submission(task) for task in blocks.task_ids]
    assert [(len(each["parameter_sets"]), len(each["observables"])) for each in sent] == [
        (4, 4)
    ] * 3
    assert len(product.task_ids) == 6
    for job in (whole, blocks):
        np.testing.assert_allclose(job.result()[0].data.evs, expected, atol=1e-9)
    every = product.result()[0].data.evs
    assert every.shape == (12, 12)
    np.testing.assert_allclose(every.diagonal(), expected, atol=1e-9)


ELSEWHERE = """
import json, sys
from quantumtasks_client.qiskit import QuantumTasksProvider
provider = QuantumTasksProvider(*sys.argv[1:3])
results = [provider.job(job_id).result() for job_id in sys.argv[3:]]
print(json.dumps([[
    [{name: getattr(part, "array", part).tolist() for name, part in pub.data.items()}, pub.metadata]
    for pub in result] for result in results]))
"""


def test_results_are_had_in_another_process(site: Site, backend: QuantumTasksBackend) -> None:
    circuit = rotation()
    circuit.metadata = {"mine": "é"}
    sampler, estimator = SamplerV2(backend), EstimatorV2(backend)
    values = np.random.default_rng(4).uniform(0, 2, (2, 3, 11))
    jobs = [
        sampler.run([(circuit, [[0.1], [0.2]]), cat(3)], shots=30),
        estimator.run(
            [(ansatz(), [[HAMILTONIAN], ["ZZ"]], values[0]), (ansatz(), "ZZ", values, 0.1)]
        ),
    ]
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, site.url, site.token, *(job.job_id() for job in jobs)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    expected = [
        [
            [
                {name: getattr(part, "array", part).tolist() for name, part in pub.data.items()},
                pub.metadata,
            ]
            for pub in job.result()
        ]
        for job in jobs
    ]
    assert json.loads(told) == expected


def test_a_failure_is_told(backend: QuantumTasksBackend) -> None:
    job = SamplerV2(backend, options={"method": "stabilizer"}).run([cat(2), (rotation(), [0.3])])
    with pytest.raises(TaskFailed) as caught:
        job.result()
    assert caught.value.code == "method_unsuitable"
    assert caught.value.__notes__ == ["It was number 1 of the 2 tasks of the job."]
    assert job.status() is JobStatus.ERROR


def test_the_backends_options_hold(backend: QuantumTasksBackend, client: Client) -> None:
    backend.set_options(method="density_matrix", noise={"readout": 0.1}, tags=["theirs"])
    sent = client.get_submission(SamplerV2(backend).run([cat(2)]).task_ids[0])
    assert (sent["method"], sent["noise"]) == ("density_matrix", {"readout": 0.1})
    assert sent["tags"] == ["qiskit", "theirs"]
    own = SamplerV2(backend, options={"method": "automatic", "noise": {}, "tags": []})
    sent = client.get_submission(own.run([cat(2)]).task_ids[0])
    assert "method" not in sent
    assert not sent.get("noise")
    assert sent["tags"] == ["qiskit"]
    with pytest.raises(TypeError, match="shoots"):
        SamplerV2(backend, options={"shoots": 1})
