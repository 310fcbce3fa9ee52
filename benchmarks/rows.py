"""What a request and a worker's step cost among many tasks, against the same among few.

python -m benchmarks.rows [--rows N ...] [--backlog N ...] [--data FOLDER] [--only NAME ...]

`--rows`: finished tasks beside a backlog of 1,000; `--backlog`: pending tasks beside 10,000
finished ones. Each makes a database on one PostgreSQL and a virtual host on one RabbitMQ, with a
message for each pending task; all are asked in turn, so that what else the machine does slows them
alike. Then a worker on each side drains the thousand oldest tasks, in turn, five times; as many
new ones come in at the other end. Ten million rows take ten minutes and 10 GB: with `--data` they
are kept for the next time. `--only` runs those lines of the table ("first page" drain), `--write`
puts the medians into docs/performance-rows.json, in place of older ones.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psycopg

from testing.service import BELL, ROOT, Service, eventually

FIGURES = ROOT / "docs/performance-rows.json"
FEW, BACKLOG = 10_000, 1_000
REQUESTS = 100
CHUNK = 1000  # tasks stored, or messages confirmed, together
DRAINS, DRAINED, WARM_UP = 5, 900, 100
# Finished tasks a second apart, then pending ones a millisecond apart, newest now; one in a hundred
# failed. Ids carry the time as UUIDv7 does, correlation ids are random as clients send them, two
# thirds have one of two owners. A rare tag and name have 100 tasks, however many there are.
TASKS = """
INSERT INTO tasks_app_task (
    task_id, circuit, shots, options, name, tags, owner_id, correlation_id, submitted_at,
    enqueued_at, current_status, attempt, worker, started_at, completed_at, result, error_code,
    error_message)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    %(circuit)s, 1024, '{}', CASE WHEN n %% %(seldom)s = 0 THEN 'rare' ELSE '' END,
    CASE WHEN n %% %(seldom)s = 0 THEN ARRAY['rare'] WHEN n %% 1000 = 1
        THEN ARRAY['thousandth', 'indexed'] WHEN n %% 10 = 0 THEN ARRAY['common'] ELSE '{}' END,
    CASE WHEN n %% 3 > 0 THEN n %% 3 END, gen_random_uuid(), at, at, status,
    (status <> 'pending')::int, CASE WHEN status = 'pending' THEN '' ELSE 'host:1:2:3' END,
    CASE WHEN status <> 'pending' THEN at END, CASE WHEN status <> 'pending' THEN at END,
    CASE WHEN status = 'completed'
        THEN '{"counts": {"00": 512, "11": 512}, "shots": 1024, "metadata": {}}'::jsonb END,
    CASE WHEN status = 'failed' THEN 'syntax_error' END,
    CASE WHEN status = 'failed' THEN 'wrong' END
FROM generate_series(1, %(rows)s + %(pending)s) AS n, LATERAL (SELECT
    CASE WHEN n > %(rows)s THEN now() - (%(rows)s + %(pending)s - n) * interval '1 ms'
        ELSE now() - interval '1 hour' - (%(rows)s - n) * interval '1 second' END AS at,
    CASE WHEN n > %(rows)s THEN 'pending' WHEN n %% 100 = 0 THEN 'failed' ELSE 'completed' END
        AS status) AS new
"""
HISTORY = """
INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
SELECT task_id, status, submitted_at, '' FROM tasks_app_task,
    unnest(CASE current_status WHEN 'pending' THEN ARRAY['pending']
        ELSE ARRAY['pending', 'processing', current_status] END) AS status
"""
OWNERS = """
INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email,
    is_staff, is_active, date_joined)
SELECT n, 'user' || n, '', false, '', '', '', false, true, now() FROM generate_series(1, 2) AS n
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('tasks_app_task', 'tasks_app_statushistory') AND indexname NOT LIKE '%_pkey'
"""
TAG_INDEX = """
CREATE INDEX IF NOT EXISTS tag_indexed ON tasks_app_task (submitted_at)
WHERE tags @> ARRAY['indexed']::varchar(64)[]
"""
SURPLUS = """
DELETE FROM tasks_app_task WHERE task_id IN (
    SELECT task_id FROM tasks_app_task WHERE current_status = 'pending'
    ORDER BY turn DESC, task_id DESC OFFSET %s)
