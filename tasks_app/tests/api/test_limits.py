"""Limits of owners: what is refused, how it is told, and who shares them."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tasks_app import access
from tasks_app.models import Batch, OwnerLimits, RuntimeJob, Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.tasks import RESULT
from testing.service import BELL, PATIENT, Service

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return people.user("ada")


def limit(settings: Settings, **limits: int) -> None:
    settings.OWNER_LIMITS = {**settings.OWNER_LIMITS, **limits}


def submit(owner: User, body: Any = None, path: str = "/tasks") -> HttpResponse:
    raw = json.dumps({"circuit": CIRCUIT} if body is None else body).encode()
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


def test_shots_for_which_waiting_does_not_help(settings: Settings, ada: User) -> None:
    limit(settings, shots=100)
    assert submit(ada, {"circuit": BELL, "shots": 100}).status_code == 202
    refused(submit(ada, {"circuit": BELL, "shots": 101}), "shots", 100, None)


WIDE = [
    "qubit /**/ [3] q;",
    "const int n = 0x1 + 2; qubit[n] q;",
    "qubit a; qubit[2] b;",
]


def test_qubits_are_counted_where_the_program_is_read(service: Service) -> None:
    ada = people.user("ada")
    OwnerLimits.objects.create(owner=ada, qubits=4)
    OwnerLimits.objects.create(owner=people.user("bob"), qubits=0)
    service.start_api(processes=1, API_AUTH="required")
    service.start_worker(threads=1, LIMIT_QUBITS="2")
    tokens = {
        name: people.bearer(people.token(people.user(name))) for name in ("ada", "bob", "eve")
    }

    def outcome(name: str, program: str) -> Any:
        body = {"circuit": f"OPENQASM 3.0; {program}"}
        task_id = service.post("/tasks", body, **tokens[name]).body["task_id"]
        answer = service.get(f"/tasks/{task_id}?wait=60", **tokens[name]).body
        return answer["error_code"] or answer["status"]

    for program in WIDE:
        assert outcome("ada", program) == outcome("bob", program) == "completed", program
        assert outcome("eve", program) == "too_many_qubits", program
    assert outcome("ada", "qubit[5] q;") == "too_many_qubits"
    assert outcome("bob", "qubit[5] q;") == "completed"


def test_bytes_that_are_kept(settings: Settings, ada: User) -> None:
    limit(settings, stored_mb=1)
    large = {"circuit": CIRCUIT + "//" + "x" * 600_000}
    assert [submit(ada, large).status_code for _ in range(2)] == [202, 202]
    access._stored_bytes.cache_clear()
    refused(submit(ada), "stored_mb", 1, None)
    assert submit(people.user("bob")).status_code == 202
    Task.objects.all()[0].delete()
    access._stored_bytes.cache_clear()
    assert submit(ada).status_code == 202


def test_what_batches_share_is_kept_too(settings: Settings, ada: User) -> None:
    limit(settings, stored_mb=1)
    noise = random.Random(1).randbytes(450_000).hex()  # which PostgreSQL cannot make small
    shared = Batch.objects.create(owner=ada, size=1, circuit=f"{CIRCUIT}//{noise}")
    access._stored_bytes.cache_clear()
    assert submit(ada).status_code == 202
    params = {"pubs": random.Random(2).randbytes(450_000).hex()}
    RuntimeJob.objects.create(batch=shared, program="sampler", params=params, parts=[])
    access._stored_bytes.cache_clear()
    refused(submit(ada), "stored_mb", 1, None)


def test_circuits_options_and_results_are_weighed(ada: User) -> None:
    task = people.task_of(ada, circuit=CIRCUIT, options={"memory": True})
    assert task.stored_bytes == len(CIRCUIT) + len('{"memory": true}')
    done = people.task_of(ada, Status.COMPLETED)
    assert done.stored_bytes == len(CIRCUIT) + len("{}") + len(json.dumps(RESULT))
    batch = Batch.objects.create(size=1, circuit=CIRCUIT)
    assert people.task_of(ada, circuit=None, batch=batch, batch_index=0).stored_bytes == 2


def test_who_is_far_from_a_limit_is_not_counted_each_time(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    unsaved = Task(owner=ada, shots=1, circuit=CIRCUIT)
    access.check_limits([unsaved])
    with django_assert_num_queries(0):
        access.check_limits([unsaved])


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
    refused(submit(ada, {}, f"/batches/{batch.pk}/retry"), "pending", 1, None)
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


def test_the_defaults_are_generous(ada: User) -> None:
    assert {submit(ada).status_code for _ in range(20)} == {202}


def test_two_services_on_one_database_share_the_limit(service: Service, tmp_path: Path) -> None:
    people.task_of(None)
    authorization = people.bearer(people.token(people.user("ada")))
    folder = tmp_path / "other"
    folder.mkdir()
    limited = {"API_AUTH": "required", "LIMIT_PER_MINUTE": "5"}
    env = {"DATABASE_URL": database_url(), "GUNICORN_CMD_ARGS": PATIENT}
    with Service(folder, env=env) as other:
        service.start_api(processes=2, **limited)
        other.start_api(processes=1, **limited)
        both = [service, other] * 6
        answers = [each.post("/tasks", {"circuit": BELL}, **authorization) for each in both]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 7
    assert answers[-1].headers["Retry-After"] == "60"
    assert answers[-1].body["details"] == {"limit": "per_minute", "allowed": 5}


@pytest.mark.parametrize(
    ("own", "allowed"), [({}, 5), ({"max_priority": 7}, 7), ({"max_priority": 0}, 0)]
)
def test_priority_goes_as_far_as_ones_limit(
    settings: Settings, ada: User, own: dict[str, int], allowed: int
) -> None:
    limit(settings, max_priority=5)
    OwnerLimits.objects.create(owner=ada, **own)
    for priority in (allowed, 0, -100):
        assert submit(ada, {"circuit": CIRCUIT, "priority": priority}).status_code == 202
    refused(
        submit(ada, {"circuit": CIRCUIT, "priority": allowed + 1}), "max_priority", allowed, None
    )
    batch = {"circuit": CIRCUIT, "tasks": [{}, {"priority": allowed + 1}]}
    refused(submit(ada, batch, "/tasks/batch"), "max_priority", allowed, None)
    assert Task.objects.count() == 3


@pytest.mark.parametrize("priority", [101, -101, "1", 1.5, True, None])
def test_what_is_no_priority_is_refused(ada: User, priority: Any) -> None:
    body = {"circuit": CIRCUIT, "priority": priority}
    assert "priority" in error(submit(ada, body), 400, "validation_error")["details"]
