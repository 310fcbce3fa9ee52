"""What tasks can be run on: told, chosen, and changed by operators."""

import html
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tasks_app import backends, pace
from tasks_app.models import AuditEntry, Backend, Status, Task, Worker
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, get, post

pytestmark = pytest.mark.django_db
LINE = "noisy_line5"


def read(path: str) -> Any:
    response = get(path)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def changed(**fields: Any) -> None:
    Backend.objects.filter(name=LINE).update(**fields)
    backends._known.cache_clear()
    pace._pace_lately.cache_clear()


def submitted(**fields: Any) -> Any:
    return json.loads(post({"circuit": CIRCUIT, "backend": LINE, **fields}).content)["task_id"]


# -- told --------------------------------------------------------------------------------------


def test_all_are_listed_with_how_busy_they_are() -> None:
    Worker.objects.create(worker="w", slots=3, backends=["aer", LINE])
    people.task_of(None, backend=LINE)
    people.task_of(None, Status.PROCESSING, backend=LINE)
    changed(max_shots=500)

    found = {each["name"]: each for each in read("/backends")}

    assert set(found) == {"aer", "noisy_grid16", LINE}
    line = found[LINE]
    assert (line["pending"], line["processing"], line["workers"], line["slots"]) == (1, 1, 1, 3)
    assert (line["kind"], line["online"], line["max_shots"]) == ("aer_device", True, 500)
    assert (line["max_qubits"], found["aer"]["max_qubits"]) == (5, 1024)
    assert found["noisy_grid16"]["workers"] == 0


def test_one_is_told_with_its_gates_and_couplings() -> None:
    line = read(f"/backends/{LINE}")
    assert line["qubits"] == 5
    assert {"cx", "sx", "rz"} <= set(line["basis_gates"])
    assert sorted({tuple(sorted(pair)) for pair in line["coupling_map"]}) == [
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
    ]
    assert len(line["definition"]["qubits"]) == 5
    aer = read("/backends/aer")
    assert [aer[name] for name in ("qubits", "basis_gates", "coupling_map")] == [None] * 3


@pytest.mark.parametrize("name", ["nowhere", "aer%00", "%00", "%ff", "AER", "x" * 2000])
def test_an_unknown_one_is_not_found(name: str) -> None:
    error(get(f"/backends/{name}"), 404, "not_found")
    error(get(f"/runtime/v1/backends/{name}/configuration"), 404, "not_found")


# -- chosen ------------------------------------------------------------------------------------


def test_a_task_runs_where_it_says() -> None:
    task = read(f"/tasks/{submitted()}")
    assert task["backend"] == LINE
    assert read(f"/tasks/{task['task_id']}/submission")["backend"] == LINE
    again = post({}, f"/tasks/{task['task_id']}/rerun")
    assert Task.objects.get(task_id=json.loads(again.content)["task_id"]).backend == LINE


def test_elements_of_a_batch_may_run_in_different_places() -> None:
    body = {"circuit": CIRCUIT, "backend": LINE, "tasks": [{}, {"backend": "aer"}]}
    ids = json.loads(post(body, "/tasks/batch").content)["task_ids"]
    assert [read(f"/tasks/{each}")["backend"] for each in ids] == [LINE, "aer"]


def test_an_unknown_one_is_refused_with_those_that_there_are() -> None:
    body = error(post({"circuit": CIRCUIT, "backend": "ibm_torino"}), 400, "validation_error")
    assert LINE in str(body["details"])


def test_more_shots_than_it_runs_are_refused() -> None:
    changed(max_shots=500)
    for fields in ({"shots": 501}, {}):  # 1,024 unasked
        body = post({"circuit": CIRCUIT, "backend": LINE, **fields})
        assert "at most 500 shots" in str(error(body, 400, "validation_error")["details"])
    assert post({"circuit": CIRCUIT, "backend": LINE, "shots": 500}).status_code == 202
    assert post({"circuit": CIRCUIT, "shots": 501}).status_code == 202
    elements = {"circuit": CIRCUIT, "tasks": [{"shots": 1}, {"backend": LINE}], "shots": 501}
    error(post(elements, "/tasks/batch"), 400, "validation_error")


def test_tasks_of_one_backend_are_listed() -> None:
    there, elsewhere = submitted(), submitted(backend="aer")
    assert [each["task_id"] for each in read(f"/tasks?backend={LINE}")["results"]] == [there]
    assert [each["task_id"] for each in read("/tasks?backend=aer")["results"]] == [elsewhere]
    assert read("/tasks?backend=nowhere")["results"] == []


def test_what_waits_says_what_for() -> None:
    task_id = submitted()

    def message() -> str:
        changed()
        return str(read(f"/tasks/{task_id}")["message"])

    assert message() == f"The task waits: no worker serves the backend {LINE} now."
    Worker.objects.create(worker="w", slots=1, backends=["aer"])
    assert "no worker serves" in message()
    Worker.objects.update(backends=[LINE])
    assert message() == "The task waits for a worker."
    changed(online=False)
    assert message() == f"The task waits until the backend {LINE} is online."


# -- changed by operators ----------------------------------------------------------------------


@pytest.fixture
def superuser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


FORM = {
    **{"name": "mine", "kind": "aer_device", "description": "", "online": "on"},
    **{"max_qubits": "", "max_shots": ""},
}


def save(client: Client, path: str, definition: Any, **fields: str) -> str:
    body = {**FORM, "definition": json.dumps(definition), **fields}
    return client.post(path, body, follow=True).content.decode()


def test_an_operator_makes_one_and_a_wrong_definition_is_refused(superuser: Client) -> None:
    path = "/admin/tasks_app/backend/add/"
    good = {"qubits": [{}], "gates": {"x": [{"qubits": [0]}]}}
    page = save(superuser, path, {**good, "gates": {"x": [{"qubits": [1]}]}})
    assert "gates.x[0]: qubits must be 1 whole number below 1." in page
    assert "is no kind of backend" in save(superuser, path, good, kind="quantum").replace(
        "&#x27;", "'"
    )
    assert not Backend.objects.filter(name="mine").exists()
    save(superuser, path, good)
    assert Backend.objects.get(name="mine").definition == good
    assert AuditEntry.objects.filter(action="backend_made", target="mine").exists()


@pytest.mark.parametrize(
    "definition",
    [
        *("[" * 5_000, "[" * 900 + "]" * 900, '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}'),
        *(r'{"a": "\ud800"}', r'{"\u0000": 1}', "{" * 5_000, "x", "1" * 5_000, "[]", "1"),
    ],
    ids=lambda text: text[:12],
)
def test_a_definition_that_is_none_is_shown_again(superuser: Client, definition: str) -> None:
    response = superuser.post("/admin/tasks_app/backend/add/", {**FORM, "definition": definition})
    assert response.status_code == 200
    assert definition[:1_000] in html.unescape(response.content.decode())
    assert not Backend.objects.filter(name="mine").exists()


def test_an_operator_deletes_only_what_nothing_waits_for(superuser: Client) -> None:
    task = people.task_of(None, backend=LINE)
    path = f"/admin/tasks_app/backend/{LINE}/delete/"
    assert superuser.post(path, {"post": "yes"}).status_code == 403
    people.rewrite(task, current_status=Status.CANCELLED, completed_at=people.ago())
    superuser.post(path, {"post": "yes"})
    assert not Backend.objects.filter(name=LINE).exists()
    assert (
        superuser.post("/admin/tasks_app/backend/aer/delete/", {"post": "yes"}).status_code == 403
    )
