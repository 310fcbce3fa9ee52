"""What was submitted, given back as it can be submitted again; and tasks that run others again."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tasks_app import access
from tasks_app.models import OwnerLimits, Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, get, post, unknown_id
from tasks_app.tests.api.test_batches import ROTATION
from tasks_app.tests.unit.queues import rung
from testing.service import Service

pytestmark = pytest.mark.django_db

EVERYTHING = {
    "circuit": ROTATION,
    "shots": 77,
    "seed": 0,
    "method": "density_matrix",
    "memory": True,
    "parameters": {"theta": 0.1, "flag": True, "n": 3, "tiny": 5e-324, "huge": 10**300},
    "noise": {"readout": 0.25, "depolarizing_1q": 0},
    "name": "mine",
    "tags": ["b", "a, c"],
}
SETS = {
    "circuit": ROTATION,
    "shots": 1,
    "parameter_sets": [{"theta": 0.5}, {"theta": 2}],
    "observables": [{"Z": 0.5}],
    "precision": 0.01,
    "outputs": ["counts", "statevector"],
}


def accepted(body: Any, path: str = "/tasks") -> str:
    response = post(body, path)
    assert response.status_code == 202, response.content
    return str(json.loads(response.content)["task_id"])


def submission(task_id: object) -> Any:
    response = get(f"/tasks/{task_id}/submission")
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def rerun(task_id: object, changes: Any, **headers: str) -> HttpResponse:
    return post(changes, f"/tasks/{task_id}/rerun", **headers)


# -- what was submitted -------------------------------------------------------------------------


@pytest.mark.parametrize("body", [EVERYTHING, SETS, {"circuit": CIRCUIT, "shots": 3}])
def test_what_was_submitted_is_given_back_and_can_be_submitted_again(body: Any) -> None:
    given = submission(accepted(body))
    assert given == body
    assert submission(accepted(given)) == body


def test_what_was_left_out_is_left_out_but_for_the_shots() -> None:
    assert submission(accepted({"circuit": CIRCUIT})) == {"circuit": CIRCUIT, "shots": 1024}


def test_an_element_of_a_batch_has_the_circuit_and_the_options_that_it_shares() -> None:
    batch = {"circuit": ROTATION, "shots": 5, "tags": ["t"], "name": "of the batch"}
    response = post({**batch, "parameter_sets": [{"theta": 1}]}, "/tasks/batch")
    (task_id,) = json.loads(response.content)["task_ids"]
    assert submission(task_id) == {
        **{"circuit": ROTATION, "shots": 5, "parameters": {"theta": 1}, "tags": ["t"]}
    }


@pytest.mark.parametrize("path", ["submission", "rerun"])
def test_an_unknown_task_is_404_and_what_is_no_id_400(path: str) -> None:
    ask = get if path == "submission" else (lambda where: post({}, where))
    error(ask(f"/tasks/{unknown_id()}/{path}"), 404, "not_found")
    error(ask(f"/tasks/nonsense/{path}"), 400, "invalid_task_id")


# -- running it again ---------------------------------------------------------------------------


def test_it_runs_again_as_it_was(empty_queue: None) -> None:
    origin = accepted(EVERYTHING)
    again = accepted({}, f"/tasks/{origin}/rerun")

    assert submission(again) == EVERYTHING
    assert [str(task_id) for task_id in rung()] == [origin, again]
    told = json.loads(get(f"/tasks/{again}").content)
    listed = json.loads(get("/tasks").content)["results"]
    assert told["rerun_of"] == origin
    assert {task["task_id"]: task["rerun_of"] for task in listed} == {again: origin, origin: None}


def test_what_is_given_is_changed_and_null_leaves_out() -> None:
    changes = {"shots": 5, "seed": None, "noise": None, "method": "automatic", "tags": ["again"]}
    again = submission(accepted(changes, f"/tasks/{accepted(EVERYTHING)}/rerun"))
    kept = {name: EVERYTHING[name] for name in ("circuit", "memory", "parameters", "name")}
    assert again == kept | {"shots": 5, "method": "automatic", "tags": ["again"]}


def test_one_set_of_parameters_may_become_many() -> None:
    origin = accepted({"circuit": ROTATION, "parameters": {"theta": 1}})
    sets = {"parameter_sets": [{"theta": 1}, {"theta": 2}]}
    refused = error(rerun(origin, sets), 400, "validation_error")
    assert list(refused["details"]) == ["parameter_sets"]
    again = accepted(sets | {"parameters": None}, f"/tasks/{origin}/rerun")
    assert submission(again) == {"circuit": ROTATION, "shots": 1024, **sets}


@pytest.mark.parametrize("status", Status)
def test_it_does_not_matter_what_became_of_the_first(status: Status) -> None:
    task = people.task_of(None, status)
    assert rerun(task.task_id, {}).status_code == 202


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shots": 0}, "shots"),
        ({"shots": "5"}, "shots"),
        ({"shot": 5}, "shot"),
        ({"circuit": CIRCUIT}, "circuit"),
        ({"circuit": None}, "circuit"),
        ({"circuit_format": "qpy"}, "circuit_format"),
        ({"noise": {"readout": 2}}, "noise"),
        ([], "non_field_errors"),
        ("x", "non_field_errors"),
    ],
)
def test_what_cannot_be_is_refused_by_name(empty_queue: None, changes: Any, field: str) -> None:
    task = people.task_of(None)
    refused = error(rerun(task.task_id, changes), 400, "validation_error")
    assert list(refused["details"]) == [field]
    assert Task.objects.count() == 1


def test_its_key_makes_it_once(empty_queue: None) -> None:
    task = people.task_of(None)
    first, again = (rerun(task.task_id, {"shots": 2}, **{"Idempotency-Key": "k"}) for _ in "12")
    assert again["Idempotent-Replayed"] == "true"
    assert json.loads(first.content)["task_id"] == json.loads(again.content)["task_id"]
    error(
        rerun(task.task_id, {"shots": 3}, **{"Idempotency-Key": "k"}), 409, "idempotency_key_reused"
    )
    assert Task.objects.count() == 2


def test_it_belongs_to_who_asks_and_counts_to_their_limits(settings: Settings) -> None:
    settings.API_AUTH = "required"
    ada, eve = people.user("ada"), people.user("eve", is_staff=True)
    origin = people.task_of(ada).task_id
    OwnerLimits.objects.create(owner=eve, shots=2)

    def asked(who: Any, **changes: Any) -> HttpResponse:
        body = json.dumps(changes).encode()
        return people.ask("POST", f"/tasks/{origin}/rerun", people.token(who), body)

    error(asked(people.user("bob")), 404, "not_found")
    assert error(asked(eve), 429, "limit_exceeded")["details"]["limit"] == "shots"
    made = Task.objects.get(task_id=json.loads(asked(eve, shots=1).content)["task_id"])
    assert (made.owner, made.rerun_of) == (eve, origin)
    assert not access.visible_tasks(ada).filter(task_id=made.task_id).exists()


def test_its_origin_may_be_deleted() -> None:
    origin = people.task_of(None, Status.FAILED).task_id
    again = accepted({}, f"/tasks/{origin}/rerun")
    Task.objects.filter(task_id=origin).delete()
    assert json.loads(get(f"/tasks/{again}").content)["rerun_of"] == str(origin)


def test_changes_may_be_as_large_as_a_submission(service: Service) -> None:
    service.start_api(processes=1)
    origin = service.accepted()
    parameters = {f"a_long_name_of_a_parameter_{number}": number for number in range(10_000)}
    assert service.post(f"/tasks/{origin}/rerun", {"parameters": parameters}).status == 202
