"""Jobs as the IBM Runtime client sends, reads, lists, changes and ends them."""

import json
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from django.db.models.signals import post_init
from ibm_quantum_schemas.common import (
    CompressedQpyDataModel,
    CompressedTensorModel,
    F64CompressedTensorModel,
    F64TensorModel,
    OpenQasm3DataModel,
    QpyDataV13ToV17Model,
)
from ibm_quantum_schemas.executor import version_1_0, version_1_1, version_2_0
from ibm_quantum_schemas.executor.version_2_0 import QuantumProgramResultModel
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from tasks_app import lifecycle
from tasks_app.models import Batch, RuntimeJob, Task
from tasks_app.tests.api.client import error, get, post, send
from tasks_app.tests.api.runtime import (
    JOBS,
    array,
    bell,
    bits,
    decoded,
    estimator,
    executor,
    ran,
    read,
    remove,
    sampler,
    submitted,
    tensor,
    together,
    work,
    written,
)
from tasks_app.tests.unit.tasks import claimed

pytestmark = pytest.mark.django_db

ROTATIONS = """OPENQASM 3.0; include "stdgates.inc"; input float a; input float b;
bit[2] c; rx(a) $0; rx(b) $3; c[0] = measure $0; c[1] = measure $3;"""


def rotated() -> QuantumCircuit:
    """Registers in an order that is not that of their names, and parameters likewise."""
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "zz"), ClassicalRegister(1, "a")
    )
    circuit.rx(Parameter("y"), 0)
    circuit.rx(Parameter("x"), 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def test_it_works() -> None:
    job = submitted(sampler([written(bell()), None, 100]))
    before = read(f"{JOBS}/{job}?exclude_params=true")
    work()
    after = read(f"{JOBS}/{job}")
    result = decoded(read(f"{JOBS}/{job}/results"))

    assert before["state"] == {"status": "Queued"} and "params" not in before
    assert before["program"] == {"id": "sampler"} and before["backend"] == "aer"
    assert after["state"] == {"status": "Completed"}
    assert after["params"]["pubs"] == [[written(bell()), None, 100]]
    (pub,) = result["pub_results"]
    assert pub["metadata"] == {"circuit_metadata": {"made": ["by", "hand"]}}
    assert pub["data"]["field_names"] == ["meas"] and pub["data"]["shape"] == []
    meas = pub["data"]["fields"]["meas"]
    assert meas["num_bits"] == 2 and meas["array"].shape == (100, 1)
    assert set(bits(meas).tolist()) == {0, 3}


def test_registers_and_parameters_have_the_order_of_the_circuit() -> None:
    values = [[[0, math.pi], [math.pi, 0]], [[0, 0], [math.pi, math.pi]]]
    result = ran(sampler([written(rotated()), array(values)], default_shots=3))
    data = result["pub_results"][0]["data"]
    assert data["field_names"] == ["zz", "a"] and data["shape"] == [2, 2]
    # In the order of names: x, y.
    assert bits(data["fields"]["zz"])[..., 0].tolist() == [[1, 0], [0, 1]]
    assert bits(data["fields"]["a"])[..., 0].tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    "values", [[0, math.pi], {"b": math.pi, "a": 0}, array([0, math.pi])], ids=str
)
def test_openqasm_takes_values_in_order_and_by_name(values: Any) -> None:
    result = ran(sampler([ROTATIONS, values, 5]))
    assert bits(result["pub_results"][0]["data"]["fields"]["c"]).tolist() == [2] * 5


def test_a_seed_gives_what_the_same_task_gives() -> None:
    circuit = written(bell())["__value__"]
    body = {"circuit": circuit, "circuit_format": "qpy", "shots": 1000, "seed": 7}
    task = json.loads(post(body).content)["task_id"]
    job = sampler([written(bell()), None, 1000], simulator={"seed_simulator": 7})
    meas = bits(ran(job)["pub_results"][0]["data"]["fields"]["meas"])
    counts = read(f"/tasks/{task}")["result"]["counts"]
    assert {f"{key:02b}": int((meas == key).sum()) for key in (0, 3)} == counts


