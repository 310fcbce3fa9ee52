"""`GET /tasks` among 200,000 tasks: every page is a walk along an index."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tasks_app import access
from tasks_app.api import read_task
from tasks_app.models import Batch, Status, Task
from tasks_app.postgresql.base import deadline
from tasks_app.tests.api.client import get
from tasks_app.tests.api.test_plans import plan
from tasks_app.tests.unit.tasks import copied

pytestmark = pytest.mark.django_db

ROWS = 200_000
PAGE = 50
# Copies of one row, a second apart: most completed, some of every state, two owners, few tags.
COPY = f"""
INSERT INTO tasks_app_task
SELECT row.*
FROM tasks_app_task AS first, generate_series(1, {ROWS}) AS n,
    LATERAL (SELECT
        now() - ({ROWS} - n) * interval '1 second' AS at,
        CASE n %% 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'processing'
            WHEN 3 THEN 'pending' ELSE 'completed' END AS status
    ) AS new,
    jsonb_populate_record(first, jsonb_build_object(
        'task_id', lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || '70008' || lpad(to_hex(n), 15, '0'),
        'owner_id', CASE WHEN n %% 500 = 0 THEN %(few)s WHEN n %% 2 = 0 THEN %(many)s END,
        'batch_id', CASE WHEN n %% 400 = 0 THEN %(batch)s END,
        'batch_index', CASE WHEN n %% 400 = 0 THEN n / 400 END,
        'name', CASE WHEN n %% 1000 = 0 THEN 'rare' WHEN n %% 3 = 0 THEN 'common' ELSE '' END,
        'tags', CASE WHEN n %% 2000 = 0 THEN '["rare", "common"]'::jsonb
            WHEN n %% 200 = 0 THEN '["seldom", "common"]'::jsonb
            WHEN n %% 4 = 0 THEN '["common"]'::jsonb ELSE '[]'::jsonb END,
        'submitted_at', at,
        'enqueued_at', at,
        'current_status', status,
        'attempt', (status <> 'pending')::int,
        'started_at', CASE WHEN status <> 'pending' THEN at END,
        'completed_at', CASE WHEN status NOT IN ('pending', 'processing') THEN at END,
        'lease_expires_at', CASE WHEN status = 'processing' THEN at END,
        'result', CASE WHEN status = 'completed' THEN '{{}}'::jsonb END,
        'error_code', CASE WHEN status = 'failed' THEN 'syntax_error' END,
        'error_message', CASE WHEN status = 'failed' THEN 'wrong' END
    )) AS row
"""


@pytest.fixture(scope="module")
def many_tasks(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        owners = {name: User.objects.create_user(name).pk for name in ("few", "many")}
        batch = Batch.objects.create(size=1)
        copied(COPY, {**owners, "batch": str(batch.pk)}).delete()
        with deadline(300), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE tasks_app_task")
        yield
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE tasks_app_task, tasks_app_batch CASCADE")
        User.objects.all().delete()


QUERIES = {
    "no filter": "",
    "the second page": "{second}",
    "oldest first": "ordering=submitted_at",
    **{f"status {status}": f"status={status}" for status in Status},
    "two statuses": "status=pending,failed",
    "a rare tag": "tag=rare",
    "a tag between": "tag=seldom",
    "a common tag": "tag=common",
    "two tags": "tag=rare&tag=common",
    "a rare name": "name=rare",
    "a common name": "name=common",
    "an unknown name": "name=nobody's",
    "a batch": "batch_id={batch}",
    "after a time long ago": "submitted_after={old}",
    "after a time just now": "submitted_after={new}",
    "before a time long ago": "submitted_before={old}",
    "before a time just now": "submitted_before={new}",
    "a time and a status": "submitted_before={old}&status=failed",
    "ids": "ids={ids}",
}


def statement(query: str, **headers: str) -> str:
    """The one query on tasks behind a page."""
    with CaptureQueriesContext(connection) as captured:
        response = get(f"/tasks?{query}", **headers)
    assert response.status_code == 200, response.content[:300]
    statements = [str(each["sql"]) for each in captured]
    (sql,) = [each for each in statements if 'FROM "tasks_app_task"' in each]
    return sql


def rows_read(sql: str) -> int:
    """Rows that the plan's widest step read from the table, which may not be read as a whole."""
    nodes = [node for node in plan(sql) if node.get("Relation Name") == "tasks_app_task"]
    assert nodes
    assert all(node["Node Type"] != "Seq Scan" for node in nodes), sql
    return max(int(n["Actual Rows"] + n.get("Rows Removed by Filter", 0)) for n in nodes)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_page_is_read_along_an_index(many_tasks: None, query: str) -> None:
    tasks = Task.objects.order_by("submitted_at")
    of_tasks = {
        "batch": Batch.objects.get().batch_id,
        "old": tasks[1000].submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "new": tasks.reverse()[1000].submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ids": ",".join(str(each) for each in tasks.values_list("pk", flat=True)[:500]),
        "second": get("/tasks").json()["next"].partition("?")[2],  # type: ignore[attr-defined]
    }
    sql = statement(query.format(**of_tasks))
    # A page of what is common is found on the way; what is rare is fetched whole and sorted.
    assert rows_read(sql) <= 3_000, sql


@pytest.mark.parametrize("name", ["few", "many"])
@pytest.mark.parametrize("query", ["", "status=completed", "tag=rare", "submitted_before={old}"])
def test_an_owners_page_is_read_along_an_index(
    many_tasks: None, settings: Settings, name: str, query: str
) -> None:
    settings.API_AUTH = "required"
    _, token = access.create_token(User.objects.get(username=name), label="t")
    old = Task.objects.order_by("submitted_at")[1000].submitted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    sql = statement(query.format(old=old), Authorization=f"Bearer {token}")
    assert rows_read(sql) <= 2_100, sql


@pytest.mark.parametrize("query", ["", "status=failed", "submitted_before={old}"])
def test_a_tag_with_an_index_of_its_own_is_read_in_the_order_of_time(
    many_tasks: None, query: str
) -> None:
    old = Task.objects.order_by("submitted_at")[150_000].submitted_at
    with connection.cursor() as cursor:
        # As docs/operations.md has it.
        cursor.execute(
            "CREATE INDEX tag_seldom ON tasks_app_task (submitted_at)"
            " WHERE tags @> ARRAY['seldom']::varchar(64)[]"
        )
    sql = statement(f"tag=seldom&{query.format(old=old.strftime('%Y-%m-%dT%H:%M:%SZ'))}")
    assert rows_read(sql) <= PAGE + 2, sql  # of 900


def test_a_queue_position_is_counted_along_an_index(many_tasks: None) -> None:
    newest = Task.objects.with_status(Status.PENDING).latest("turn", "task_id")
    assert get(f"/tasks/{newest.task_id}").json()["queue_position"] is None  # type: ignore[attr-defined]
    values = {"max_position": 100, "everything": "true", "owner_id": "NULL"}
    values |= {"usual": "NULL", "share": "NULL"}
    sql = read_task._TASK.replace("::bool", "") % {"task_id": f"'{newest.task_id}'", **values}
    assert rows_read(sql) <= 101