"""
PENDING = """
SELECT task_id::text FROM tasks_app_task WHERE current_status = 'pending' ORDER BY task_id
"""
SOME = """
SELECT DISTINCT task_id::text, submitted_at FROM generate_series(1, 2000) AS n,
    LATERAL (SELECT now() - (3600 + (random() + 0 * n) * %s) * interval '1 s' AS at) AS t,
    LATERAL (SELECT task_id, submitted_at FROM tasks_app_task WHERE submitted_at <= t.at
        ORDER BY submitted_at DESC LIMIT 1) AS before
"""
COMPLETED_SINCE = """
SELECT count(*), extract(epoch FROM
    max(transitioned_at) - (array_agg(transitioned_at ORDER BY id))[%s])
FROM tasks_app_statushistory WHERE status = 'completed' AND id > %s
"""
PAGES = {
    "first page": "",
    "deep cursor": "cursor={cursor}",
    "before a time long ago": "submitted_before={old}",
    "oldest first": "ordering=submitted_at",
    "status=failed": "status=failed",
    "two statuses": "status=pending,failed",
    "a tag of 100 tasks": "tag=rare",
    # Ten a page: there are no more among 10,000 tasks.
    "a tag of each thousandth": "tag=thousandth&page_size=10",
    "a tag of each thousandth, indexed": "tag=indexed&page_size=10",
    "a tag of each tenth": "tag=common",
    "a name of 100 tasks": "name=rare",
    "500 ids": "ids={ids}",
}


class Side:
    """A database with so many tasks, the API on it, and a process that works as a worker does."""

    def __init__(self, folder: Path, database_url: str, rabbit: Any, rows: int, pending: int):
        self.rows, self.pending = rows, pending
        name = f"rows_{rows}_{pending}"
        rabbit.ctl("add_vhost", name)
        rabbit.ctl("set_permissions", "-p", name, "quantumtasks", ".*", ".*", ".*")
        self.environment = os.environ | {
            "DATABASE_URL": urlsplit(database_url)._replace(path=f"/{name}").geturl(),
            "RABBITMQ_URL": urlsplit(rabbit.url)._replace(path=f"/{name}").geturl(),
        }
        self._build(database_url, name)
        spawn = multiprocessing.get_context("spawn")
        self.worker = ProcessPoolExecutor(1, spawn, _set_up, (self.environment,))
        self.worker.submit(_restore, pending).result()
        self.database = psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)
        sample = self._query(SOME, rows)
        self.ids = [task_id for task_id, _ in sample]
        old = sorted(at for _, at in sample)[len(sample) // 10]
        self.old = old.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.cursor = f"{round(old.timestamp() * 1e6)}.{'0' * 32}"  # as `filters.Cursor` writes it
        self.waiting = [row[0] for row in self._query(f"{PENDING} DESC LIMIT 500")]
        (folder / name).mkdir()
        self.service = Service(folder / name, env=self.environment)

    def __enter__(self) -> "Side":
        print(f"{self}: {self.worker.submit(_fill_queue).result()} messages", flush=True)
        self.service.start_api(processes=1)
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        self.worker.shutdown()
        self.database.close()

    def __str__(self) -> str:
        return f"{self.rows:,} finished, {self.pending:,} pending"

    def _build(self, database_url: str, name: str) -> None:
        with psycopg.connect(database_url, autocommit=True) as admin:
            if not admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
                admin.execute(f"CREATE DATABASE {name}")
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"],
            env=self.environment | {"DB_STATEMENT_TIMEOUT_S": "0"},
            check=True,
        )
        start = time.monotonic()
        with psycopg.connect(self.environment["DATABASE_URL"]) as database:
            if not database.execute("SELECT FROM tasks_app_task LIMIT 1").rowcount:
                # The triggers would refuse what is not born pending.
                database.execute("SET LOCAL session_replication_role = replica")
                database.execute(OWNERS)
                indexes = database.execute(INDEXES).fetchall()
                for index, _ in indexes:
                    database.execute(f"DROP INDEX {index}")
                values = {"circuit": BELL, "rows": self.rows, "pending": self.pending}
                values["seldom"] = (self.rows + self.pending) // 100
                database.execute(TASKS, values)
                database.execute(HISTORY)
                for _, definition in indexes:
                    database.execute(definition)
            database.execute(TAG_INDEX)
            database.commit()
            database.autocommit = True
            database.execute("VACUUM ANALYZE tasks_app_task, tasks_app_statushistory")
        print(f"{self}: made in {time.monotonic() - start:.0f} s", flush=True)

    def _query(self, sql: str, *values: object) -> list[Any]:
        return self.database.execute(sql.encode(), values or None).fetchall()

    # -- what is measured, each in milliseconds ------------------------------------------------

    def get(self, path: str) -> float:
        answer = self.service.get(path)
        assert answer.status == 200 and answer.body, (path, answer)
        return 1000 * answer.seconds

    def page(self, query: str) -> float:
        ids = ",".join(random.sample(self.ids, 500)) if "{ids}" in query else ""
        return self.get(f"/tasks?{query.format(old=self.old, cursor=self.cursor, ids=ids)}")

    def submit(self) -> float:
        answer = self.service.submit()
        assert answer.status == 202, answer
        return 1000 * answer.seconds

    def operations(self) -> Iterator[tuple[str, Callable[[], float]]]:
        yield "submit", self.submit
        yield "claim and complete", lambda: self.worker.submit(_claim_and_complete).result()
        yield "recovery pass", lambda: self.worker.submit(_recover).result()
        yield "read a finished task", lambda: self.get(f"/tasks/{random.choice(self.ids)}")
        # Of the newest pending ones: with their position in the queue.
        yield "read a pending task", lambda: self.get(f"/tasks/{random.choice(self.waiting)}")
        for name, query in PAGES.items():
            yield name, lambda query=query: self.page(query)  # type: ignore[misc]
        yield "/queue", lambda: self.get("/queue")
        yield "/metrics", lambda: self.get("/metrics")

    def drain(self) -> float:
        """Tasks a second that a worker with two slots completes, of the backlog's oldest."""
        self.worker.submit(_top_up, self.pending).result()
        last = self._query("SELECT max(id) FROM tasks_app_statushistory")[0][0]

        def completed() -> Any:
            return self._query(COMPLETED_SINCE, WARM_UP, last)[0]

        worker = self.service.start_worker(threads=2, LOG_LEVEL="INFO")  # it says when it is ready
        eventually(lambda: completed()[0] >= DRAINED, what=f"{self} drains")
        worker.stop()
        count, seconds = completed()  # the first ones find cold children
        return float((count - WARM_UP) / seconds)