def test_more_shots_than_a_task_has_are_several_tasks() -> None:
    job = submitted(sampler([written(bell()), None, 250_000], [written(bell()), None, 1]))
    assert Task.objects.filter(batch_id=job).count() == 4
    work()
    first, second = decoded(read(f"{JOBS}/{job}/results"))["pub_results"]
    assert first["data"]["fields"]["meas"]["array"].shape == (250_000, 1)
    assert second["data"]["fields"]["meas"]["array"].shape == (1, 1)


def test_circuits_that_are_all_the_same_are_stored_once() -> None:
    job = submitted(sampler([written(bell())], [written(bell())]))
    assert Batch.objects.get(pk=job).circuit is not None
    assert set(Task.objects.filter(batch_id=job).values_list("circuit", flat=True)) == {None}
    pubs = read(f"{JOBS}/{job}")["params"]["pubs"]
    assert pubs == [[written(bell())], [written(bell())]]


def test_expectation_values_are_broadcast() -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("t"), 0)
    circuit.cx(0, 1)
    angles = np.array([0.3, 1.1, 2.0])
    each = [{"ZZ": 1}, {"IZ": 2, "XX": 1}, {"I0": 1}]
    job = estimator(
        [written(circuit), [[terms] for terms in each], array(angles[:, None]), 1e-6],
        [written(circuit), each, array(angles[:, None]), 1e-6],
        [written(circuit), {"IZ": 1}, array([0.3])],
        seed_estimator=3,
    )
    table, diagonal, single = ran(job)["pub_results"]
    ones, twos = np.ones(3), 2 * np.cos(angles) + np.sin(angles)
    want = np.array([ones, twos, (1 + np.cos(angles)) / 2])
    assert np.allclose(table["data"]["fields"]["evs"], want, atol=1e-4)
    assert np.allclose(diagonal["data"]["fields"]["evs"], want.diagonal(), atol=1e-4)
    assert single["data"]["fields"]["evs"].shape == ()
    assert abs(single["data"]["fields"]["evs"] - math.cos(0.3)) < 6 / 64
    assert single["data"]["fields"]["stds"] == 1 / 64
    assert single["metadata"]["shots"] == 4096


def test_an_estimators_seed_gives_what_the_same_task_gives() -> None:
    circuit = written(QuantumCircuit(1))
    job = estimator([circuit, [{"X": 1}, {"Z": 1}], None, 0.1], seed_estimator=5)
    values = ran(job)["pub_results"][0]["data"]["fields"]["evs"]
    body = {"circuit": circuit["__value__"], "circuit_format": "qpy", "precision": 0.1, "seed": 5}
    body |= {"observables": [{"X": 1.0}, {"Z": 1.0}], "shots": 100}
    task = json.loads(post(body).content)["task_id"]
    work()
    assert values.tolist() == read(f"/tasks/{task}")["result"]["expectation_values"]


def test_observables_may_be_as_wide_as_the_backend_of_a_text_with_physical_qubits() -> None:
    text = ROTATIONS.partition(" c[0] = ")[0]
    job = estimator([text, {"I" * 96 + "Z" + "IIZ": 1}, [math.pi, 0], 1e-6])
    assert abs(ran(job)["pub_results"][0]["data"]["fields"]["evs"] + 1) < 1e-4
    wrong = estimator([text, {"Z" + "I" * 99: 1}, [math.pi, 0]])
    job_id = submitted(wrong)
    work()
    assert read(f"{JOBS}/{job_id}")["state"]["status"] == "Failed"


def test_the_executor_runs_several_circuits_of_one_file() -> None:
    two = together(rotated(), bell())
    values = tensor([[[0, math.pi]], [[math.pi, 0]]])
    program = executor(
        two,
        {"item_type": "circuit", "circuit_arguments": values, "shape": [2, 3]},
        {"item_type": "circuit", "circuit_arguments": tensor(np.zeros((0,))), "shape": []},
        passthrough_data={"kept": [1, None, {"deep": True}], "large": 10**30},
        semantic_role="sampler_v2",
    )
    job = submitted(program)
    work()
    result = read(f"{JOBS}/{job}/results")
    model(result)
    assert result["passthrough_data"]["large"] == 10**30
    assert result["semantic_role"] == "sampler_v2"
    first, second = (each["results"] for each in result["data"])
    assert list(first) == ["zz", "a"] and list(second) == ["meas"]
    zz = unpacked(first["zz"])
    assert zz.shape == (2, 3, 10, 2)
    # x, y: the second parameter turns the first qubit, whose bit comes first.
    assert zz[0, :, :, 0].all() and not zz[1, :, :, 0].any() and not zz[..., 1].any()
    assert unpacked(second["meas"]).shape == (10, 2)


