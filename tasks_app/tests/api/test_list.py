"""`GET /tasks`: filters, pages that stay put, and what a page costs."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tasks_app import lifecycle
from tasks_app.models import Batch, Status, Task, new_task_id
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, get
from testing.service import Service

pytestmark = pytest.mark.django_db


def page(query: object = "") -> Any:
    """A page: of a query string, a dictionary, or the address in another page."""
    text = urlencode(query, doseq=True) if isinstance(query, dict) else str(query)
    response = get(text if text.startswith("http") else f"/tasks?{text}")
    assert response.status_code == 200, response.content[:300]
    return json.loads(response.content)


def ids(query: object = "") -> list[str]:
    return [task["task_id"] for task in page(query)["results"]]


def walk(query: object = "", *, towards: str = "next") -> Iterator[list[str]]:
    """The ids of every page, one page after the other."""
    while query is not None:
        found = page(query)
        yield [task["task_id"] for task in found["results"]]
        query = found[towards]


def add(**fields: Any) -> str:
    return str(people.task_of(None, **fields).task_id)


def batch(size: int) -> list[str]:
    """Ids of a new batch's tasks, newest first: all have one time of submission."""
    made = Batch.objects.create(size=size)
    tasks = [
        Task(circuit=CIRCUIT, shots=1, correlation_id="b", batch=made, batch_index=index)
        for index in range(size)
    ]
    lifecycle.submit(tasks)
    return [str(task.task_id) for task in reversed(tasks)]


# -- order and pages ----------------------------------------------------------------------------


def test_the_newest_task_comes_first_and_the_oldest_if_asked() -> None:
    made = [add(submitted_at=people.ago(minutes=minutes)) for minutes in (3, 2, 1)]
    assert ids() == ids("ordering=-submitted_at") == made[::-1]
    assert ids("ordering=submitted_at") == made


def test_a_summary_has_no_circuit_and_no_result() -> None:
    add(status=Status.COMPLETED)
    (task,) = page()["results"]
    assert set(task) == {
        *("task_id", "status", "name", "tags", "batch_id", "shots", "backend", "priority"),
        *("submitted_at", "started_at", "completed_at", "error_code", "rerun_of"),
    }


@pytest.mark.parametrize("ordering", ["submitted_at", "-submitted_at"])
def test_pages_go_over_a_thousand_equal_times_without_gap_or_repetition(ordering: str) -> None:
    made = batch(1000)
    order = made if ordering.startswith("-") else made[::-1]
    pages = list(walk({"ordering": ordering, "page_size": 300}))
    assert [len(each) for each in pages] == [300, 300, 300, 100]
    assert [task_id for each in pages for task_id in each] == order


def test_pages_stay_put_while_tasks_arrive() -> None:
    made = [add(submitted_at=people.ago(minutes=minutes)) for minutes in range(9, 0, -1)][::-1]
    first = page("page_size=3")
    for _ in range(5):
        add()
    rest = [task_id for each in walk(first["next"]) for task_id in each]
    assert [task["task_id"] for task in first["results"]] + rest == made


@pytest.mark.parametrize("ordering", ["submitted_at", "-submitted_at"])
@pytest.mark.parametrize("change", ["delete", "retag"])
def test_what_becomes_of_rows_already_seen_costs_no_others(ordering: str, change: str) -> None:
    made = [*batch(25), add(tags=["x"])]
    Task.objects.update(tags=["x"])
    seen: list[str] = []
    query: Any = {"ordering": ordering, "page_size": 10, "tag": "x"}
    while query is not None:
        found = page(query)
        new = [task["task_id"] for task in found["results"]]
        gone = Task.objects.filter(task_id__in=new)
        gone.delete() if change == "delete" else gone.update(tags=[])
        seen += new
        query = found["next"]
    assert sorted(seen) == sorted(made)


def test_going_back_over_equal_times_is_the_way_one_came() -> None:
    batch(25)
    there = list(walk("page_size=10"))
    last = page(page(page("page_size=10")["next"])["next"])
    back = list(walk(last["previous"], towards="previous"))
    assert [[task["task_id"] for task in last["results"]], *back] == there[::-1]


def test_one_can_go_back() -> None:
    made = [add(submitted_at=people.ago(minutes=minutes)) for minutes in range(1, 7)]
    second = page(page("page_size=2")["next"])
    assert [task["task_id"] for task in second["results"]] == made[2:4]
    assert ids(second["previous"]) == made[:2]


def test_pages_keep_their_filters() -> None:
    wanted = {add(tags=["a"]) for _ in range(5)}
    add()
    pages = list(walk("tag=a&page_size=2"))
    assert len(pages) == 3
    assert {task_id for each in pages for task_id in each} == wanted


