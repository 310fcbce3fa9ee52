"""Jobs as the IBM Runtime client writes them, and their results read without it."""

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
from django.http import HttpResponse
from qiskit import QuantumCircuit, qpy

from tasks_app import backends, lifecycle
from tasks_app.circuits import CircuitError, Job, Limits
from tasks_app.circuits.job import as_message
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.models import Status, Task
from tasks_app.tests.api.client import get, post, send
from tasks_app.tests.unit.tasks import claimed

JOBS = "/runtime/v1/jobs"


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def written(circuit: QuantumCircuit, version: int = 17) -> dict[str, str]:
    file = io.BytesIO()
    qpy.dump(circuit, file, version=version)
    return {"__type__": "QuantumCircuit", "__value__": packed(file.getvalue())}


def together(*circuits: QuantumCircuit) -> dict[str, Any]:
    """As the executor has them."""
    file = io.BytesIO()
    qpy.dump(list(circuits), file, version=17)
    return {
        "b64_data": packed(file.getvalue()),
        "qpy_version": 17,
        "num_programs": len(circuits),
    }


def array(values: Any) -> dict[str, str]:
    file = io.BytesIO()
    np.save(file, np.asarray(values, dtype=float))
    return {"__type__": "ndarray", "__value__": packed(file.getvalue())}


def tensor(values: Any) -> dict[str, Any]:
    given = np.asarray(values, dtype="<f8")
    return {"data": packed(given.tobytes()), "shape": list(given.shape), "dtype": "f64"}


def sampler(*pubs: Any, **options: Any) -> dict[str, Any]:
    """A job's body."""
    params = {"pubs": list(pubs), "options": options, "version": 2, "support_qiskit": True}
    return {"program_id": "sampler", "backend": "aer", "params": params}


def estimator(*pubs: Any, **options: Any) -> dict[str, Any]:
    return {**sampler(*pubs, **options), "program_id": "estimator"}


def executor(circuits: Any, *items: Any, **program: Any) -> dict[str, Any]:
    given = {"shots": 10, "circuits": circuits, "items": list(items), **program}
    params = {"schema_version": "v2.0", "quantum_program": given, "options": {}}
    return {"program_id": "executor", "backend": "aer", "params": params}


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell", metadata={"made": ["by", "hand"]})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def submitted(body: Any, **headers: str) -> str:
    """The id of a new job."""
    response = post(body, JOBS, **headers)
    assert response.status_code == 200, response.content
    return str(json.loads(response.content)["id"])


def ran(body: Any, **headers: str) -> Any:
    """What a job came to, once a worker has run its tasks."""
    job = submitted(body, **headers)
    work()
    return decoded(read(f"{JOBS}/{job}/results", **headers))


def read(path: str, **headers: str) -> Any:
    response = get(path, **headers)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def remove(path: str) -> HttpResponse:
    return send("DELETE", path)


def work() -> None:
    """Run all that is pending, as a worker does."""
    runner = Runner(Limits())
    for task in Task.objects.with_status(Status.PENDING).order_by("task_id"):
        claim = claimed(task.task_id)
        try:
            job = Job(
                circuit=claim.circuit,
                shots=claim.shots,
                seed=claim.seed,
                backend=backends.described(claim.backend, claim.backend_changed_at),
                **claim.options,
            )
            result = runner.run(as_message(job) | {"threads": 1})
        except CircuitError as error:
            lifecycle.fail(claim, code=error.code, message=error.message)
        else:
            lifecycle.complete(claim, json.loads(json.dumps(result)))


def decoded(value: Any) -> Any:
    """The client's encoding undone, without its classes."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("__type__") == "ndarray":
        data = zlib.decompress(base64.b64decode(value["__value__"]))
        return np.load(io.BytesIO(data), allow_pickle=False)
    if "__type__" in value:
        return decoded(value["__value__"])
    return {name: decoded(each) for name, each in value.items()}


def bits(field: Any) -> Any:
    """A register's outcomes as numbers, of registers of up to 8 bits."""
    return field["array"][..., 0]