V1 = (partial(QpyDataV13ToV17Model.from_python, qpy_version=17), F64TensorModel)
V2 = (CompressedQpyDataModel.from_python, F64CompressedTensorModel)


@pytest.mark.parametrize(
    ("schema", "circuits", "numbers"),
    [
        (version_1_0, *V1),
        (version_1_1, *V1),
        (version_2_0, *V2),
        (version_2_0, OpenQasm3DataModel.from_python, F64CompressedTensorModel),
    ],
    ids=["v1.0", "v1.1", "v2.0", "v2.0 with OpenQASM"],
)
def test_each_schema_of_the_executor_is_read_and_written(
    schema: Any, circuits: Any, numbers: Any
) -> None:
    arguments = numbers.from_numpy(np.array([[0, math.pi], [math.pi, 0]]))  # x, y
    program = schema.QuantumProgramModel(
        shots=3,
        circuits=circuits([rotated()]),
        items=[schema.CircuitItemModel(circuit_arguments=arguments, shape=[])],
        passthrough_data={"kept": 1},
    )
    params = schema.ParamsModel(quantum_program=program, options=schema.OptionsModel())
    body = {"program_id": "executor", "backend": "aer", "params": params.model_dump(mode="json")}
    job = submitted(body)
    work()
    result = schema.QuantumProgramResultModel(**read(f"{JOBS}/{job}/results"))
    bits_of = {name: each.to_numpy() for name, each in result.data[0].results.items()}
    assert bits_of["zz"][:, :, 0].tolist() == [[True] * 3, [False] * 3]
    assert bits_of["a"][:, :, 0].tolist() == [[False] * 3, [True] * 3]
    assert result.passthrough_data == {"kept": 1}
    assert read(f"{JOBS}/{job}")["params"] == body["params"]


def unpacked(given: dict[str, Any]) -> Any:
    return CompressedTensorModel(**given).to_numpy()


def model(result: dict[str, Any]) -> None:
    """It is what the schema says."""
    QuantumProgramResultModel(**result)


# -- lists and states ----------------------------------------------------------------------------


def test_jobs_are_listed_and_filtered() -> None:
    first = submitted(sampler([written(bell())]) | {"tags": ["a", "b"]})
    second = submitted(estimator([written(QuantumCircuit(1)), "Z"]) | {"tags": ["b"]})
    lifecycle.cancel([Task.objects.get(batch_id=first).task_id], reason="not wanted")

    def listed(query: str = "") -> list[str]:
        return [job["id"] for job in read(f"{JOBS}{query}")["jobs"]]

    assert listed() == [second, first]
    assert listed("?sort=ASC") == [first, second]
    assert listed("?limit=1&offset=1") == [first]
    assert listed("?program=sampler") == [first]
    assert listed("?pending=true") == [second] and listed("?pending=false") == [first]
    assert listed("?tags=b&tags=a") == [first] and listed("?tags=c") == []
    assert listed("?backend=other") == [] and listed("?backend=aer") == [second, first]
    assert listed("?created_before=2020-01-01T00:00:00Z") == []
    assert listed("?created_after=2020-01-01T00:00:00Z") == [second, first]
    assert listed("?session_id=none") == []
    whole = read(f"{JOBS}?limit=1")
    assert (whole["count"], whole["limit"], whole["offset"]) == (2, 1, 0)
    error(get(f"{JOBS}?colour=red"), 400, "validation_error")


def test_a_list_of_jobs_reads_none_of_their_tasks() -> None:
    """Two hundred jobs may have as many thousands."""
    job = submitted(sampler(*[[written(bell())]] * 3))
    read_tasks = []
    post_init.connect(lambda instance, **_: read_tasks.append(instance), Task, weak=False)
    try:
        assert [each["id"] for each in read(JOBS)["jobs"]] == [job]
    finally:
        post_init.disconnect(sender=Task)
    assert read_tasks == []


