"""Batches: all or none, in order, with every element's status."""

import json
import uuid
from functools import partial
from typing import Any

import dramatiq
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tasks_app import lifecycle
from tasks_app.models import Batch, Status, StatusHistory, Task
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, get, post, qpy, send, unknown_id
from tasks_app.tests.unit.queues import rung, taken
from tasks_app.tests.unit.tasks import Session, claimed, submitted, together, waiting
from testing.service import Service, eventually

pytestmark = pytest.mark.django_db

ROTATION = """
OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit q;
bit c;
ry(theta) q;
c = measure q;
"""


def submit(body: Any) -> HttpResponse:
    return post(body, "/tasks/batch")


def accepted(body: Any) -> Any:
    response = submit(body)
    assert response.status_code == 202, response.content[:500]
    return json.loads(response.content)


def read(batch_id: object) -> Any:
    response = get(f"/batches/{batch_id}")
    assert response.status_code == 200, response.content[:500]
    return json.loads(response.content)


def finish(task_id: str, *, failed: bool = False) -> None:
    claim = claimed(uuid.UUID(task_id))
    if failed:
        lifecycle.fail(claim, code="bad", message="It is bad.")
    else:
        lifecycle.complete(claim, {"counts": {"0": 3}, "shots": 3, "metadata": {}})


# -- submitting ---------------------------------------------------------------------------------


def test_a_thousand_elements_are_stored_and_rung_for_in_order(empty_queue: None) -> None:
    shots = list(range(1, 1001))
    body = accepted({"circuit": CIRCUIT, "tasks": [{"shots": each} for each in shots]})

    tasks = list(Task.objects.order_by("batch_index"))
    assert body["task_ids"] == [str(task.task_id) for task in tasks]
    assert [task.shots for task in tasks] == shots
    assert [task.batch_index for task in tasks] == list(range(1000))
    assert {str(task.batch_id) for task in tasks} == {body["batch_id"]}
    assert len({task.submitted_at for task in tasks}) == 1
    assert StatusHistory.objects.count() == 1000
    assert rung() == [task.task_id for task in tasks]


def test_a_shared_circuit_is_stored_once_and_run_by_each(empty_queue: None) -> None:
    mine = CIRCUIT + "// mine"
    body = accepted({"circuit": CIRCUIT, "tasks": [{}, {"circuit": mine}, {"shots": 2}]})

    assert Batch.objects.get().circuit == CIRCUIT
    assert [task.circuit for task in Task.objects.order_by("batch_index")] == [None, mine, None]
    claims = [claimed(uuid.UUID(each)) for each in body["task_ids"]]
    assert [claim.circuit for claim in claims] == [CIRCUIT, mine, CIRCUIT]
    lifecycle.fail(claims[0], code="bad", message="It is bad.")
    again = json.loads(post({}, f"/batches/{body['batch_id']}/retry").content)
    assert claimed(uuid.UUID(again["task_ids"][0])).circuit == CIRCUIT


def test_a_circuit_that_no_element_needs_is_not_stored() -> None:
    accepted({"circuit": CIRCUIT, "tasks": [{"circuit": CIRCUIT + "//"}]})
    assert Batch.objects.get().circuit is None


def test_a_shared_circuit_cannot_be_changed() -> None:
    accepted({"circuit": CIRCUIT, "tasks": [{}]})
    with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
        Batch.objects.update(circuit="x")
    with pytest.raises(IntegrityError, match="task_has_a_circuit"), transaction.atomic():
        submitted(circuit=None, shots=1, correlation_id="c")


def test_what_a_batch_would_store_is_bounded(settings: Settings) -> None:
    body = {"circuit": CIRCUIT, "name": "n", "parameters": {"theta": 1.5}, "tasks": [{}] * 1000}
    accepted(body)
    settings.MAX_SUBMISSION_BYTES = 10_000

    told = error(submit(body), 413, "batch_too_large")

    assert told["details"]["tasks"]["max_bytes"] == 10_000
    assert Batch.objects.count() == 1
    settings.MAX_SUBMISSION_BYTES = told["details"]["tasks"]["bytes"]
    accepted(body)


