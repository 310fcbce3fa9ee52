"""What each process and each task costs PostgreSQL and RabbitMQ: the figures behind docs/scale.md.

python -m benchmarks.scale

An API and workers on private servers, idle and at work; connections to RabbitMQ by the hundred;
claims while others claim; commits of many sessions.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pika
import psycopg

from benchmarks.bars import pss_mb
from benchmarks.servers import private_servers_and_rabbit
from benchmarks.sides import cpu_s
from testing.service import BELL, LIMIT_S, Process, Service, eventually

if TYPE_CHECKING:
    from testing.servers import RabbitServer

IDLE_S = 20
FOLLOWERS = 4
MOVES = 2000
THOUSANDS = 30
TASKS = 400
CONNECTIONS = 300
LOCKED = (0, 10, 100, 1000, 10_000)
CLAIMS = 30
COMMITTERS = (1, 4, 16, 64)
COMMIT_S = 3.0
WAL = "SELECT wal_bytes::float8, (to_jsonb(w) ->> 'wal_sync')::float8 FROM pg_stat_wal w"
COMMITS = "SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()"
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'quantumtasks'"
SETTLE_S = 11  # a session that is idle has told its statistics by then


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:<68} {value:>10,.4g} {unit}", flush=True)


class Servers:
    """PostgreSQL and RabbitMQ, as they are asked about themselves."""

    def __init__(self, database: psycopg.Connection[Any], rabbit: "RabbitServer") -> None:
        self._database, self.rabbit = database, rabbit

    def number(self, statement: str) -> list[float]:
        return list(self._database.execute(statement).fetchone() or ())

    def sessions(self) -> list[int]:
        return [int(pid) for (pid,) in self._database.execute(SESSIONS)]

    def connections(self) -> int:
        return sum(
            line.isdigit() for line in self.rabbit.ctl("list_connections", "peer_port").split()
        )

    def memory(self) -> dict[str, float]:
        """RabbitMQ's, in kB, by what has it."""
        status = json.loads(self.rabbit.ctl("status", "--formatter", "json"))
        sizes = {name: size for name, size in status["memory"].items() if name != "total"}
        return {name: size / 1024 for name, size in sizes.items() if isinstance(size, int)}

    def written(self) -> dict[str, float]:
        """Commits, bytes and flushes of the log, since the server began; and when."""
        time.sleep(SETTLE_S)
        (commits,), (wal, flushes) = self.number(COMMITS), self.number(WAL)
        written = {"commits": commits, "kB of WAL": wal / 1024, "flushes": flushes}
        return written | {"seconds": time.monotonic()}


def idle(servers: Servers, of: str) -> dict[str, float]:
    """What is written a second while nobody asks for anything."""
    before = servers.written()
    time.sleep(IDLE_S)
    after = servers.written()
    seconds = after.pop("seconds") - before.pop("seconds")
    rates = {name: (after[name] - before[name]) / seconds for name in before}
    for name, rate in rates.items():
        show(f"{of}, a second: {name}", rate, "")
    return rates


def busy(servers: Servers, of: str, rates: dict[str, float], work: Callable[[], None]) -> None:
    """What is written for each of `TASKS`, besides what is anyway."""
    before = servers.written()
    work()
    after = servers.written()
    seconds = after["seconds"] - before["seconds"]
    for name, rate in rates.items():
        show(f"{of}: {name}", (after[name] - before[name] - rate * seconds) / TASKS, "")


def own_memory_kb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return float(rollup.partition("\nPss_Anon:")[2].split()[0])


def processes(servers: Servers, folder: Path) -> None:
    """One API and one worker, with the settings that they come with."""
    with Service(folder, {"WEB_THREADS": "8", "WORKER_THREADS": "2"}) as service:
        before = servers.connections()
        api = service.start_api(processes=2)
        with ExitStack() as stack:
            for _ in range(8):  # until every thread has been asked
                stack.enter_context(asking(service))
            eventually(lambda: len(servers.sessions()) >= 2 * 8, what="each thread has a session")
        eventually(
            lambda: service.accepted(BELL, shots=100) and servers.connections() >= before + 2,
            what="each process has submitted something",
        )
        show("an API (2 x 8 threads): sessions in PostgreSQL", len(servers.sessions()), "")
        show("an API: connections to RabbitMQ", servers.connections() - before, "")
        show("an API: memory (PSS)", family_mb(api), "MB")
        idle(servers, "an idle API")
        sessions, connections = len(servers.sessions()), servers.connections()
        worker = service.start_worker(threads=2)
        for answer in service.submit_many(40, clients=8):
            service.finished(answer.body["task_id"])
        rates = idle(servers, "an idle API and an idle worker, which leads")
        show("a worker (2 threads): sessions", len(servers.sessions()) - sessions, "")
        show("a worker: connections to RabbitMQ", servers.connections() - connections, "")
        show("a worker: memory (PSS)", family_mb(worker), "MB")
        more = service.start_worker(processes=FOLLOWERS, threads=1)
        idle(servers, f"the same and {FOLLOWERS} idle workers")
        more.stop()
        own = [own_memory_kb(pid) / 1024 for pid in servers.sessions()]
        show("a session of the service in PostgreSQL: memory of its own, median", median(own), "MB")
        show("a session of the service in PostgreSQL: memory of its own, largest", max(own), "MB")

        def alone() -> None:
            for _ in range(TASKS):
                last = service.accepted(BELL, shots=100)
            service.finished(last)

        def together() -> None:
            for answer in service.submit_many(TASKS, clients=16):
                service.finished(answer.body["task_id"])

        busy(servers, "a task from a client that is alone", rates, alone)
        busy(servers, "a task of 16 clients", rates, together)