def test_a_job_is_cancelled_once() -> None:
    job = submitted(sampler([written(bell())], [written(bell())]))
    assert post({}, f"{JOBS}/{job}/cancel").status_code == 204
    assert read(f"{JOBS}/{job}")["state"] == {"status": "Cancelled"}
    error(post({}, f"{JOBS}/{job}/cancel"), 409, "illegal_transition")
    assert get(f"{JOBS}/{job}/results").status_code == 204


def test_a_pending_job_is_deleted_with_its_tasks() -> None:
    job = submitted(sampler([written(bell())], [written(bell())]))
    assert remove(f"{JOBS}/{job}").status_code == 204
    error(get(f"{JOBS}/{job}"), 404, "not_found")
    counts = [table.objects.count() for table in (Task, Batch, RuntimeJob)]
    assert counts == [0, 0, 0]


def test_a_job_fails_with_the_reason_of_its_first_task() -> None:
    job = submitted(sampler(["OPENQASM 3.0; hh $0;"], [written(bell())]))
    work()
    state = read(f"{JOBS}/{job}")["state"]
    assert state["status"] == "Failed" and "PUB 0: " in state["reason"]
    assert state["reason"].encode() == get(f"{JOBS}/{job}/results").content


def test_what_ran_too_long_has_the_clients_code() -> None:
    job = submitted(sampler([written(bell())]))
    claim = claimed(Task.objects.get(batch_id=job).task_id)
    lifecycle.fail(claim, code="timed_out", message="It took too long.")
    assert read(f"{JOBS}/{job}")["state"]["reason_code"] == 1305


def test_a_result_that_is_too_large_to_send_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks_app.runtime_api.bits.MAX_BITS", 199)
    job = submitted(sampler([written(bell()), None, 100]))
    work()
    error(get(f"{JOBS}/{job}/results"), 413, "result_too_large")


@pytest.mark.parametrize(("most", "status"), [("largest", 200), ("one less", 413)])
def test_of_one_pub_after_the_other_the_results_are_held(
    most: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(sampler([written(bell())], [written(bell())]))
    work()
    largest = max(Task.objects.values_list("stored_bytes", flat=True)) - (most == "one less")
    monkeypatch.setattr("tasks_app.runtime_api.jobs.MAX_RESULT_BYTES", largest)
    assert get(f"{JOBS}/{job}/results").status_code == status


def test_nothing_is_told_of_a_job_of_which_a_task_is_gone() -> None:
    job = submitted(sampler([written(bell())], [written(bell())]))
    work()
    Task.objects.filter(batch_id=job, batch_index=0).delete()
    error(get(f"{JOBS}/{job}/results"), 410, "tasks_deleted")


def test_tags_metrics_and_logs() -> None:
    job = submitted(sampler([written(bell())]) | {"tags": ["old"]})
    response = send("PUT", f"{JOBS}/{job}/tags", json.dumps({"tags": ["new", "new"]}).encode())
    assert response.status_code == 204
    assert read(f"{JOBS}/{job}")["tags"] == ["new"]
    assert Task.objects.get(batch_id=job).tags == ["new"]
    assert read(f"{JOBS}/{job}/metrics")["usage"]["status"] == "pending"
    work()
    metrics = read(f"{JOBS}/{job}/metrics")
    assert metrics["usage"]["status"] == "done" and metrics["qiskit_version"][0] == "2"
    assert all(metrics["timestamps"].values())
    logs = get(f"{JOBS}/{job}/logs")
    assert logs["Content-Type"].startswith("text/plain")
    assert [line.split()[3] for line in logs.content.decode().splitlines()] == [
        "pending:",
        "processing:",
        "completed:",
    ]


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"execution": {"init_qubits": False}}, "execution.init_qubits"),
        ({"execution": {"meas_type": "kerneled"}}, "execution.meas_type"),
        ({"simulator": {"noise_model": {"errors": []}}}, "simulator.noise_model"),
        ({"experimental": {"fast": True}}, "experimental"),
        ({"colour": "red"}, "colour"),
        ({"twirling": {"enable_gates": True, "num_randomizations": 2,
                       "shots_per_randomization": 3}}, "twirling"),
    ],
)  # fmt: skip
def test_options_that_would_change_a_sample_are_refused_by_name(options: Any, named: str) -> None:
    assert (
        named
        in error(post(sampler([written(bell())], **options), JOBS), 400, "invalid_params")["error"]
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"resilience_level": 2}, "resilience_level"),
        ({"resilience": {"zne_mitigation": True}}, "resilience.zne_mitigation"),
        ({"resilience": {"pec_mitigation": True}}, "resilience.pec_mitigation"),
        ({"resilience": {"layer_noise_model": [1]}}, "resilience.layer_noise_model"),
    ],
)
def test_mitigation_is_refused_by_name(options: Any, named: str) -> None:
    job = estimator([written(QuantumCircuit(1)), "Z"], **options)
    assert named in error(post(job, JOBS), 400, "invalid_params")["error"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dynamical_decoupling": {"enable": True}}, "dynamical_decoupling"),
        ({"twirling": {"enable_measure": True}}, "twirling"),
        ({"resilience_level": 1}, "resilience_level"),
        ({"resilience": {"measure_mitigation": True}}, "resilience.measure_mitigation"),
    ],
)
def test_of_a_device_what_noise_makes_count_is_refused(options: Any, named: str) -> None:
    job = estimator([written(QuantumCircuit(1)), "Z"], **options) | {"backend": "noisy_line5"}
    assert named in error(post(job, JOBS), 400, "invalid_params")["error"]


