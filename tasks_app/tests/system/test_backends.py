"""Several backends with real workers: who serves which, what waits, and what a device does."""

import signal

import pytest
from django.db.models import F

from tasks_app.models import Backend, Status, Task, Worker
from tasks_app.queue import broker
from testing.service import BELL, Service, eventually

pytestmark = pytest.mark.django_db
LINE, GRID = "noisy_line5", "noisy_grid16"


def served() -> set[tuple[str, ...]]:
    return {tuple(sorted(each)) for each in Worker.objects.values_list("backends", flat=True)}


def all_completed(ids: list[str]) -> bool:
    done = Task.objects.filter(task_id__in=ids, current_status=Status.COMPLETED)
    return done.count() == len(ids)


def test_a_worker_serves_all_backends_unless_it_is_told_which(service: Service) -> None:
    service.start_api(processes=1)
    waiting = service.accepted(backend=LINE)
    service.start_worker(WORKER_BACKENDS="aer")
    assert service.finished(service.accepted())["status"] == "completed"
    eventually(lambda: served() == {("aer",)}, what="the worker has reported itself")
    assert service.task(waiting)["status"] == "pending"
    eventually(
        lambda: "no worker serves" in service.task(waiting)["message"], what="the task says so"
    )

    service.start_worker()

    found = service.finished(waiting)
    assert found["status"] == "completed", found
    metadata = found["result"]["metadata"]
    assert metadata["backend"] == LINE
    assert set(metadata["layout"]) <= set(range(5))
    assert sum(found["result"]["counts"].values()) == found["shots"]
    eventually(lambda: served() == {("aer",), ("aer", GRID, LINE)}, what="both have reported")


def test_a_backend_made_while_workers_run_is_served_by_them(service: Service) -> None:
    service.start_api(processes=1)
    service.start_worker(RECOVERY_S="0.2")
    Backend.objects.create(
        name="tiny",
        kind="aer_device",
        definition={"qubits": [{}, {}], "gates": {"x": [{"qubits": [0]}]}},
    )
    flip = "OPENQASM 3.0; include 'stdgates.inc'; qubit q; bit c; x q; c = measure q;"
    task_id = eventually(
        lambda: (
            (answer := service.submit(flip.replace("'", '"'), backend="tiny")).status == 202
            and answer.body["task_id"]
        ),
        what="the API knows it",
    )
    assert service.finished(task_id)["result"]["counts"] == {"1": 1024}


def test_a_backend_taken_offline_in_a_drain_loses_nothing(service: Service) -> None:
    service.start_api(processes=1)
    body = {"circuit": BELL, "tasks": [{"shots": 1}] * 300, "backend": LINE}
    ids = service.post("/tasks/batch", body).body["task_ids"]
    service.start_worker(threads=2, RECOVERY_S="0.2")
    completed = Task.objects.with_status(Status.COMPLETED)
    eventually(lambda: completed.count() >= 20, what="some have run")

    Backend.objects.filter(name=LINE).update(online=False)
    processing = Task.objects.with_status(Status.PROCESSING)
    eventually(lambda: not processing.exists(), what="what ran has ended")
    eventually(lambda: broker.depths(LINE).ready == 0, what="its messages have found nothing")
    left = Task.objects.with_status(Status.PENDING).count()
    assert 0 < left < 300
    assert service.finished(service.accepted())["status"] == "completed"  # the others go on
    assert Task.objects.with_status(Status.PENDING).count() == left

    Backend.objects.filter(name=LINE).update(online=True)
    eventually(lambda: all_completed(ids), what="all are completed")
    assert Task.objects.filter(attempt=F("handed_back") + 1).count() == 301


def test_tasks_of_a_backend_whose_workers_died_wait_for_the_next(service: Service) -> None:
    service.start_api(processes=1)
    line = service.start_worker(WORKER_BACKENDS=LINE)
    service.start_worker(WORKER_BACKENDS="aer")
    ids = [service.accepted(backend=name, shots=1) for name in (LINE, "aer") * 50]
    line.signal(signal.SIGSTOP)
    line.kill_group()
    elsewhere = ids[1::2]
    eventually(lambda: all_completed(elsewhere), what="those of the other are completed")

    service.start_worker(WORKER_BACKENDS=LINE, RECOVERY_S="0.2", LEASE_S="3")

    eventually(lambda: all_completed(ids), what="all are completed")
