"""Whose turn it is: how long a newcomer waits, shares by weight, and claims along a long line.

python -m benchmarks.turns [--drain N] [--take M] [--snapshot]

Slots are threads that claim and complete, without a queue and without circuits: what is measured is
the order, and PostgreSQL. `--drain`: how long the line at the end is; `--take`: how many of it are
taken, if not all; `--snapshot`: while a transaction is open that still sees the whole line, as a
dump's does, so that no dead row can go.
"""

import argparse
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import psycopg

from benchmarks.servers import private_servers

CIRCUIT = "OPENQASM 2.0; qreg q[1]; creg c[1]; measure q -> c;"
RESULT = {"counts": {"0": 1}, "shots": 1, "metadata": {}}
NEWCOMERS, SLOTS, CHUNK = 200, 2, 1000
DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'tasks_app_task'"


def owner(**limits: int) -> Any:
    from django.contrib.auth.models import User

    from tasks_app.models import OwnerLimits

    user = User.objects.create(username=uuid.uuid4().hex)
    if limits:
        OwnerLimits.objects.create(owner=user, **limits)
    return user


def submit(user: Any, tasks: int = 1) -> list[uuid.UUID]:
    from tasks_app import lifecycle
    from tasks_app.models import Task

    new = [Task(circuit=CIRCUIT, shots=1, correlation_id="c", owner=user) for _ in range(tasks)]
    for some in range(0, tasks, CHUNK):
        lifecycle.submit(new[some : some + CHUNK])
    return [task.task_id for task in new]


def clear() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_app_task CASCADE")
        cursor.execute("VACUUM ANALYZE tasks_app_task")


class Slots:
    """Threads that claim and complete; `order` and `times` tell what they claimed, and when."""

    def __init__(self, count: int) -> None:
        self.order: list[uuid.UUID] = []
        self.claims: list[float] = []  # seconds that each took
        self.times: dict[uuid.UUID, float] = {}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    def _work(self) -> None:
        from django.db import connection

        from tasks_app import lifecycle

        while not self._ending.is_set():
            start = time.perf_counter()
            if not (claims := lifecycle.claim(worker="host:1:2:3")):
                break
            (claim,) = claims
            self.times[claim.task_id] = now = time.perf_counter()
            self.order.append(claim.task_id)
            self.claims.append(now - start)
            lifecycle.complete(claim, RESULT)
        connection.close()

    def __enter__(self) -> "Slots":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def newcomer(owners: int, tasks: int) -> None:
    """One circuit of somebody else beside so many owners with thousands, again and again.

    What the slots claimed between its commit and its own claim; its wait from before it was sent.
    """
    clear()
    for _ in range(owners):
        submit(owner(), tasks)
    guests, waits, between = [owner() for _ in range(NEWCOMERS)], [], []
    with Slots(SLOTS) as slots:
        for guest in guests:
            time.sleep(random.uniform(0, 0.02))
            start = time.perf_counter()
            (task_id,) = submit(guest)
            before = len(slots.order)
            while task_id not in slots.times:
                time.sleep(0.0005)
            waits.append(1000 * (slots.times[task_id] - start))
            between.append(slots.order.index(task_id) - before)
    print(
        f"| {owners} owner(s) with {tasks:,} each | {median(between):.0f} | {max(between)} "
        f"| {median(waits):.1f} | {max(waits):.1f} |",
        flush=True,
    )


def shares() -> None:
    """Two owners with weights 3 and 1, over 2,000 tasks."""
    clear()
    heavy, light = owner(weight=3), owner()
    whose = {each: user.pk for user in (light, heavy) for each in submit(user, 2000)}
    with Slots(SLOTS) as slots:
        while len(slots.order) < 2000:
            time.sleep(0.01)
    count = Counter(whose[task_id] for task_id in slots.order[:2000])
    print(f"weights 3 : 1 over 2,000 tasks: {count[heavy.pk]} : {count[light.pk]}", flush=True)


def drain(tasks: int, taken: int, *, snapshot: bool) -> None:
    """A long line's first tasks, taken by one slot: a claim's time, tenth by tenth, and the rows
    that died."""
    from django.db import connection

    clear()
    submit(owner(), tasks)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE tasks_app_task")
    with _held(connection.settings_dict) if snapshot else _nothing(), Slots(1) as slots:
        start = time.perf_counter()
        print("| claimed | median claim, ms | dead rows |\n|---:|---:|---:|")
        for tenth in range(1, 11):
            upto = tenth * taken // 10
            while len(slots.order) < upto:
                time.sleep(0.01)
            of_tenth = slots.claims[upto - taken // 10 : upto]
            with connection.cursor() as cursor:
                cursor.execute(DEAD)
                dead = cursor.fetchone()[0]
            print(f"| {upto:,} | {1000 * median(of_tenth):.2f} | {dead:,} |", flush=True)
        print(f"{taken / (time.perf_counter() - start):.0f} tasks a second of {tasks:,}")


@contextmanager
def _held(database: dict[str, Any]) -> Iterator[None]:
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    parameters = {name: database[key] for key, name in names.items() if database[key]}
    with psycopg.connect(dbname=database["NAME"], **parameters) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM tasks_app_task")
        yield


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns")
    parser.add_argument("--drain", type=int, default=100_000)
    parser.add_argument("--take", type=int)
    parser.add_argument("--snapshot", action="store_true")
    options = parser.parse_args()
    with private_servers(API_AUTH="required", SLOW_QUERY_S="60"):
        import django

        django.setup()
        print("| beside | others before it, median | worst | wait ms, median | worst |")
        print("|---|---:|---:|---:|---:|")
        newcomer(1, 10_000)
        newcomer(10, 1_000)
        shares()
        drain(options.drain, options.take or options.drain, snapshot=options.snapshot)


if __name__ == "__main__":
    main()
