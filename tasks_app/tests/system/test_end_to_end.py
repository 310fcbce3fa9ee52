"""Submit over HTTP, run in a worker process, read over HTTP: what the service is for."""

import base64
import os
import signal
import zlib
from io import BytesIO
from math import pi
from pathlib import Path
from urllib.parse import urlsplit

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import ParameterVector

from tasks_app.models import Task
from testing.service import Proxy, Service, alive, cpu_ticks, eventually, statuses

HISTORY = ["pending", "processing", "completed"]


def test_a_bell_circuit_completes_with_its_history(service: Service) -> None:
    service.start_api()
    service.start_worker()

    answer = service.submit(shots=200, seed=7)
    assert answer.status == 202
    assert answer.body["status"] == "pending"
    assert answer.headers["Location"].endswith(f"/tasks/{answer.body['task_id']}")

    task = service.finished(answer.body["task_id"])
    assert task["status"] == "completed"
    assert set(task["result"]["counts"]) == {"00", "11"}
    assert sum(task["result"]["counts"].values()) == task["result"]["shots"] == 200
    assert task["result"]["metadata"]["seed"] == 7
    assert [entry["status"] for entry in task["status_history"]] == HISTORY


def test_a_bad_circuit_fails_with_a_code_and_a_position(service: Service) -> None:
    service.start_api()
    service.start_worker()

    task = service.finished(
        service.accepted('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q\nh q;\n')
    )

    assert task["status"] == "failed"
    assert task["error_code"] == "syntax_error"
    assert "line 4" in task["error_message"]
    assert task["result"] is None


def test_a_circuit_of_qiskit_runs_as_qpy_for_all_values_of_its_parameter(
    service: Service,
) -> None:
    service.start_api()
    service.start_worker()
    theta = ParameterVector("theta", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(theta[0] + theta[1], 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    file = BytesIO()
    qpy.dump(circuit, file, version=17)

    sent = base64.b64encode(zlib.compress(file.getvalue())).decode()
    sets = [{"theta[0]": pi / 2, "theta[1]": half * pi / 2} for half in (-1, 1)]
    task = service.finished(service.accepted(sent, circuit_format="qpy", parameter_sets=sets))

    assert [each["counts"] for each in task["result"]["sets"]] == [{"00": 1024}, {"11": 1024}]
    assert task["result"]["metadata"]["language"] == "QPY 17"
    assert task["result"]["metadata"]["compilations"] == 1


def test_a_compiled_circuit_is_shown(service: Service) -> None:
    service.start_api()
    service.start_worker()

    task = service.finished(service.accepted(outputs=["circuit", "counts"]))

    circuit = task["result"]["circuit"]
    assert circuit["gate_counts"] == {"h": 1, "cx": 1, "measure": 2}
    assert circuit["svg"].startswith("<svg ")
    again = service.finished(service.accepted(circuit["openqasm"], seed=3))
    assert set(again["result"]["counts"]) == set(task["result"]["counts"]) == {"00", "11"}


def test_a_thousand_circuits_from_32_clients_all_complete_once(service: Service) -> None:
    service.start_api()
    service.start_worker()

    answers = service.submit_many(1000, clients=32)
    assert {answer.status for answer in answers} == {202}
    ids = {answer.body["task_id"] for answer in answers}
    assert len(ids) == 1000
    eventually(
        lambda: Task.objects.filter(completed_at__isnull=False).count() == 1000,
        what="all tasks are terminal",
    )

    tasks = [service.task(task_id) for task_id in ids]
    assert statuses(tasks) == {"completed": 1000}
    for task in tasks:
        assert [entry["status"] for entry in task["status_history"]] == HISTORY
        times = [entry["transitioned_at"] for entry in task["status_history"]]
        assert times == sorted(times)
    print("slowest submission", max(answer.seconds for answer in answers))


def test_tasks_wait_for_a_worker_that_comes_later(service: Service) -> None:
    service.start_api()
    ids = [service.accepted() for _ in range(20)]
    assert {service.task(task_id)["status"] for task_id in ids} == {"pending"}

    service.start_worker()

    assert statuses(service.finished(task_id) for task_id in ids) == {"completed": 20}


def test_a_worker_waits_for_a_queue_that_comes_later(service: Service) -> None:
    service.start_api()
    task_id = service.accepted()
    url = os.environ["RABBITMQ_URL"]
    with Proxy(urlsplit(url).port or 5672) as proxy:
        proxy.refuse()
        worker = service.start_worker(RABBITMQ_URL=proxy.url(url))
        eventually(lambda: "connection error" in worker.log.read_text(), what="it has tried")
        proxy.allow()
        assert service.finished(task_id)["status"] == "completed"


def test_restarting_everything_between_submit_and_read_loses_nothing(service: Service) -> None:
    api = service.start_api()
    worker = service.start_worker()
    done = [service.accepted() for _ in range(10)]
    for task_id in done:
        service.finished(task_id)
    waiting = service.submit_many(30, clients=4)

    for process in (worker, api):
        process.signal(signal.SIGTERM)
    assert (worker.wait(), api.wait()) == (0, 0)
    service.start_api()
    service.start_worker()

    ids = done + [answer.body["task_id"] for answer in waiting]
    assert statuses(service.finished(task_id) for task_id in ids) == {"completed": 40}


def test_a_worker_process_ends_with_a_master_killed_while_it_starts(service: Service) -> None:
    master = service._start_worker(1, 1, {}).pid

    def starting() -> list[int]:
        is_master = b"tasks_app.worker" in Path(f"/proc/{master}/cmdline").read_bytes()
        # By then Dramatiq's master waits for it.
        return [pid for pid in service.processes[0].children() if is_master and cpu_ticks(pid) > 5]

    (process,) = eventually(starting, what="the worker process starts")
    os.kill(master, signal.SIGKILL)
    eventually(lambda: not alive(process), what="the worker process has ended")
