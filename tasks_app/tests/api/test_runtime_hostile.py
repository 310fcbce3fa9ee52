"""What nobody's client sends: files that lie, arrays that grow, shapes without end."""

import base64
import io
import json
import pickle
import zlib
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from tasks_app.models import Status, Task
from tasks_app.tests.api.client import error, post
from tasks_app.tests.api.runtime import (
    JOBS,
    array,
    bell,
    estimator,
    executor,
    packed,
    read,
    sampler,
    submitted,
    tensor,
    together,
    work,
    written,
)

pytestmark = pytest.mark.django_db


def npy(header: str, data: bytes = b"") -> dict[str, str]:
    text = header.encode().ljust(118) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data
    return {"__type__": "ndarray", "__value__": packed(raw)}


def objects() -> dict[str, str]:
    file = io.BytesIO()
    np.save(file, np.array([print, "x"], dtype=object), allow_pickle=True)
    return {"__type__": "ndarray", "__value__": packed(file.getvalue())}


CUT_OFF = base64.b64encode(zlib.compress(b"x" * 99)[:9]).decode()
ARRAYS: dict[str, Any] = {
    "a pickle": objects(),
    "a bare pickle": {"__type__": "ndarray", "__value__": packed(pickle.dumps([1.0]))},
    "a terabyte": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
    "a negative size": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
    "code as a header": npy("__import__('os').abort()"),
    "a deep header": npy("(" * 100),
    "a bomb": {"__type__": "ndarray", "__value__": packed(b"\x93NUMPY" + bytes(2**25))},
    "no base64": {"__type__": "ndarray", "__value__": "!"},
    "no zlib": {"__type__": "ndarray", "__value__": base64.b64encode(b"x").decode()},
    "cut off": {"__type__": "ndarray", "__value__": CUT_OFF},
    "another type": {"__type__": "settings", "__module__": "os", "__class__": "x", "__value__": {}},
    "ragged": [[1, 2], [3]],
    "text": ["one"],
    "a number": 1,
    "nothing to run": array(np.zeros((0, 1))),
    "deep": json.loads("[" * 40 + "1" + "]" * 40),
}


@pytest.mark.parametrize("values", ARRAYS.values(), ids=ARRAYS)
def test_values_that_are_none_are_refused(values: Any) -> None:
    response = post(sampler([written(bell()), values]), JOBS)
    error(response, 400, "invalid_params")
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "values", [array([float("nan")]), array([float("inf")]), array(np.zeros((1, 10_001)))]
)
def test_values_that_no_task_takes_are_refused(values: Any) -> None:
    error(post(sampler([written(bell()), values]), JOBS), 400, "validation_error")


def header(version: int, programs: int = 1, rest: bytes = b"") -> str:
    return packed(b"QISKIT" + bytes((version, 2, 6, 2)) + programs.to_bytes(8) + b"pq" + rest)


@pytest.mark.parametrize(
    "circuit",
    [
        "x",
        "",
        packed(b"not QPY"),
        packed(pickle.dumps(print)),
        header(12),
        header(99),
        header(17, programs=2),
        header(17, programs=2**63),
        header(17),
    ],
)
def test_a_file_that_is_no_circuit_is_refused(circuit: str) -> None:
    given = {"__type__": "QuantumCircuit", "__value__": circuit}
    response = post(sampler([given]), JOBS)
    assert response.status_code == 400, response.content
    assert json.loads(response.content)["code"] in ("invalid_params", "validation_error")
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "circuit",
    [
        *(
            None,
            1,
            [],
            {"__type__": "Instruction", "__value__": "x"},
            {"__type__": "QuantumCircuit"},
        ),
        *(
            {"__type__": "QuantumCircuit", "__value__": 1.5},
            {"__type__": "QuantumCircuit", "__value__": []},
        ),
    ],
)
def test_what_is_no_circuit_is_refused(circuit: Any) -> None:
    for body in (
        sampler([circuit]),
        estimator([circuit, {"Z": 1}]),
        executor({"data": [circuit]}, ITEM),
    ):
        assert post(body, JOBS).status_code == 400


