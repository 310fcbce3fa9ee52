"""GET /tasks/{task_id}: a task in each of its states."""

import json
from datetime import datetime
from typing import Any

import pytest

from tasks_app import lifecycle
from tasks_app.models import TERMINAL, Status
from tasks_app.tests.api.client import error, get, send, unknown_id
from tasks_app.tests.unit.tasks import RESULT, claimed, in_state, pending

pytestmark = pytest.mark.django_db

CONTRACT = {
    *("task_id", "status", "submitted_at", "completed_at", "shots", "result", "error_message"),
    *("error_code", "status_history", "message", "correlation_id"),
}
PATHS = {
    Status.PENDING: ["pending"],
    Status.PROCESSING: ["pending", "processing"],
    Status.COMPLETED: ["pending", "processing", "completed"],
    Status.FAILED: ["pending", "processing", "failed"],
    Status.CANCELLED: ["pending", "cancelled"],
}


def read(task_id: Any) -> dict[str, Any]:
    response = get(f"/tasks/{task_id}")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


@pytest.mark.parametrize("status", Status)
def test_a_task_shows_its_state_and_history(status: Status) -> None:
    task_id = in_state(status)

    body = read(task_id)

    assert set(body) >= CONTRACT
    assert (body["task_id"], body["status"], body["shots"]) == (str(task_id), status, 3)
    assert [entry["status"] for entry in body["status_history"]] == PATHS[status]
    assert all(set(e) == {"status", "transitioned_at", "notes"} for e in body["status_history"])
    times = [datetime.fromisoformat(e["transitioned_at"]) for e in body["status_history"]]
    assert times == sorted(times)
    assert all(e["transitioned_at"].endswith("Z") for e in body["status_history"])
    assert (body["completed_at"] is not None) == (status in TERMINAL)
    assert (body["result"] is not None) == (status == Status.COMPLETED)
    assert (body["error_code"] is not None) == (status == Status.FAILED)
    assert (body["error_message"] is not None) == (status == Status.FAILED)
    assert body["message"]


def test_a_completed_task_shows_its_result() -> None:
    assert read(in_state(Status.COMPLETED))["result"] == RESULT


def test_a_failed_task_says_why() -> None:
    body = read(in_state(Status.FAILED))
    assert (body["error_code"], body["error_message"]) == ("bad", "It is bad.")


def test_every_attempt_is_in_the_history_without_its_workers_host() -> None:
    task_id = pending()
    for name in ("node-7.cluster:412:first", "second"):
        claim = claimed(task_id, worker=name)
        lifecycle.hand_back(claim, reason="restart", count_attempt=False)

    notes = [entry["notes"] for entry in read(task_id)["status_history"]]

    assert notes[1:3] == ["attempt 1 on first", "attempt 1 handed back: restart"]
    assert "attempt 2 on second" in notes[3]


def test_the_correlation_id_is_that_of_the_submission_not_of_the_reading() -> None:
    task_id = pending(correlation_id="of-submission")
    response = get(f"/tasks/{task_id}", **{"X-Correlation-ID": "of-reading"})
    assert json.loads(response.content)["correlation_id"] == "of-submission"
    assert response["X-Correlation-ID"] == "of-reading"


def test_the_circuit_is_not_sent_back() -> None:
    assert b"SENTINEL" not in get(f"/tasks/{pending('// SENTINEL')}").content


def test_a_trailing_slash_and_capitals_make_no_difference() -> None:
    task_id = pending()
    assert read(f"{task_id}/")["task_id"] == str(task_id)
    assert read(str(task_id).upper())["task_id"] == str(task_id)


def test_head_is_get_without_a_body() -> None:
    response = send("HEAD", f"/tasks/{pending()}")
    assert (response.status_code, response.content) == (200, b"")
    assert response["X-Correlation-ID"]


def test_an_unknown_id_is_not_found() -> None:
    error(get(f"/tasks/{unknown_id()}"), 404, "not_found")


@pytest.mark.parametrize(
    "malformed",
    [
        "x",
        "0",
        "null",
        "018f",
        "%00",
        "%F0%9F%98%80",
        "a" * 2000,
        "018f5b6e-0000-7000-8000-00000000000",
        "018f5b6e-0000-7000-8000-0000000000000",
        "018f5b6e-0000-7000-8000-00000000000g",
        "018f5b6e-0000-7000-8000-000000000000%0A",
        "%20018f5b6e-0000-7000-8000-000000000000",
        "018f5b6e000070008000000000000000",
        "urn:uuid:018f5b6e-0000-7000-8000-000000000000",
        "{018f5b6e-0000-7000-8000-000000000000}",
        "0_8f5b6e000070008000000000000000",
        "%EF%BC%91%EF%BC%918f5b6e-0000-7000-8000-000000000000",
        "1'%20OR%20'1'='1",
    ],
)
def test_a_malformed_id_is_refused(malformed: str) -> None:
    error(get(f"/tasks/{malformed}"), 400, "invalid_task_id")