def test_elements_share_defaults_and_may_differ() -> None:
    shared = {"circuit": CIRCUIT, "shots": 7, "seed": 1, "tags": ["t"], "name": "sweep"}
    mine = {"circuit": CIRCUIT + "//", "shots": 8, "tags": [], "name": "odd", "memory": True}
    body = accepted({**shared, "tasks": [{}, mine]})

    first, second = Task.objects.order_by("batch_index")
    assert (first.program, first.shots, first.seed, first.tags) == (CIRCUIT, 7, 1, ["t"])
    assert (first.name, first.options) == ("", {})
    assert (second.program, second.shots, second.seed, second.tags) == (CIRCUIT + "//", 8, 1, [])
    assert (second.name, second.options) == ("odd", {"memory": True})
    assert read(body["batch_id"])["name"] == "sweep"


def test_the_format_is_that_of_the_circuit_that_an_element_has(empty_queue: None) -> None:
    file = qpy()
    tasks = [{}, {"circuit": CIRCUIT, "circuit_format": "openqasm"}]
    accepted({"circuit": file, "circuit_format": "qpy", "tasks": tasks})
    first, second = Task.objects.order_by("batch_index")
    assert first.options == {"circuit_format": "qpy"}
    assert Batch.objects.get().circuit == file
    assert (second.circuit, second.options) == (CIRCUIT, {"circuit_format": "openqasm"})
    wrong = {"tasks": [{"circuit": CIRCUIT}, {"circuit": CIRCUIT, "circuit_format": "qpy"}]}
    body = error(submit(wrong), 400, "validation_error")
    assert "no base64" in body["details"]["tasks"]["1"]["circuit"][0]
    body = error(
        submit({"circuit": CIRCUIT, "tasks": [{"circuit_format": "qpy"}]}), 400, "validation_error"
    )
    assert "no base64" in body["details"]["circuit"][0]


def test_parameter_sets_make_one_element_each() -> None:
    accepted({"circuit": ROTATION, "parameter_sets": [{"theta": 0}, {"theta": 1.5}]})
    options = Task.objects.order_by("batch_index").values_list("options", flat=True)
    assert list(options) == [{"parameters": {"theta": 0}}, {"parameters": {"theta": 1.5}}]


def test_an_integer_of_any_size_is_kept_as_it_is() -> None:
    accepted({"circuit": ROTATION, "parameter_sets": [{"theta": 10**30}]})
    (options,) = Task.objects.values_list("options", flat=True)
    assert options["parameters"]["theta"] == 10**30
    assert type(options["parameters"]["theta"]) is int


def test_the_answer_leads_to_the_batch() -> None:
    response = submit({"tasks": [{"circuit": CIRCUIT}]})
    body = json.loads(response.content)
    assert response["Location"] == f"http://testserver/batches/{body['batch_id']}"
    assert set(body) == {"batch_id", "task_ids", "message", "correlation_id"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"circuit": CIRCUIT, "tasks": []}, "tasks"),
        ({"circuit": CIRCUIT, "tasks": [{}] * 1001}, "tasks"),
        ({"circuit": CIRCUIT, "parameter_sets": []}, "parameter_sets"),
        ({"circuit": CIRCUIT, "parameter_sets": [{}] * 1001}, "parameter_sets"),
        ({"circuit": CIRCUIT, "tasks": [{}], "parameter_sets": [{}]}, "tasks"),
        ({"circuit": CIRCUIT}, "tasks"),
        ({"circuit": CIRCUIT, "tasks": {}}, "tasks"),
        ({"circuit": CIRCUIT, "tasks": "x"}, "tasks"),
        ({"circuit": CIRCUIT, "tasks": [{}], "urgency": 1}, "urgency"),
        ({"tasks": [{}]}, "circuit"),
    ],
)
def test_what_is_no_batch_is_refused(empty_queue: None, body: Any, field: str) -> None:
    assert field in error(submit(body), 400, "validation_error")["details"]
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert taken() == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"shots": 0}, "shots"), ({"shot": 1}, "shot"), ({"circuit": " "}, "circuit")],
)
def test_one_bad_element_is_named_and_nothing_is_stored(
    empty_queue: None, wrong: Any, field: str
) -> None:
    refused = error(
        submit({"circuit": CIRCUIT, "tasks": [{}] * 700 + [wrong] + [{}]}), 400, "validation_error"
    )

    assert list(refused["details"]["tasks"]) == ["700"]
    assert list(refused["details"]["tasks"]["700"]) == [field]
    assert "tasks: 700:" in refused["error"]
    assert not Task.objects.exists()
    assert taken() == []