def test_a_page_has_50_tasks_unless_asked_otherwise() -> None:
    batch(501)
    assert len(ids()) == 50
    assert len(ids("page_size=1")) == 1
    assert len(ids("page_size=500")) == 500


# -- filters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_by_status(status: Status) -> None:
    made = {each: add(status=each) for each in Status}
    assert ids(f"status={status}") == [made[status]]


def test_by_several_statuses_however_they_are_written() -> None:
    made = {add(status=status) for status in (Status.FAILED, Status.CANCELLED)}
    add()
    assert set(ids("status=failed&status=cancelled")) == made
    assert set(ids("status=failed,cancelled")) == made


def test_what_was_stored_with_spaces_is_found_with_them() -> None:
    spaced = add(name=" spaced ", tags=[" lead"])
    add(name="spaced", tags=["lead"])
    assert ids({"name": " spaced "}) == ids({"tag": " lead"}) == [spaced]


def test_by_tags_which_must_all_be_there() -> None:
    both = add(tags=["a", "b"])
    add(tags=["a"])
    add(tags=["b", "ä c"])
    add()
    comma = add(tags=["a,b"])
    assert ids("tag=a&tag=b") == [both]
    assert ids("tag=a,b") == [comma]
    assert len(ids("tag=b")) == 2
    assert len(ids(f"tag={quote('ä c')}")) == 1
    assert ids("tag=A") == []


def test_by_name() -> None:
    made = add(name="VQE run 1")
    add(name="VQE run 10")
    assert ids({"name": "VQE run 1"}) == [made]


def test_by_batch() -> None:
    batch(2)
    made = batch(3)
    assert ids({"batch_id": Task.objects.get(task_id=made[0]).batch_id}) == made


def test_by_time_of_submission() -> None:
    made = [add(submitted_at=people.ago(hours=hours)) for hours in (1, 2, 3)]
    times = [task["submitted_at"] for task in page()["results"]]
    assert ids({"submitted_after": times[1]}) == made[:1]
    assert ids({"submitted_before": times[1]}) == made[2:]
    assert ids({"submitted_after": times[2], "submitted_before": times[0]}) == made[1:2]
    assert ids({"submitted_after": people.ago(hours=1.5).isoformat()}) == made[:1]


def test_by_several_things_at_once() -> None:
    wanted = add(status=Status.FAILED, tags=["a"], name="n")
    add(status=Status.FAILED, tags=["a"])
    add(tags=["a"], name="n")
    assert ids("status=failed&tag=a&name=n") == [wanted]


def test_by_ids_in_every_spelling_of_a_list() -> None:
    made = [add() for _ in range(4)]
    assert set(ids(f"ids={made[0]},{made[1]}&ids={made[2]}&ids={new_task_id()}")) == set(made[:3])


def test_500_ids_in_one_request_over_http(service: Service) -> None:
    service.start_api(processes=1)
    made = batch(500)
    answer = service.get(f"/tasks?ids={','.join(made)}")
    assert answer.status == 200, answer
    assert [task["task_id"] for task in answer.body["results"]] == made
    too_many = service.get(f"/tasks?ids={','.join([*made, str(new_task_id())])}")
    assert (too_many.status, too_many.body["code"]) == (400, "validation_error")
    assert "500" in too_many.body["error"]


def test_a_filter_that_matches_nothing_is_an_empty_page() -> None:
    add()
    assert page("tag=x") == {"next": None, "previous": None, "results": []}


# -- what a page costs --------------------------------------------------------------------------


def test_a_page_is_one_query_that_neither_counts_nor_reads_circuits_and_results() -> None:
    batch(60)
    for query in ("", "page_size=2", "status=pending", "page_size=50&ordering=submitted_at"):
        with CaptureQueriesContext(connection) as captured:
            assert page(query)["results"]
        (sql,) = [each["sql"] for each in captured]
        assert "COUNT" not in sql
        assert '"circuit"' not in sql
        assert '"result"' not in sql


def test_with_a_token_a_page_is_two_queries_however_long(settings: Settings) -> None:
    settings.API_AUTH = "required"
    ada = people.user("ada")
    for _ in range(5):
        people.task_of(ada, Status.FAILED)
    token = people.token(ada)
    for size in (1, 5):
        with CaptureQueriesContext(connection) as captured:
            response = people.ask("GET", f"/tasks?page_size={size}", token)
        assert len(json.loads(response.content)["results"]) == size
        assert len(captured) == 2


def test_another_owners_ids_are_not_listed(settings: Settings) -> None:
    settings.API_AUTH = "required"
    theirs = people.task_of(people.user("bob")).task_id
    token = people.token(people.user("ada"))
    response = people.ask("GET", f"/tasks?ids={theirs}", token)
    assert json.loads(response.content)["results"] == []