@contextmanager
def asking(service: Service) -> Iterator[None]:
    """A client that lists tasks, again and again."""
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            service.get("/tasks")

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    ending.set()
    thread.join()


def family_mb(process: Process) -> float:
    return sum(map(pss_mb, [process.pid, *process.descendants()]))


def connections(servers: Servers, url: str) -> None:
    """Of RabbitMQ, a channel each, without and with a consumer of a quorum queue."""
    for consumes in (False, True):
        before = servers.memory()
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                connection = stack.enter_context(pika.BlockingConnection(pika.URLParameters(url)))
                channel = connection.channel()
                if consumes:
                    channel.basic_qos(prefetch_count=2)
                    channel.basic_consume("quantum_tasks", lambda *_: None)
            after = servers.memory()
            kinds = [name for name in after if name.startswith(("connection", "quorum", "queue"))]
            kb = sum(after[name] - before[name] for name in kinds) / CONNECTIONS
            name = "with a channel and a consumer" if consumes else "with a channel"
            show(f"RabbitMQ, a connection {name}: memory", kb, "kB")


def claims(url: str) -> None:
    """How long a claim takes while so many tasks before it in line are being claimed by others."""
    from django.db import connection, transaction

    from tasks_app import lifecycle
    from tasks_app.models import Task

    line = [Task(circuit=BELL, shots=1, correlation_id="c") for _ in range(2 * LOCKED[-1])]
    for start in range(0, len(line), 1000):
        lifecycle.submit(line[start : start + 1000])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE tasks_app_task")

    def claim_ms() -> float:
        begun = time.perf_counter()
        with transaction.atomic():
            assert lifecycle.claim(worker="somebody")
            took = 1000 * (time.perf_counter() - begun)
            transaction.set_rollback(True)
        return took

    for locked in LOCKED:
        with psycopg.connect(url) as others:
            others.execute(
                "SELECT FROM tasks_app_task WHERE current_status = 'pending' AND backend = 'aer'"
                f" ORDER BY turn, task_id LIMIT {locked} FOR UPDATE"
            )
            took = median(claim_ms() for _ in range(CLAIMS))
            show(f"a claim while {locked} tasks before it are being claimed", took, "ms")


def messages(folder: Path) -> None:
    """What RabbitMQ takes into one queue, and into two at once, confirmed by a thousand."""
    import dramatiq

    from tasks_app.queue.doorbell import doorbell

    broker: Any = dramatiq.get_broker()
    (pid_file,) = (folder / "rabbitmq/mnesia").glob("*.pid")
    pid = int(pid_file.read_text())
    for backends in (("aer",), ("aer", "noisy_line5")):
        rung = [doorbell(number, "c", backends[number % len(backends)]) for number in range(1000)]
        some = [(message.queue_name, message.encode()) for message in rung]
        broker.publisher.publish(*some, timeout_s=LIMIT_S)
        before, begun = cpu_s(pid), time.perf_counter()
        for _ in range(THOUSANDS):
            broker.publisher.publish(*some, timeout_s=LIMIT_S)
        took, used = time.perf_counter() - begun, cpu_s(pid) - before
        queues = f"messages into {len(backends)} queue{'s' if len(backends) > 1 else ''}"
        show(f"{queues}, a second", 1000 * THOUSANDS / took, "")
        show(f"{queues}: processor of RabbitMQ, each", used / THOUSANDS, "ms")


def moves() -> None:
    """What PostgreSQL's processor does for each move of a task and each sign of life."""
    from django.db import connection

    from tasks_app import lifecycle, pace
    from tasks_app.models import Task

    result = {"counts": {"00": 50, "11": 50}, "shots": 100, "metadata": {}}
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    new = [Task(circuit=BELL, shots=1, correlation_id="c") for _ in range(MOVES)]
    held: list[Any] = []

    def look(what: str, each: Callable[[int], object]) -> None:
        before = cpu_s(pid)
        for number in range(MOVES):
            each(number)
        show(f"{what}: processor of PostgreSQL", 1000 * (cpu_s(pid) - before) / MOVES, "ms")

    look("submitting a task alone", lambda number: lifecycle.submit([new[number]]))
    look("claiming it", lambda _: held.extend(lifecycle.claim(worker="somebody")))
    look("a heartbeat of one claim", lambda number: lifecycle.renew([held[number]]))
    look(
        "a heartbeat of 16 claims", lambda number: lifecycle.renew(held[number % 16 :: MOVES // 16])
    )
    look("completing it", lambda number: lifecycle.complete(held[number], result))
    look("a worker's sign of life", lambda _: pace.report(slots=2, backends=["aer"]))


def commits(url: str) -> None:
    """What the disk and group commit allow: rows inserted, each in a commit of its own."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE scale (at timestamptz)")
    for clients in COMMITTERS:
        counts = side_by_side(clients, lambda: inserted(url))
        show(f"commits of {clients} sessions, a second", sum(counts) / COMMIT_S, "")


def inserted(url: str) -> int:
    count, until = 0, time.monotonic() + COMMIT_S
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            connection.execute("INSERT INTO scale VALUES (now())")
            count += 1
    return count


def side_by_side(clients: int, work: Callable[[], int]) -> list[int]:
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(work())) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def main() -> None:
    with private_servers_and_rabbit(LIMIT_PER_MINUTE="0", LIMIT_PENDING="0") as (folder, rabbit):
        import django

        django.setup()
        url = os.environ["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as database:
            servers = Servers(database, rabbit)
            processes(servers, folder)
            connections(servers, os.environ["RABBITMQ_URL"])
            messages(folder)
            moves()
            claims(url)
            commits(url)


if __name__ == "__main__":
    main()