def test_a_device_runs_a_circuit_on_the_qubits_that_it_names() -> None:
    circuit = QuantumCircuit(5)
    circuit.x(4)
    circuit.measure_all()
    job = submitted(sampler([written(circuit), None, 1000]) | {"backend": "noisy_line5"})
    task = Task.objects.get(batch_id=job)
    assert task.backend == "noisy_line5" and task.options["optimization_level"] == 0
    assert [each["id"] for each in read(f"{JOBS}?backend=noisy_line5")["jobs"]] == [job]
    work()
    task.refresh_from_db()
    assert task.result is not None
    assert task.result["metadata"]["layout"] == [0, 1, 2, 3, 4]
    (pub,) = decoded(read(f"{JOBS}/{job}/results"))["pub_results"]
    meas = bits(pub["data"]["fields"]["meas"])
    assert 850 < int((meas == 16).sum()) < 1000  # It is noisy.


def test_options_that_change_nothing_without_noise_are_taken() -> None:
    options = {
        "default_shots": 5,
        "dynamical_decoupling": {"enable": True, "sequence_type": "XY4"},
        "execution": {"init_qubits": True, "rep_delay": 0.1, "meas_type": "classified"},
        "twirling": {"enable_gates": True, "num_randomizations": "auto"},
        "simulator": {"noise_model": None, "seed_simulator": 1},
        "experimental": {},
    }
    (pub,) = ran(sampler([written(bell())], **options))["pub_results"]
    assert pub["data"]["fields"]["meas"]["array"].shape == (5, 1)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"program_id": "noise-learner"}, 404, "not_found"),
        ({"backend": "ibm_fez"}, 404, "not_found"),
        ({"private": True}, 400, "invalid_params"),
        ({"calibration_id": "x"}, 400, "invalid_params"),
        ({"colour": "red"}, 400, "invalid_params"),
        ({"params": []}, 400, "invalid_params"),
        ({"tags": ["x" * 65]}, 400, "validation_error"),
        ({"session_id": "x"}, 404, "not_found"),
    ],
)
def test_a_job_that_is_none_is_refused(change: Any, status: int, code: str) -> None:
    error(post(sampler([written(bell())]) | change, JOBS), status, code)
    assert not Task.objects.exists()


def test_limits_hold() -> None:
    many = [[written(bell()), None, 1]] * 1001
    assert "1,000 tasks" in error(post(sampler(*many), JOBS), 400, "invalid_params")["error"]
    shots = sampler([written(bell()), None, 6_000_000], [written(bell()), None, 6_000_000])
    assert "shots" in error(post(shots, JOBS), 400, "invalid_params")["error"]
