"""Names, tags, cancelling and deleting."""

import json
import uuid

import pytest

from tasks_app import lifecycle
from tasks_app.models import TERMINAL, AuditEntry, Batch, Status, StatusHistory, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get, post, send, unknown_id
from tasks_app.tests.unit.tasks import history
from testing.service import Service, alive, eventually

pytestmark = pytest.mark.django_db

# Runs for minutes on any machine, in C++.
LONG = """
OPENQASM 3.0;
include "stdgates.inc";
qubit[24] q;
bit[24] c;
for uint i in [0:4000] { h q; for uint j in [0:22] { cx q[j], q[j + 1]; t q[j]; } }
c = measure q;
"""


def edit(task_id: uuid.UUID, **labels: object) -> dict[str, object]:
    response = send("PATCH", f"/tasks/{task_id}", json.dumps(labels).encode())
    assert response.status_code == 200, response.content[:300]
    body: dict[str, object] = json.loads(response.content)
    return body


# -- names and tags -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_name_and_tags_may_be_changed_in_every_state(status: Status) -> None:
    task = people.task_of(None, status, name="old", tags=["a"])
    before = history(task.task_id)

    body = edit(task.task_id, name="new", tags=["b", "c", "b"])

    assert (body["name"], body["tags"], body["status"]) == ("new", ["b", "c"], status)
    assert history(task.task_id) == before


def test_what_is_not_named_stays() -> None:
    task = people.task_of(None, name="old", tags=["a"])
    assert edit(task.task_id, tags=[])["name"] == "old"
    assert edit(task.task_id, name="")["tags"] == []
    assert edit(task.task_id)["name"] == ""


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"shots": 5}, "shots"),
        ({"name": "x" * 201}, "name"),
        ({"name": None}, "name"),
        ({"tags": "a"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"tags": [str(number) for number in range(33)]}, "tags"),
        ({"tags": ["\x00"]}, "tags"),
    ],
)
def test_nothing_else_may_be_changed(labels: object, field: str) -> None:
    task = people.task_of(None, name="old")
    response = send("PATCH", f"/tasks/{task.task_id}", json.dumps(labels).encode())
    assert field in error(response, 400, "validation_error")["details"]
    assert json.loads(get(f"/tasks/{task.task_id}").content)["name"] == "old"


# -- cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING])
def test_what_has_not_ended_is_cancelled_at_once(status: Status) -> None:
    task = people.task_of(None, status)

    response = post({}, f"/tasks/{task.task_id}/cancel")

    assert response.status_code == 200
    body = json.loads(response.content)
    assert body["status"] == "cancelled"
    assert body["completed_at"] is not None
    assert body["status_history"][-1]["notes"] == "cancelled by an anonymous client"
    assert AuditEntry.objects.get().target == str(task.task_id)


@pytest.mark.parametrize("status", TERMINAL)
def test_what_has_ended_cannot_be_cancelled(status: Status) -> None:
    task = people.task_of(None, status)
    refused = error(post({}, f"/tasks/{task.task_id}/cancel"), 409, "illegal_transition")
    assert refused["details"] == {"status": status}
    assert not AuditEntry.objects.exists()


def test_the_history_names_who_cancelled() -> None:
    ada = people.user("ada")
    task = people.task_of(ada)
    people.ask("POST", f"/tasks/{task.task_id}/cancel", people.token(ada))
    assert history(task.task_id)[-1] == ("cancelled", "cancelled by ada")


def test_a_message_for_a_cancelled_task_finds_nothing_to_do() -> None:
    task = people.task_of(None)
    post({}, f"/tasks/{task.task_id}/cancel")
    assert not lifecycle.claim(worker="w")


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("DELETE", ""), ("PATCH", "")])
def test_an_unknown_task_is_404_and_what_is_no_id_400(method: str, path: str) -> None:
    error(send(method, f"/tasks/{unknown_id()}{path}", b"{}"), 404, "not_found")
    error(send(method, f"/tasks/1{path}", b"{}"), 400, "invalid_task_id")


def test_a_running_simulation_is_killed_and_its_slot_takes_the_next_task(service: Service) -> None:
    service.start_api(processes=1)
    worker = service.start_worker(threads=1)
    before = set(worker.descendants())
    long = service.accepted(LONG, shots=1)
    simulation = eventually(lambda: set(worker.descendants()) - before, what="the task runs")
    waiting = service.accepted()

    cancelled = service.post(f"/tasks/{long}/cancel", {})

    assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
    eventually(lambda: not all(alive(pid) for pid in simulation), what="the child was killed")
    assert service.finished(waiting)["status"] == "completed"
    assert service.task(long)["status"] == "cancelled"
    assert service.task(long)["result"] is None


# -- deleting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", TERMINAL)
def test_what_has_ended_is_deleted_with_its_history(status: Status) -> None:
    task, other = people.task_of(None, status), people.task_of(None, status)

    assert send("DELETE", f"/tasks/{task.task_id}").status_code == 204

    error(get(f"/tasks/{task.task_id}"), 404, "not_found")
    assert Task.objects.get() == other
    assert not StatusHistory.objects.filter(task_id=task.task_id).exists()
    assert AuditEntry.objects.get().action == "task_deleted"


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING])
def test_what_has_not_ended_cannot_be_deleted(status: Status) -> None:
    task = people.task_of(None, status)
    refused = error(send("DELETE", f"/tasks/{task.task_id}"), 409, "illegal_transition")
    assert refused["details"] == {"status": status}
    assert Task.objects.exists()


def test_deleting_twice_is_404() -> None:
    task = people.task_of(None, Status.FAILED)
    send("DELETE", f"/tasks/{task.task_id}")
    error(send("DELETE", f"/tasks/{task.task_id}"), 404, "not_found")


def test_a_batch_goes_with_its_last_element() -> None:
    """Nobody could see it any more, and its circuit would count against its owner's limit."""
    people.batch_of(None, Status.FAILED, Status.COMPLETED)
    for left, task in ((1, 0), (0, 1)):
        send("DELETE", f"/tasks/{Task.objects.get(batch_index=task).task_id}")
        assert Batch.objects.count() == left


def test_the_rest_of_a_batch_stays() -> None:
    batch = people.batch_of(None, Status.FAILED, Status.COMPLETED)
    first = Task.objects.get(batch_index=0)
    send("DELETE", f"/tasks/{first.task_id}")
    body = json.loads(get(f"/batches/{batch.batch_id}").content)
    assert (body["size"], [each["index"] for each in body["tasks"]]) == (2, [1])
