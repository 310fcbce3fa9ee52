"""Limits of running tasks with real workers: messages that found nothing to do are not missed."""

import itertools
import signal
from typing import Any

import pytest

from tasks_app.models import OwnerLimits, Status, Task
from tasks_app.queue import broker
from tasks_app.tests.api import people
from testing.service import BELL, Service, eventually

pytestmark = pytest.mark.django_db
ENDLESS = (
    "OPENQASM 3.0; qubit[20] q; bit[20] c; c = measure q;"
    "for int i in [0:9999] { U(0.1, 0, 0) q; } c = measure q;"
)
NEVER_S = "3600"


def submitter(service: Service, name: str) -> Any:
    authorization = people.bearer(people.token(people.user(name)))

    def submit(circuit: str = BELL, tasks: int = 1, **options: int) -> list[str]:
        body = {"circuit": circuit, "tasks": [{"shots": 1}] * tasks, **options}
        answer = service.post("/tasks/batch", body, **authorization)
        assert answer.status == 202, answer
        ids: list[str] = answer.body["task_ids"]
        return ids

    return submit


def all_completed(ids: list[str]) -> bool:
    done = Task.objects.filter(task_id__in=ids, current_status=Status.COMPLETED)
    return done.count() == len(ids)


def test_an_owner_who_may_run_one_at_a_time_gets_them_all_run_one_by_one(service: Service) -> None:
    OwnerLimits.objects.create(owner=people.user("ada"), max_running=1)
    service.start_api(processes=1, API_AUTH="required")
    service.start_worker(threads=3, RECOVERY_S=NEVER_S)

    ids = submitter(service, "ada")(tasks=20)

    eventually(lambda: all_completed(ids), what="all are completed")
    ran = itertools.pairwise(Task.objects.order_by("started_at"))
    for before, after in ran:
        assert before.completed_at is not None
        assert after.started_at is not None
        assert before.completed_at <= after.started_at


def test_endless_circuits_leave_a_slot_for_others(service: Service) -> None:
    service.start_api(processes=1, API_AUTH="required")
    ada, bob = submitter(service, "ada"), submitter(service, "bob")
    first = bob()
    worker = service.start_worker(threads=4)
    eventually(lambda: all_completed(first), what="bob is known to use the service")
    ada(ENDLESS, tasks=30)
    running = Task.objects.with_status(Status.PROCESSING)
    hers = running.filter(owner=people.user("ada"))
    eventually(lambda: hers.count() == 3, what="three of ada's run")
    eventually(lambda: broker.depths().ready == 0, what="the messages of the others are gone")
    for _ in range(3):
        circuits = bob(tasks=2)
        eventually(lambda ids=circuits: all_completed(ids), what="bob's are run")  # type: ignore[misc]
        assert hers.count() <= 3
        # On a quick machine one may just have ended, and the next not begun.
        eventually(lambda: hers.count() == 3, what="three of ada's run")
    worker.kill_group()


def test_what_waits_for_a_worker_that_dies_is_rung_for_again(service: Service) -> None:
    """The messages are gone, and so is the one who would have looked again."""
    OwnerLimits.objects.create(owner=people.user("ada"), max_running=1)
    service.start_api(processes=1, API_AUTH="required")
    ids = submitter(service, "ada")(tasks=10)
    worker = service.start_worker(threads=2, RECOVERY_S=NEVER_S)
    eventually(lambda: broker.depths().ready == 0, what="the messages are gone")
    worker.signal(signal.SIGSTOP)
    worker.kill_group()

    service.start_worker(threads=2, RECOVERY_S="0.5")

    eventually(lambda: all_completed(ids), what="all are completed")