@pytest.mark.parametrize("program", [None, 1, "", "qasm3-runner", [], {}, ["sampler"]])
def test_a_program_that_is_none_is_not_found(program: Any) -> None:
    error(post({**sampler([written(bell())]), "program_id": program}, JOBS), 404, "not_found")


@pytest.mark.parametrize("name", [1, ["aer"], "", "another", "aer\0", "\0", "\ud800"])
def test_a_backend_that_is_none_is_not_found(name: Any) -> None:
    error(post({**sampler([written(bell())]), "backend": name}, JOBS), 404, "not_found")
    error(post({"backend": name}, "/runtime/v1/sessions"), 404, "not_found")


def test_a_file_whose_inside_lies_fails_in_the_simulators_child() -> None:
    data = bytearray(zlib.decompress(base64.b64decode(written(bell())["__value__"])))
    data[-40:] = b"\xff" * 40
    given = {"__type__": "QuantumCircuit", "__value__": packed(bytes(data))}
    job = submitted(sampler([given, None, 1]))
    work()
    state = read(f"{JOBS}/{job}")["state"]
    assert state["status"] == "Failed" and "invalid_qpy" in state["reason"]


def table(*places: int) -> dict[str, Any]:
    """A file of two circuits that says where they stand."""
    raw = bytearray(zlib.decompress(base64.b64decode(together(bell(), bell())["b64_data"])))
    raw[20:36] = b"".join(place.to_bytes(8) for place in places)
    return {"b64_data": packed(bytes(raw)), "qpy_version": 17, "num_programs": 2}


ITEM = {"item_type": "circuit", "circuit_arguments": tensor(np.zeros((0,))), "shape": []}
NUMBERS = tensor([0.0])


@pytest.mark.parametrize(
    "body",
    [
        executor(table(2**62, 36), ITEM, ITEM),
        executor({"b64_data": header(17, 2**40), "num_programs": 1}, ITEM),
        executor({"b64_data": 1}, ITEM),
        executor({"data": []}, ITEM),
        executor(None, ITEM),
        executor(together(bell()), ITEM, ITEM),
        executor(together(bell())),
        executor(together(bell()), ITEM, shots=0),
        executor(together(bell()), ITEM, shots=True),
        executor(together(bell()), ITEM, meas_level="kerneled"),
        executor(together(bell()), {**ITEM, "item_type": "other"}),
        executor(together(bell()), None),
        executor(together(bell()), {**ITEM, "shape": [10**6, 10**6]}),
        executor(together(bell()), {**ITEM, "shape": [-1]}),
        executor(together(bell()), {**ITEM, "shape": "x"}),
        executor(together(bell()), {**ITEM, "circuit_arguments": {**NUMBERS, "shape": [10**12]}}),
        executor(together(bell()), {**ITEM, "circuit_arguments": {**NUMBERS, "shape": [-1]}}),
        executor(together(bell()), {**ITEM, "circuit_arguments": {**NUMBERS, "shape": []}}),
        executor(together(bell()), {**ITEM, "circuit_arguments": {**NUMBERS, "dtype": "O"}}),
        executor(together(bell()), {"item_type": "samplex", "samplex": {}, "shape": [1]}),
    ],
    ids=range(20),
)
def test_an_executors_program_that_is_none_is_refused(body: Any) -> None:
    response = post(body, JOBS)
    assert response.status_code == 400, response.content
    assert not Task.objects.exists()


@pytest.mark.parametrize("text", ["{}", "x", '{"attrs": {"ssv": 99}}', '{"attrs": {"ssv": 3}}'])
def test_a_samplex_that_is_none_fails_in_the_simulators_child(text: str) -> None:
    item = {
        "item_type": "samplex",
        "samplex": {"ssv": 1, "samplex_json": text},
        "samplex_arguments": {"x": {"data": "!", "shape": [1], "dtype": "f64"}},
        "shape": [2],
    }
    job = submitted(executor(together(bell()), item))
    work()
    state = read(f"{JOBS}/{job}")["state"]
    assert state["status"] == "Failed" and "invalid_parameters" in state["reason"]


