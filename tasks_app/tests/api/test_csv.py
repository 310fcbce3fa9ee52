"""`GET /tasks/{id}/result?format=csv`: counts for a spreadsheet."""

import csv
import gzip
import io
from typing import Any

import pytest
from django.http import HttpResponse

from tasks_app import lifecycle
from tasks_app.models import Status
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get, unknown_id
from tasks_app.tests.unit.tasks import RESULT, claimed

pytestmark = pytest.mark.django_db


def asked(result: dict[str, Any], query: str = "format=csv", **headers: str) -> HttpResponse:
    task = people.task_of(None)
    lifecycle.complete(claimed(task.task_id), {"shots": 3, "metadata": {}, **result})
    return get(f"/tasks/{task.task_id}/result?{query}", **headers)


def rows(response: HttpResponse) -> list[list[str]]:
    assert response.status_code == 200, response.content
    return list(csv.reader(io.StringIO(response.content.decode(), newline="")))


def test_it_works() -> None:
    response = asked({"counts": {"00 1": 2, "11 0": 1}})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.content == b"outcome,count\r\n00 1,2\r\n11 0,1\r\n"


def test_of_sets_each_line_says_which() -> None:
    sets = [{"counts": {"0": 1, "1": 2}}, {"counts": {}}, {"counts": {"1": 3}}]
    found = rows(asked({"sets": sets}))
    assert found == [["set", "outcome", "count"], ["0", "0", "1"], ["0", "1", "2"], ["2", "1", "3"]]


def test_a_program_that_measures_nothing_has_no_lines() -> None:
    assert rows(asked({"counts": {}})) == [["outcome", "count"]]


@pytest.mark.parametrize(
    "result",
    [
        {"expectation_values": [0.5], "standard_errors": [0.0]},
        {"sets": [{"counts": {"0": 3}}, {"probabilities": {"0": 1.0}}]},
    ],
)
def test_where_there_are_no_counts_it_says_so(result: dict[str, Any]) -> None:
    error(asked(result), 409, "no_counts")


def test_it_is_compressed_and_not_sent_again() -> None:
    counts = {f"{number:010b}": number for number in range(1024)}
    packed = asked({"counts": counts}, **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.content).count(b"\r\n") == 1025
    path = packed.wsgi_request.get_full_path()  # type: ignore[attr-defined]
    again = get(path, **{"If-None-Match": packed["ETag"], "Accept-Encoding": "gzip"})
    assert (again.status_code, again.content) == (304, b"")


def test_accept_asks_for_it_too() -> None:
    response = asked({"counts": {"0": 3}}, "", Accept="text/csv")
    assert response.content == b"outcome,count\r\n0,3\r\n"
    error(asked({}, "", Accept="text/csv"), 409, "no_counts")
    error(asked({}, "", Accept="text/html"), 406, "not_acceptable")


def test_json_is_what_one_gets_by_default() -> None:
    for query in ("format=json", ""):
        response = asked({"counts": RESULT["counts"]}, query)
        assert response["Content-Type"] == "application/json"
        assert response.json()["counts"] == RESULT["counts"]  # type: ignore[attr-defined]


def test_what_is_no_format_is_refused() -> None:
    refused = error(asked({"counts": {}}, "format=xml"), 400, "validation_error")
    assert refused["details"] == {"format": ["Not one of json, csv."]}


@pytest.mark.parametrize("status", [s for s in Status if s != Status.COMPLETED])
def test_without_a_result_it_is_refused_like_json(status: Status) -> None:
    task = people.task_of(None, status)
    error(get(f"/tasks/{task.task_id}/result?format=csv"), 409, "illegal_transition")
    error(get(f"/tasks/{unknown_id()}/result?format=csv"), 404, "not_found")
