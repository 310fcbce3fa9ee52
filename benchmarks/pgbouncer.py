"""Many API processes on one PostgreSQL, directly and through PgBouncer in transaction mode.

python -m benchmarks.pgbouncer [--processes N] [--pool N] [--seconds N]

Submissions and reads of tasks, and what the service holds meanwhile: connections to PostgreSQL
and memory (proportional set size). Needs the program `pgbouncer`.
"""

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.bars import pss_mb
from benchmarks.load import Load, Request, drive
from benchmarks.servers import private_servers
from benchmarks.sides import cpu_s, submission
from testing import pgbouncer
from testing.service import Service

THREADS = 8
ROUNDS = 5
SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name = 'quantumtasks'
"""


class Side:
    """An API of many processes, its database reached one way."""

    def __init__(self, folder: Path, name: str, env: dict[str, str], processes: int) -> None:
        folder.mkdir()
        self.name = name
        self.service = Service(folder, env | {"WEB_THREADS": str(THREADS)})
        self.api = self.service.start_api(processes=processes)
        self.loads: dict[str, list[tuple[float, float, float]]] = {}

    def load(self, what: str, requests: list[Request], clients: int, seconds: float) -> None:
        """Note rate, p99 and the API's CPU for each request."""
        ours = [self.api.pid, *self.api.children()]
        before = sum(map(cpu_s, ours))
        done: Load = drive(self.service.port, requests, clients=clients, seconds=seconds)
        assert not done.failed, done.statuses
        cpu_ms = 1000 * (sum(map(cpu_s, ours)) - before) / done.requests
        self.loads.setdefault(what, []).append((done.per_s, done.percentile(99), cpu_ms))


def sessions(database_url: str) -> int:
    """The service's sessions in PostgreSQL; each API thread keeps its own for minutes."""
    with psycopg.connect(database_url) as database:
        (count,) = database.execute(SESSIONS).fetchone() or (0,)
    return int(count)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pgbouncer")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--pool", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    if pgbouncer.PROGRAM is None:
        sys.exit("pgbouncer is not installed")
    clients = options.processes * THREADS
    with ExitStack() as stack:
        folder = stack.enter_context(private_servers())
        url = os.environ["DATABASE_URL"]
        pool = pgbouncer.pgbouncer(folder / "pool", url, pool_size=options.pool)
        pooled = {"DATABASE_URL": stack.enter_context(pool).url, "DATABASE_DIRECT_URL": url}
        sides = [
            Side(folder / name, name, env, options.processes)
            for name, env in (("direct", {}), ("pooled", pooled))
        ]
        for side in sides:
            stack.enter_context(side.service)
        reads = [("GET", f"/tasks/{sides[0].service.accepted()}", "") for _ in range(100)]
        writes = [submission(number) for number in range(100)]
        for side in sides:  # each thread connects
            for some in range(THREADS, clients + 1, THREADS):
                drive(side.service.port, writes, clients=some, seconds=0.5)
        for _ in range(ROUNDS):
            for side in sides:
                side.load("submissions", writes, clients, options.seconds)
                side.load("reads", reads, clients, options.seconds)
        print(f"{options.processes} processes × {THREADS} threads, {clients} clients")
        print("| | a second | p99 ms | API CPU ms |\n|---|---|---|---|")
        for side in sides:
            for what, loads in side.loads.items():
                rate, p99, cpu = (median(each) for each in zip(*loads, strict=True))
                print(f"| {what}, {side.name} | {rate:.0f} | {p99:.0f} | {cpu:.2f} |")
        memory = [[pss_mb(pid) for pid in side.api.children()] for side in sides]
        both = sessions(url)
        sides[0].service.stop()
        of_pool = sessions(url)
        for side, held, mb in zip(sides, (both - of_pool, of_pool), memory, strict=True):
            print(
                f"{side.name}: {held} sessions in PostgreSQL,"
                f" {median(mb):.0f} MB a process, {sum(mb):.0f} MB together"
            )


if __name__ == "__main__":
    main()