def test_one_bad_parameter_set_is_named() -> None:
    sets = [{"theta": 1}, {"theta": "x"}]
    refused = error(submit({"circuit": ROTATION, "parameter_sets": sets}), 400, "validation_error")
    assert list(refused["details"]["parameter_sets"]) == ["1"]
    assert "parameter_sets: 1: theta:" in refused["error"]


def test_elements_without_a_circuit_are_named() -> None:
    refused = error(submit({"tasks": [{"circuit": CIRCUIT}, {}]}), 400, "validation_error")
    assert refused["details"] == {"circuit": ["Elements without a circuit: [1]."]}


def test_nothing_is_stored_when_the_queue_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)
    error(submit({"circuit": CIRCUIT, "tasks": [{}] * 10}), 503, "queue_unavailable")
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert not StatusHistory.objects.exists()


# -- reading ------------------------------------------------------------------------------------


def test_a_batch_counts_its_elements_and_lists_them_in_order() -> None:
    batch = people.batch_of(None, *Status, Status.FAILED)
    body = read(batch.batch_id)

    assert body["size"] == 6
    assert body["counts"] == {status.value: 1 for status in Status} | {"failed": 2}
    assert [task["index"] for task in body["tasks"]] == [0, 1, 2, 3, 4, 5]
    assert [task["status"] for task in body["tasks"]] == [*Status.values, "failed"]
    assert body["tasks"][5]["error_code"] == "bad"


@pytest.mark.parametrize("path", ["", "/cancel", "/retry"])
def test_an_unknown_batch_is_404_and_what_is_no_id_400(path: str) -> None:
    ask = post if path else (lambda _, where: get(where))
    error(ask({}, f"/batches/{unknown_id()}{path}"), 404, "not_found")
    error(ask({}, f"/batches/nonsense{path}"), 400, "invalid_batch_id")


# -- cancelling ---------------------------------------------------------------------------------


def test_cancelling_a_batch_ends_what_has_not_ended() -> None:
    batch = people.batch_of(None, *Status)

    response = post({}, f"/batches/{batch.batch_id}/cancel")

    assert response.status_code == 200
    counts = json.loads(response.content)["counts"]
    assert counts == {"pending": 0, "processing": 0, "completed": 1, "failed": 1, "cancelled": 3}


def test_cancelling_a_thousand_elements_is_one_request(empty_queue: None) -> None:
    batch_id = accepted({"circuit": CIRCUIT, "tasks": [{}] * 1000})["batch_id"]
    response = post({}, f"/batches/{batch_id}/cancel")
    assert response.status_code == 200, response.content[:300]
    assert json.loads(response.content)["counts"]["cancelled"] == 1000
    assert StatusHistory.objects.filter(status=Status.CANCELLED).count() == 1000


def test_cancelling_twice_changes_nothing() -> None:
    batch = people.batch_of(None, Status.PENDING)
    first, second = (post({}, f"/batches/{batch.batch_id}/cancel") for _ in range(2))
    assert first.content == second.content
    assert StatusHistory.objects.filter(status=Status.CANCELLED).count() == 1


# -- retrying -----------------------------------------------------------------------------------


def test_failed_elements_run_again_in_their_places(empty_queue: None) -> None:
    options = {"memory": True, "method": "statevector"}
    body = accepted(
        {"circuit": CIRCUIT, "seed": 4, "tags": ["t"], "tasks": [{"shots": 1}, {"shots": 2}]}
        | options
    )
    finish(body["task_ids"][0])
    finish(body["task_ids"][1], failed=True)
    rung()

    response = post({}, f"/batches/{body['batch_id']}/retry")

    assert response.status_code == 202
    (again,) = json.loads(response.content)["task_ids"]
    task = Task.objects.get(task_id=again)
    assert (task.shots, task.seed, task.tags, task.options) == (2, 4, ["t"], options)
    assert rung() == [task.task_id]
    elements = read(body["batch_id"])["tasks"]
    assert [element["task_id"] for element in elements] == [body["task_ids"][0], again]
    assert [element["status"] for element in elements] == ["completed", "pending"]
    assert json.loads(get(f"/tasks/{body['task_ids'][1]}").content)["status"] == "failed"


def test_an_element_that_failed_again_may_be_retried_again() -> None:
    body = accepted({"circuit": CIRCUIT, "tasks": [{}]})
    finish(body["task_ids"][0], failed=True)
    for _ in range(2):
        response = post({}, f"/batches/{body['batch_id']}/retry")
        (again,) = json.loads(response.content)["task_ids"]
        finish(again, failed=True)
    assert read(body["batch_id"])["tasks"][0]["task_id"] == again
    assert Task.objects.count() == 3