# -- in the process of a side that works as a worker does ------------------------------------------


def _set_up(environment: dict[str, str]) -> None:
    os.environ |= environment
    import django

    django.setup()


def _restore(pending: int) -> list[uuid.UUID]:
    """As many pending tasks as there shall be, whatever was done before; the ids of new ones."""
    from tasks_app import lifecycle
    from tasks_app.models import Status, Task

    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute(SURPLUS, [pending])
    missing = pending - Task.objects.with_status(Status.PENDING).count()
    new = [Task(circuit=BELL, shots=1024, correlation_id="more") for _ in range(missing)]
    for some in range(0, missing, CHUNK):
        lifecycle.submit(new[some : some + CHUNK])
    return [task.task_id for task in new]


def _ring(task_ids: list[uuid.UUID]) -> None:
    from tasks_app.circuits.backend import DEFAULT_BACKEND
    from tasks_app.lifecycle import Waiting
    from tasks_app.queue import broker

    for some in range(0, len(task_ids), CHUNK):
        some_ids = task_ids[some : some + CHUNK]
        broker.ring(Waiting(task_id, "backlog", DEFAULT_BACKEND) for task_id in some_ids)


def _fill_queue() -> int:
    """A message for each pending task, oldest first; how many."""
    from tasks_app.queue import broker

    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        _ring([uuid.UUID(task_id) for (task_id,) in database.execute(PENDING)])
    return broker.depths().ready


