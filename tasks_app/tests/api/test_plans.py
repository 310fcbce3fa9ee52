"""The admin among 100,000 tasks: each page is a walk along one index."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks_app.admin import dashboard, tasks
from tasks_app.models import Batch, Status
from tasks_app.sql import statement
from tasks_app.tests.unit.tasks import copied

pytestmark = pytest.mark.django_db

ROWS = 100_000
LIST = "/admin/tasks_app/task/"
# Copies of one row, so far apart that at no hour more than a tenth is of today, with ids that carry
# that time as UUIDv7 does, in all states. A trigger would refuse those not born pending.
COPY = f"""
INSERT INTO tasks_app_task
SELECT row.*
FROM tasks_app_task AS first, generate_series(1, {ROWS}) AS n,
    LATERAL (SELECT
        now() - ({ROWS} - n) * interval '8 seconds' AS at,
        CASE n %% 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'processing'
            WHEN 3 THEN 'pending' ELSE 'completed' END AS status
    ) AS new,
    jsonb_populate_record(first, jsonb_build_object(
        'task_id', lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || '70008' || lpad(to_hex(n), 15, '0'),
        'correlation_id', 'run-' || n,
        'owner_id', CASE WHEN n %% 2 = 0 THEN %(owner)s END,
        'batch_id', CASE WHEN n %% 100 = 0 THEN %(batch)s END,
        'name', CASE WHEN n %% 1000 = 0 THEN 'rare' WHEN n %% 3 = 0 THEN 'common' ELSE '' END,
        'tags', CASE WHEN n %% 2000 = 1 THEN '["seldom", "often"]'::jsonb
            WHEN n %% 4 = 1 THEN '["often"]'::jsonb ELSE '[]'::jsonb END,
        'submitted_at', at,
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
        owner = User.objects.create_user("ada")
        batch = Batch.objects.create(size=1)
        copied(COPY, {"owner": owner.pk, "batch": str(batch.pk)})
        yield
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE tasks_app_task, tasks_app_batch CASCADE")
            cursor.execute("DELETE FROM auth_user")


@pytest.fixture
def operator(many_tasks: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def task_queries(client: Client, query: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(LIST + query)
    assert response.status_code == 200
    return [q["sql"] for q in captured if 'FROM "tasks_app_task"' in q["sql"]]


def plan(sql: str) -> list[dict[str, Any]]:
    """The nodes of the query's plan, after running it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (answer,) = cursor.fetchone()
    found = json.loads(answer) if isinstance(answer, str) else answer

    def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node.get("Plans", []):
            yield from nodes(child)

    return list(nodes(found[0]["Plan"]))


def id_of(n: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_id FROM tasks_app_task WHERE correlation_id = %s", [f"run-{n}"])
        return str(cursor.fetchone()[0])


PAGES = {
    "the list": "?",
    "its last page": "?p=100",
    "oldest first": "?o=5",
    **{f"status {status}": f"?current_status__exact={status}" for status in Status},
    "today": "?submitted_at__gte={today}",
    "past 7 days": "?submitted_at__gte={week}&submitted_at__lt={today}",
    "this year": "?submitted_at__gte={year}",
    "failed today": "?submitted_at__gte={today}&current_status__exact=failed",
    "a task id": "?q={id}",
    "the start of a task id": "?q={id:.8}",
    "the short form of a task id": "?q={short}",
    "a correlation id": "?q=run-77777",
    "an unknown correlation id": "?q=nobody",
    "a name that few have": "?q=rare",
    "a name that many have": "?q=common",
    "a tag that few have": "?q=seldom",
    "a tag that many have": "?q=often",
    "a tag of one status": "?q=seldom&current_status__exact=failed",
    "an owner": "?owner={owner}",
    "a batch": "?batch={batch}",
}
COMMON = ("?q=common", "?q=often")


@pytest.mark.parametrize("query", PAGES.values(), ids=PAGES.keys())
def test_every_list_is_read_along_an_index(operator: Client, query: str) -> None:
    task_id = id_of(ROWS // 2)
    of_task = {"id": task_id, "short": f"{task_id[:8]}…{task_id[-4:]}"}
    others = {"owner": User.objects.get(username="ada").pk, "batch": Batch.objects.get().pk}
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    ago = {"today": 0, "week": 7, "year": 365}
    times = {name: quote(str(midnight - timedelta(days=n))) for name, n in ago.items()}
    count, rows = task_queries(operator, query.format(**of_task, **others, **times))
    # What a quarter of the tasks have is found among the others, as far as the list goes.
    most = 4 * tasks.LIST_ROWS if query in COMMON else 1.2 * tasks.LIST_ROWS
    assert re.search(rf"COUNT\(.* LIMIT {tasks.LIST_ROWS}\) ", count)
    for sql in (count, rows):
        for node in plan(sql):
            if node.get("Relation Name") == "tasks_app_task":
                assert node["Node Type"] != "Seq Scan", sql
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            # A status that nearly all tasks have may be filtered while walking along the times.
            assert read <= most, (node["Node Type"], read, sql)


def test_the_list_says_that_it_does_not_reach_the_oldest(operator: Client) -> None:
    assert "The list ends here" in operator.get(LIST).content.decode()
    assert "The list ends here" not in operator.get(LIST + "?q=run-7").content.decode()
    assert operator.get(LIST + "?p=101").headers["Location"].endswith("?e=1")


def test_the_first_page_is_read_along_indexes(operator: Client) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = operator.get("/admin/")
    assert "the 10,000 latest tasks" in response.content.decode()
    # Prepared statements are not among them: /queue's is the one, and this the other.
    lately = statement("lately") % {"most": dashboard.LATEST, "parts": dashboard.PARTS}
    texts = [q["sql"] or "" for q in captured]
    asked = [text for text in texts if re.match('SELECT.*FROM "tasks_app_task"', text)]
    assert len(asked) >= len(Status) + 2
    for text in [lately, *asked]:
        for node in plan(text):
            if node.get("Relation Name") == "tasks_app_task":
                assert node["Node Type"] != "Seq Scan", text
                assert node["Actual Rows"] <= 1.2 * tasks.LIST_ROWS, (node["Node Type"], text)
