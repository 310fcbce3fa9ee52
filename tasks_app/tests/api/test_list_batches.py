"""`GET /batches`: found by name, tag and time, and what a page costs among many."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tasks_app.models import Batch, Status, Task
from tasks_app.postgresql.base import deadline
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, get, post
from tasks_app.tests.api.test_plans import plan
from tasks_app.tests.unit.tasks import copied
from tasks_app.tests.unit.test_migrations import migrate, names

database = pytest.mark.django_db
BATCHES = 20_000
PAGE = 50


def page(query: str = "") -> Any:
    response = get(query if query.startswith("http") else f"/batches?{query}")
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def ids(query: str = "") -> list[str]:
    return [batch["batch_id"] for batch in page(query)["results"]]


def add(**shared: Any) -> str:
    response = post({"tasks": [{"circuit": CIRCUIT}], **shared}, "/tasks/batch")
    assert response.status_code == 202, response.content
    return str(json.loads(response.content)["batch_id"])


# -- what is found ------------------------------------------------------------------------------


@database
def test_it_works(empty_queue: None) -> None:
    first, second = add(name="one", tags=["a", "b"]), add()
    listed = page()
    assert (listed["next"], listed["previous"]) == (None, None)
    newest, oldest = listed["results"]
    submitted_at = Batch.objects.get(batch_id=first).submitted_at
    assert oldest == {
        **{"batch_id": first, "name": "one", "tags": ["a", "b"], "size": 1},
        "submitted_at": submitted_at.isoformat().replace("+00:00", "Z"),
    }
    assert (newest["batch_id"], newest["name"], newest["tags"]) == (second, "", [])
    assert json.loads(get(f"/batches/{first}").content)["tags"] == ["a", "b"]


@database
def test_filters_must_all_hold(empty_queue: None) -> None:
    first, second = add(name="vqe", tags=["h2", "demo"]), add(name="vqe", tags=["h2"])
    other = add(name="sweep", tasks=[{"circuit": CIRCUIT, "tags": ["h2"]}])
    assert ids("name=vqe") == ids("tag=h2") == [second, first]
    assert ids("tag=h2&tag=demo") == ids("name=vqe&tag=demo") == [first]
    assert ids("name=sweep") == [other]
    assert ids("name=vq") == ids("tag=H2") == []
    at = Batch.objects.get(batch_id=second).submitted_at.isoformat().replace("+00:00", "Z")
    assert ids(f"submitted_before={at}") == [first]
    assert ids(f"submitted_after={at}") == [other]
    assert ids("ordering=submitted_at") == [first, second, other]


@database
def test_pages_follow_one_another_and_back(empty_queue: None) -> None:
    made = [add(name="n") for _ in range(5)]
    found, url = [], "name=n&page_size=2"
    while url:
        last = page(url)
        found += [batch["batch_id"] for batch in last["results"]]
        url = last["next"]
    assert found == made[::-1]
    assert ids(last["previous"]) == made[2:0:-1]
    error(get("/batches?cursor=nonsense"), 404, "not_found")


@database
def test_a_batch_without_tasks_is_not_listed() -> None:
    batch = people.batch_of(None, Status.FAILED)
    assert ids() == [str(batch.batch_id)]
    Task.objects.filter(batch=batch).delete()
    assert ids() == []


@database
def test_ones_own_are_listed_and_staff_sees_all(settings: Settings) -> None:
    settings.API_AUTH = "required"
    ada, bob, eve = (people.user(name, is_staff=name == "eve") for name in ("ada", "bob", "eve"))
    mine, theirs, nobodys = (people.batch_of(who, Status.PENDING) for who in (ada, bob, None))

    def listed(who: Any) -> set[str]:
        body = json.loads(people.ask("GET", "/batches", people.token(who)).content)
        return {batch["batch_id"] for batch in body["results"]}

    assert listed(ada) == {str(mine.batch_id)}
    assert listed(eve) == {str(batch.batch_id) for batch in (mine, theirs, nobodys)}


@database
@pytest.mark.parametrize(
    "query", ["submitted_after=yesterday", "page_size=0", "tag=", "status=failed", "ids=1"]
)
def test_what_is_no_filter_is_refused_by_name(query: str) -> None:
    refused = error(get(f"/batches?{query}"), 400, "validation_error")
    assert list(refused["details"]) == [query.partition("=")[0]]


@pytest.mark.django_db(transaction=True)
def test_batches_of_before_have_the_tags_that_all_their_elements_have(
    own_database: None,
) -> None:
    tagged = [["a", "b"], ["b", "a", "c"]], [["a"], []]
    for each in tagged:
        batch = Batch.objects.create(size=2)
        for index, tags in enumerate(each):
            people.task_of(None, batch=batch, batch_index=index, tags=tags)
    before, this = next(two for two in pairwise(names()) if two[1].endswith("_batches_listed"))
    migrate(before)
    migrate(this)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tags FROM tasks_app_batch ORDER BY batch_id")
        assert cursor.fetchall() == [(["a", "b"],), ([],)]


# -- what a page costs --------------------------------------------------------------------------

COPY = """
INSERT INTO tasks_app_batch (batch_id, owner_id, name, tags, size, submitted_at)
SELECT ('01000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    CASE WHEN n %% 500 = 0 THEN %(few)s WHEN n %% 2 = 0 THEN %(many)s END,
    CASE WHEN n %% 1000 = 0 THEN 'rare' WHEN n %% 3 = 0 THEN 'common' ELSE '' END,
    CASE WHEN n %% 2000 = 0 THEN '{rare,common}'
        WHEN n %% 4 = 0 THEN '{common}' ELSE '{}' END::varchar[],
    1, now() - n * interval '1 second'
FROM generate_series(1, %(batches)s) AS n;
INSERT INTO tasks_app_task
SELECT row.* FROM tasks_app_batch AS batch, tasks_app_task AS first,
    jsonb_populate_record(first, jsonb_build_object(
        'task_id', batch.batch_id, 'batch_id', batch.batch_id, 'batch_index', 0
    )) AS row
"""


@pytest.fixture(scope="module")
def many_batches(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        owners = {name: people.user(name).pk for name in ("few", "many")}
        copied(COPY, {**owners, "batches": BATCHES})
        with deadline(300), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE tasks_app_batch")
        yield
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE tasks_app_task, tasks_app_batch CASCADE")
            cursor.execute("DELETE FROM tasks_app_apitoken")
            cursor.execute("DELETE FROM auth_user")


@database
@pytest.mark.parametrize("who", [None, "few", "many"])
@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            "ordering=submitted_at",
            "{second}",
            "submitted_before={old}",
            "submitted_after={new}",
        ),
        *("name=rare", "name=common", "name=nobody", "tag=rare", "tag=common", "tag=nobody"),
        *("tag=rare&tag=common", "name=rare&tag=common", "name=common&submitted_before={old}"),
    ],
)
def test_a_page_is_read_along_an_index(
    many_batches: None, settings: Settings, who: str | None, query: str
) -> None:
    settings.API_AUTH = "required" if who else "open"
    headers = people.bearer(people.token(people.user(who))) if who else {}
    batches = Batch.objects.order_by("submitted_at")
    first = json.loads(get("/batches", **headers).content)
    query = query.format(
        old=batches[1000].submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        new=batches.reverse()[1000].submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        second=str(first["next"]).partition("?")[2],
    )
    with CaptureQueriesContext(connection) as captured:
        response = get(f"/batches?{query}", **headers)
    assert response.status_code == 200, response.content[:300]
    statements = [str(each["sql"]) for each in captured]
    (sql,) = [each for each in statements if 'FROM "tasks_app_batch"' in each]
    nodes = [node for node in plan(sql) if node.get("Relation Name") is not None]
    assert nodes
    assert all(node["Node Type"] != "Seq Scan" for node in nodes), sql
    read = [
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes
    ]
    assert max(read) <= 1_500, sql