def _top_up(pending: int) -> None:
    """What was drained, anew."""
    _ring(_restore(pending))


def _claim_and_complete() -> float:
    from tasks_app import lifecycle

    result = {"counts": {"00": 512, "11": 512}, "shots": 1024, "metadata": {}}
    start = time.perf_counter()
    (claim,) = lifecycle.claim(worker="host:1:2:3")
    assert claim is not None
    lifecycle.complete(claim, result)
    return 1000 * (time.perf_counter() - start)


def _recover() -> float:
    from tasks_app import recovery

    start = time.perf_counter()
    recovery.recover()
    return 1000 * (time.perf_counter() - start)


# -- all sides -------------------------------------------------------------------------------------


def measure(sides: list[Side], only: list[str]) -> dict[str, list[float]]:
    """Medians of each operation, in the order of `sides`, which are asked in turn."""
    found: dict[str, list[float]] = {}
    head = " | ".join(map(str, sides))
    print(f"\n| median ms of {REQUESTS} | {head} | worst ratio |\n|{'---|' * (len(sides) + 2)}")
    for each in zip(*(side.operations() for side in sides), strict=True):
        name = each[0][0]
        if only and name not in only:
            continue
        times: list[list[float]] = [[] for _ in sides]
        for _ in range(REQUESTS + 10):
            for taken, (_, work) in zip(times, each, strict=True):
                taken.append(work())
        found[name] = [median(taken[10:]) for taken in times]  # the first ones warm up
        cells = " | ".join(f"{ms:.1f}" for ms in found[name])
        print(f"| {name} | {cells} | {max(found[name]) / found[name][0]:.2f} |", flush=True)
    return found


def drain(sides: list[Side]) -> list[float]:
    """Tasks a second in the order of `sides`, which drain in turn: medians."""
    rounds = [[side.drain() for side in sides] for _ in range(DRAINS)]
    rates = [median(each) for each in zip(*rounds, strict=True)]
    cells = " | ".join(f"{rate:.0f}" for rate in rates)
    print(f"| drained a second, 2 slots | {cells} | {min(rates) / rates[0]:.2f} |", flush=True)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows")
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--backlog", type=int, nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=[], help="these lines of the table, or drain")
    parser.add_argument("--data", type=Path, help="keep the databases here")
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    options = parser.parse_args()
    shapes = [(FEW, BACKLOG), *((rows, BACKLOG) for rows in options.rows if rows != FEW)]
    shapes += [(FEW, pending) for pending in options.backlog]
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="quantum-tasks-rows-"))
        )
        # Imported here: the test servers choose their ports, and start, when they are imported.
        from testing.servers import new_postgres_server, new_rabbit_server

        data = options.data or folder / "postgres"
        postgres = stack.enter_context(new_postgres_server(data, durable=True))
        rabbit = stack.enter_context(new_rabbit_server(folder / "rabbitmq"))
        os.environ |= {
            "SECRET_KEY": "benchmark-0123456789-abcdefghijklmnopqrstuvwxyz",
            "API_AUTH": "open",
            "DJANGO_SETTINGS_MODULE": "quantumtasks.settings",
            "LOG_LEVEL": "WARNING",
        }
        sides = [
            stack.enter_context(Side(folder, postgres.url, rabbit, rows, pending))
            for rows, pending in shapes
        ]
        medians = measure(sides, options.only)
        rates = drain(sides) if "drain" in options.only or not options.only else []
    if options.write:
        by_rows = [n for n, (_, pending) in enumerate(shapes) if pending == BACKLOG]
        by_backlog = [n for n, (rows, _) in enumerate(shapes) if rows == FEW]
        figures = json.loads(FIGURES.read_text()) if options.only else {}
        for kind, sides_of, count in (("rows", by_rows, 0), ("backlog", by_backlog, 1)):
            figures[kind] = figures.get(kind, {}) | {
                name: [(shapes[n][count], ms[n]) for n in sides_of] for name, ms in medians.items()
            }
        if rates:
            figures["drained_a_second"] = [(shapes[n][1], rates[n]) for n in by_backlog]
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