def test_a_retry_is_repeated_by_its_key_alone(empty_queue: None) -> None:
    batch = people.batch_of(None, Status.FAILED, Status.COMPLETED, Status.FAILED)
    path, key = f"/batches/{batch.batch_id}/retry", {"Idempotency-Key": "again"}

    first, second = post({}, path, **key), post({}, path, **key)

    assert first.status_code == second.status_code == 202
    assert second["Idempotent-Replayed"] == "true"
    ids = json.loads(first.content)["task_ids"]
    assert json.loads(second.content)["task_ids"] == ids
    assert {str(task_id) for task_id in rung()} == set(ids)
    assert Task.objects.count() == 5
    refused = error(post({"shots": 1}, path), 400, "validation_error")
    assert list(refused["details"]) == ["shots"]


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_on_retry_one_runs_everything(empty_queue: None) -> None:
    batch = people.batch_of(None, Status.FAILED, Status.FAILED)
    clicks = together(*[partial(post, {}, f"/batches/{batch.batch_id}/retry")] * 2)
    assert sorted(click.status_code for click in clicks) == [202, 409]
    assert Task.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_who_deletes_the_last_task_of_a_batch_waits_for_its_retry(empty_queue: None) -> None:
    """Else the batch would have to go while a new task in it is being stored."""
    ada = people.user("ada")
    batch = people.batch_of(ada, Status.FAILED)
    failed = Task.objects.get().task_id
    retrying, deleting = Session(), Session()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=ada.pk)  # for whom the new task's commit waits
        retried = retrying.start(partial(post, {}, f"/batches/{batch.batch_id}/retry"))
        eventually(waiting, what="the retry waits with its commit")
        deleted = deleting.start(partial(send, "DELETE", f"/tasks/{failed}"))
        eventually(lambda: waiting() == 2, what="the deletion waits for the retry")
    assert (retried().status_code, deleted().status_code) == (202, 204)
    assert Batch.objects.get() == batch == Task.objects.get().batch
    retrying.close()
    deleting.close()


def test_a_batch_without_failures_has_nothing_to_retry() -> None:
    batch = people.batch_of(None, Status.PENDING, Status.COMPLETED, Status.CANCELLED)
    error(post({}, f"/batches/{batch.batch_id}/retry"), 409, "nothing_to_retry")


# -- with a worker ------------------------------------------------------------------------------


def test_a_sweep_runs_with_every_option(service: Service) -> None:
    service.start_api(processes=1)
    service.start_worker()
    sweep = {"circuit": ROTATION, "shots": 400, "seed": 3}
    angles = [0.0, 3.141592653589793, 1.5707963267948966]

    swept = service.post(
        "/tasks/batch", {**sweep, "parameter_sets": [{"theta": angle} for angle in angles]}
    )
    odd = service.post(
        "/tasks/batch",
        {
            **sweep,
            "tasks": [
                {"parameters": {"theta": 0}, "memory": True, "shots": 5},
                {"parameters": {"theta": 0}, "method": "density_matrix"},
                {"parameters": {"theta": 0}, "noise": {"readout": 1.0}},
                {"circuit": "OPENQASM 3.0; not a gate;"},
            ],
        },
    )
    assert (swept.status, odd.status) == (202, 202), odd

    def all_ended() -> bool:
        batches = [service.get(f"/batches/{a.body['batch_id']}").body for a in (swept, odd)]
        return not any(b["counts"]["pending"] + b["counts"]["processing"] for b in batches)

    eventually(all_ended, what="both batches have ended")
    zero, one, half = (
        service.get(f"/tasks/{task_id}/result").body["counts"] for task_id in swept.body["task_ids"]
    )
    assert zero == {"0": 400}
    assert one == {"1": 400}
    assert 140 < half["0"] < 260
    memory, method, noisy = (
        service.get(f"/tasks/{task_id}/result").body for task_id in odd.body["task_ids"][:3]
    )
    assert memory["memory"] == ["0"] * 5
    assert method["metadata"]["method"] == "density_matrix"
    assert noisy["counts"] == {"1": 400}
    assert service.get(f"/batches/{odd.body['batch_id']}").body["counts"]["failed"] == 1
    again = service.post(f"/batches/{odd.body['batch_id']}/retry", {})
    assert service.finished(again.body["task_ids"][0])["status"] == "failed"
