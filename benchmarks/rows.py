"""Listing, reading and submitting among many tasks, against the same among few.

python -m benchmarks.rows [MANY] [FEW]

Two databases on one PostgreSQL, an API process for each, asked in turn: what else the machine
does slows both alike.
"""

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

from benchmarks.servers import private_servers
from tasks_app.tests.service import BELL, Service

REQUESTS = 100
# Finished tasks a second apart, newest now; of every hundred one is pending, one failed; with ids
# that carry their time as UUIDv7 does. A rare tag and name have 100 of them, however many there
# are. The triggers would refuse what is not born pending.
TASKS = """
INSERT INTO tasks_app_task (
    task_id, circuit, shots, options, name, tags, correlation_id, submitted_at, enqueued_at,
    current_status, attempt, started_at, completed_at, result, error_code, error_message)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    %(circuit)s, 1024, '{}', CASE WHEN n %% (%(rows)s / 100) = 0 THEN 'rare' ELSE '' END,
    CASE WHEN n %% (%(rows)s / 100) = 0 THEN ARRAY['rare'] WHEN n %% 1000 = 1
        THEN ARRAY['thousandth'] WHEN n %% 10 = 0 THEN ARRAY['common'] ELSE '{}' END,
    'row-' || n, at, at, status, (status <> 'pending')::int,
    CASE WHEN status <> 'pending' THEN at END, CASE WHEN status <> 'pending' THEN at END,
    CASE WHEN status = 'completed'
        THEN '{"counts": {"00": 512, "11": 512}, "shots": 1024, "metadata": {}}'::jsonb END,
    CASE WHEN status = 'failed' THEN 'syntax_error' END,
    CASE WHEN status = 'failed' THEN 'wrong' END
FROM generate_series(1, %(rows)s) AS n,
    LATERAL (SELECT now() - (%(rows)s - n) * interval '1 second' AS at,
        CASE n %% 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'completed' END AS status
    ) AS new
"""
HISTORY = """
INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
SELECT task_id, status, submitted_at, '' FROM tasks_app_task,
    unnest(CASE current_status WHEN 'pending' THEN ARRAY['pending']
        ELSE ARRAY['pending', 'processing', current_status] END) AS status
"""
PAGES = {
    "list": "",
    "list, a page long ago": "submitted_before={old}",
    "list, oldest first": "ordering=submitted_at",
    "list, status failed": "status=failed",
    "list, two statuses": "status=pending,failed",
    "list, a tag of 100": "tag=rare",
    "list, a tag of each thousandth": "tag=thousandth",
    "list, a tag of each tenth": "tag=common",
    "list, a name of 100": "name=rare",
    "list, 500 ids": "ids={ids}",
}


class Side:
    """A database with so many tasks, and the API on it."""

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        url = urlsplit(os.environ["DATABASE_URL"])
        with psycopg.connect(url.geturl(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        self.url = url._replace(path=f"/{name}").geturl()
        environment = os.environ | {"DATABASE_URL": self.url}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environment, check=True)
        start = time.monotonic()
        with psycopg.connect(self.url, autocommit=True) as database:
            database.execute("SET session_replication_role = replica")
            database.execute(TASKS, {"circuit": BELL, "rows": rows})
            database.execute(HISTORY)
            database.execute("VACUUM ANALYZE")
            some = "SELECT task_id::text, submitted_at FROM tasks_app_task TABLESAMPLE SYSTEM_ROWS"
            database.execute("CREATE EXTENSION IF NOT EXISTS tsm_system_rows")
            found = database.execute(f"{some}(2000)").fetchall()
        self.ids = [task_id for task_id, _ in found]
        self.old = sorted(at for _, at in found)[len(found) // 10].strftime("%Y-%m-%dT%H:%M:%SZ")
        print(f"{rows:,} rows made in {time.monotonic() - start:.0f} s")

    def serve(self) -> Service:
        """The API on it, not started; its port is only sure to be free now."""
        self.service = Service(self.folder, env={"DATABASE_URL": self.url})
        return self.service

    def page(self, query: str) -> None:
        answer = self.service.get(
            f"/tasks?{query.format(old=self.old, ids=','.join(random.sample(self.ids, 500)))}"
        )
        assert answer.status == 200 and answer.body["results"], answer

    def read(self) -> None:
        assert self.service.get(f"/tasks/{random.choice(self.ids)}").status == 200

    def submit(self) -> None:
        assert self.service.submit().status == 202

    def plan(self, query: str) -> str:
        """PostgreSQL's plan of the page's query."""
        script = (
            "from django.http import QueryDict\n"
            "from tasks_app.api.filters import FilterSerializer, MAX_IDS, NEWEST_FIRST\n"
            "from tasks_app.models import Task\n"
            f"filters = FilterSerializer.from_query(QueryDict({query!r}))\n"
            "filters.is_valid(raise_exception=True)\n"
            "tasks = filters.apply(Task.objects.without_bodies()).order_by(*NEWEST_FIRST)\n"
            "size = MAX_IDS if 'ids' in filters.validated_data else 50\n"
            "print(tasks[:size + 1].explain(analyze=True, costs=False, timing=False))\n"
        )
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", script]
        return subprocess.run(
            command, env=self.service.env, check=True, capture_output=True, text=True
        ).stdout


def milliseconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def compare(name: str, many: Callable[[], None], few: Callable[[], None]) -> None:
    """One line of the table."""
    times: tuple[list[float], list[float]] = ([], [])
    for side, work in itertools.islice(itertools.cycle(enumerate((few, many))), 2 * REQUESTS + 20):
        times[side].append(milliseconds(work))
    few_ms, many_ms = (median(each[10:]) for each in times)  # the first ones warm up
    print(f"| {name} | {few_ms:.1f} | {many_ms:.1f} | {many_ms / few_ms:.2f} |")


def main(many: int, few: int) -> None:
    with private_servers() as folder:
        sides = [Side(folder, "few", few), Side(folder, "many", many)]
        small, large = sides
        with small.serve(), large.serve():
            for side in sides:
                side.service.start_api(processes=1)
            print(f"| median ms of {REQUESTS} | {few:,} tasks | {many:,} tasks | ratio |")
            print("|---|---|---|---|")
            compare("read", large.read, small.read)
            compare("submit", large.submit, small.submit)
            for name, query in PAGES.items():
                compare(name, lambda q=query: large.page(q), lambda q=query: small.page(q))  # type: ignore[misc]
        for name, query in PAGES.items():
            ids = ",".join(large.ids[:500])
            plan = large.plan(query.format(old=large.old, ids=ids))
            print(f"\n{name}\n" + "\n".join(line[:140] for line in plan.splitlines()))


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [1_000_000, 10_000][len(arguments) :]))