@pytest.mark.parametrize(
    "observables",
    [
        None,
        {},
        [],
        [[]],
        {"Z": "1"},
        {"Z": None},
        {"Q": 1},
        {"0" * 40: 1},
        [{"Z": 1}, [{"Z": 1}]],
        {"Z": 10**400},
        {"__type__": "settings", "__value__": 1},
    ],
    ids=repr,
)
def test_observables_that_are_none_are_refused(observables: Any) -> None:
    response = post(estimator([written(QuantumCircuit(1)), observables]), JOBS)
    assert response.status_code == 400, response.content
    assert not Task.objects.exists()


def test_shapes_that_broadcast_without_end_are_refused() -> None:
    circuit = written(QuantumCircuit(1))
    many, values = [{"Z": 1}] * 2_000, array(np.zeros((2_000, 1, 0)))
    error(post(estimator([circuit, many, values]), JOBS), 400, "invalid_params")
    apart = estimator([circuit, [{"Z": 1}, {"X": 1}], array(np.zeros((3, 0)))])
    error(post(apart, JOBS), 400, "invalid_params")


@pytest.mark.parametrize("precision", [0, -1, 2, "x", True, 1e-9])
def test_precisions_that_are_none_are_refused(precision: Any) -> None:
    body = estimator([written(QuantumCircuit(1)), {"Z": 1}, None, precision])
    error(post(body, JOBS), 400, "invalid_params")


def test_a_little_that_would_become_much_is_refused() -> None:
    many = array(np.zeros((2_000_000, 0)))
    for body in (
        sampler([written(bell()), many, 1]),
        estimator([written(QuantumCircuit(1)), {"Z": 1}, many]),
        executor(together(bell()), {**ITEM, "shape": [2_000_000]}, shots=1),
    ):
        assert len(json.dumps(body)) < 20_000
        error(post(body, JOBS), 400, "invalid_params")


def test_a_long_text_that_many_tasks_would_have_is_refused() -> None:
    item = {
        "item_type": "samplex",
        "samplex": {"ssv": 1, "samplex_json": "x" * 1_000_000},
        "samplex_arguments": {},
        "shape": [500_000],
    }
    error(post(executor(together(bell()), item, shots=1), JOBS), 413, "batch_too_large")
    long = "OPENQASM 3.0; // " + "x" * 1_000_000
    pubs = [[text, np.zeros((20_000, 1)).tolist(), 1] for text in (long, long + "y")]
    error(post(sampler(*pubs), JOBS), 413, "batch_too_large")


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_what_cannot_be_stored_is_refused(text: str) -> None:
    twirled = sampler([written(bell())], twirling={"strategy": text})
    kept = executor(together(bell()), ITEM, passthrough_data={"kept": [text]})
    named = executor(together(bell()), ITEM, passthrough_data={text: 1})
    for body in (twirled, kept, named):
        error(post(body, JOBS), 400, "invalid_params")


def test_what_only_passes_through_may_hold_any_number() -> None:
    given = {"passthrough_data": [10**30, -1.5], "semantic_role": 2**64}
    job = submitted(executor(together(bell()), ITEM, **given))
    work()
    result = read(f"{JOBS}/{job}/results")
    assert {name: result[name] for name in given} == given


def test_metadata_that_are_no_json_do_not_break_the_result() -> None:
    raw = bytearray(zlib.decompress(base64.b64decode(written(bell())["__value__"])))
    place = raw.index(b'{"made"')
    raw[place : place + 2] = b"}{"
    given = {"__type__": "QuantumCircuit", "__value__": packed(bytes(raw))}
    job = submitted(sampler([given, None, 1]))
    work()
    status = Task.objects.get(batch_id=job).current_status
    assert status in (Status.COMPLETED, Status.FAILED)
    assert read(f"{JOBS}/{job}")["state"]["status"] in ("Completed", "Failed")
