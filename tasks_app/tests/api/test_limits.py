"""Limits of owners: what is refused, how it is told, and who shares them."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tasks_app.models import Batch, OwnerLimits, Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error
from tasks_app.tests.conftest import database_url
from testing.service import BELL, Service

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return people.user("ada")


def limit(settings: Settings, **limits: int) -> None:
    settings.OWNER_LIMITS = {**settings.OWNER_LIMITS, **limits}


def submit(owner: User, body: Any = None, path: str = "/tasks") -> HttpResponse:
    raw = json.dumps(body or {"circuit": CIRCUIT}).encode()
    return people.ask("POST", path, people.token(owner), raw)


def refused(response: HttpResponse, name: str, allowed: int, retry_after: str | None) -> None:
    details = error(response, 429, "limit_exceeded")["details"]
    assert details == {"limit": name, "allowed": allowed}
    assert response.get("Retry-After") == retry_after


def test_pending_tasks(settings: Settings, ada: User) -> None:
    limit(settings, pending=2)
    people.task_of(ada, Status.PROCESSING)
    people.task_of(ada, Status.COMPLETED)
    assert [submit(ada).status_code for _ in range(2)] == [202, 202]
    refused(submit(ada), "pending", 2, "10")
    people.ask("POST", f"/tasks/{Task.objects.latest('task_id').pk}/cancel", people.token(ada))
    assert submit(ada).status_code == 202


def test_submissions_in_a_minute(settings: Settings, ada: User) -> None:
    limit(settings, per_minute=2)
    people.task_of(ada, submitted_at=people.ago(seconds=61))
    people.task_of(ada, Status.COMPLETED, submitted_at=people.ago(seconds=30))
    assert submit(ada).status_code == 202
    refused(submit(ada), "per_minute", 2, "60")


def test_shots_and_qubits_for_which_waiting_does_not_help(settings: Settings, ada: User) -> None:
    limit(settings, shots=100, qubits=2)
    assert submit(ada, {"circuit": BELL, "shots": 100}).status_code == 202
    refused(submit(ada, {"circuit": BELL, "shots": 101}), "shots", 100, None)
    for wide in ("OPENQASM 2.0; qreg a[2]; qreg b[1];", "OPENQASM 3.0; qubit a; qubit [ 2 ] b;"):
        refused(submit(ada, {"circuit": wide, "shots": 1}), "qubits", 2, None)


def test_a_batch_counts_as_its_elements_and_is_refused_as_a_whole(
    settings: Settings, ada: User
) -> None:
    limit(settings, pending=3, shots=100)
    batch = {"circuit": CIRCUIT, "shots": 100, "tasks": [{}] * 4}
    refused(submit(ada, batch, "/tasks/batch"), "pending", 3, None)  # waiting will not help
    batch["tasks"] = [{}, {"shots": 101}]
    refused(submit(ada, batch, "/tasks/batch"), "shots", 100, None)
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert (
        submit(ada, {"circuit": CIRCUIT, "shots": 1, "tasks": [{}] * 3}, "/tasks/batch").status_code
        == 202
    )


def test_a_retry_is_a_submission(settings: Settings, ada: User) -> None:
    batch = people.batch_of(ada, Status.FAILED, Status.FAILED)
    limit(settings, pending=1)
    refused(submit(ada, {"x": 1}, f"/batches/{batch.pk}/retry"), "pending", 1, None)
    assert Task.objects.count() == 2


def test_who_retries_for_an_owner_is_charged_nothing(settings: Settings, ada: User) -> None:
    boss = people.user("boss", is_staff=True)
    OwnerLimits.objects.create(owner=boss, pending=1)
    batch = people.batch_of(ada, Status.FAILED, Status.FAILED)
    assert submit(boss, {}, f"/batches/{batch.pk}/retry").status_code == 202
    OwnerLimits.objects.create(owner=ada, pending=1)
    batch = people.batch_of(ada, Status.FAILED)
    refused(
        submit(people.user("chief", is_staff=True), {}, f"/batches/{batch.pk}/retry"),
        "pending",
        1,
        "10",
    )


def test_limits_are_each_owners_own(settings: Settings, ada: User) -> None:
    limit(settings, pending=1)
    assert submit(ada).status_code == submit(people.user("bob")).status_code == 202
    refused(submit(ada), "pending", 1, "10")


def test_an_owner_may_have_more_less_or_no_limit(settings: Settings, ada: User) -> None:
    limit(settings, shots=100)
    bob, eve = people.user("bob"), people.user("eve")
    OwnerLimits.objects.create(owner=ada, shots=1000)
    OwnerLimits.objects.create(owner=bob, shots=0)
    OwnerLimits.objects.create(owner=eve, shots=10)
    assert submit(ada, {"circuit": CIRCUIT, "shots": 1000}).status_code == 202
    refused(submit(ada, {"circuit": CIRCUIT, "shots": 1001}), "shots", 1000, None)
    assert submit(bob, {"circuit": CIRCUIT, "shots": 100_000}).status_code == 202
    refused(submit(eve, {"circuit": CIRCUIT, "shots": 11}), "shots", 10, None)


def test_there_are_none_unless_set(ada: User) -> None:
    assert {submit(ada).status_code for _ in range(20)} == {202}


def test_two_services_on_one_database_share_the_limit(service: Service, tmp_path: Path) -> None:
    people.task_of(None)
    authorization = people.bearer(people.token(people.user("ada")))
    folder = tmp_path / "other"
    folder.mkdir()
    limited = {"API_AUTH": "required", "LIMIT_PER_MINUTE": "5"}
    with Service(folder, env={"DATABASE_URL": database_url()}) as other:
        service.start_api(processes=2, **limited)
        other.start_api(processes=1, **limited)
        both = [service, other] * 6
        answers = [each.post("/tasks", {"circuit": BELL}, **authorization) for each in both]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 7
    assert answers[-1].headers["Retry-After"] == "60"
    assert answers[-1].body["details"] == {"limit": "per_minute", "allowed": 5}
