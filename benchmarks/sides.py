"""The two services that are compared, on one PostgreSQL and one RabbitMQ, and what they use."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pika
import psycopg

from benchmarks.load import Load, Request, drive
from testing.ports import free_port
from testing.service import ROOT, Process, Service, descendants, eventually

BENCH_PYTHON = ROOT / ".venv-bench/bin/python"
BELL = (ROOT / "examples/bell.qasm").read_text()
SLOTS = 2
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def submission(number: int, circuit: str = BELL) -> Request:
    """A Bell circuit whose text nobody has seen before."""
    return "POST", "/tasks", json.dumps({"circuit": f"{circuit}// {number}\n", "shots": 1024})


def cpu_s(pid: int) -> float:
    """Processor time of a process, all below it, and all of them that have ended."""
    ticks = 0
    for each in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended, and is its parent's now
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks * TICK_S


@dataclass
class Side:
    """A service with its database and queue."""

    name: str
    port: int
    database_url: str
    queue: str
    tables: str
    api: Process
    workers: list[Process] = field(default_factory=list)
    token: str = ""

    def load(
        self, requests: Sequence[Request], *, clients: int, seconds: float = 60, most: int = 0
    ) -> Load:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        load = drive(
            self.port, requests, clients=clients, seconds=seconds, most=most, headers=headers
        )
        if load.failed:
            print(f"{self.name}: of {load.requests} requests {load.failed} failed: {load.statuses}")
        return load

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement past all triggers and foreign keys."""
        with psycopg.connect(self.database_url, autocommit=True) as database:
            database.execute("SET session_replication_role = replica")
            cursor = database.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> None:
        """Forget all tasks and messages."""
        self.sql(f"TRUNCATE {self.tables} CASCADE")
        with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as connection:
            connection.channel().queue_purge(self.queue)


@dataclass
class Field:
    """Everything that runs."""

    folder: Path
    ours: Side
    reference: Side | None
    postgres_pid: int
    rabbit_pid: int
    service: Service

    @property
    def sides(self) -> list[Side]:
        return [self.ours, self.reference] if self.reference else [self.ours]

    def cpu(self, side: Side) -> dict[str, float]:
        """Processor seconds so far of each part."""
        return {
            "API": cpu_s(side.api.pid),
            "PostgreSQL": cpu_s(self.postgres_pid),
            "RabbitMQ": cpu_s(self.rabbit_pid),
            "workers": sum(cpu_s(worker.pid) for worker in side.workers),
        }

    def start_workers(self) -> None:
        """Two slots on each side, ready."""
        self.ours.workers.append(self.service.start_worker(processes=1, threads=SLOTS))
        if self.reference:
            self.reference.workers += [
                start_reference(self.folder, f"worker-{n}", "-m", "benchmarks.reference.worker")
                for n in range(SLOTS)
            ]
            eventually(
                lambda: consumers(self.reference.queue) == SLOTS,  # type: ignore[union-attr]
                within_s=60,
                what="the reference's workers consume",
            )


def consumers(queue: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).method.consumer_count)


def start_reference(folder: Path, name: str, *command: str) -> Process:
    log = folder / f"reference-{name}.log"
    return Process(f"reference {name}", [str(BENCH_PYTHON), *command], os.environ, log)


def medians(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: median(sample[key] for sample in samples) for key in samples[0]}


@contextmanager
def running(folder: Path, *, reference: bool, processes: int = 2) -> Iterator[Field]:
    """Both APIs, the reference's in two processes; no workers yet."""
    with ExitStack() as stack:
        url = os.environ["DATABASE_URL"]
        service = stack.enter_context(Service(folder))
        ours = Side(
            "ours", service.port, url, "quantum_tasks",
            "tasks_app_task, tasks_app_statushistory, tasks_app_batch, tasks_app_idempotencykey",
            service.start_api(processes=processes),
        )  # fmt: skip
        ours.load([submission(0)], clients=16, most=16)  # the first one declares the queue
        other = stack.enter_context(_reference(folder, url)) if reference else None
        (pid_file,) = (folder / "rabbitmq/mnesia").glob("*.pid")
        postmaster = (folder / "postgres/postgres/postmaster.pid").read_text()
        yield Field(
            folder, ours, other, int(postmaster.split()[0]), int(pid_file.read_text()), service
        )


@contextmanager
def _reference(folder: Path, url: str) -> Iterator[Side]:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE reference")
    url = urlsplit(url)._replace(path="/reference").geturl()
    os.environ["REFERENCE_DATABASE_URL"] = url.replace("postgres://", "postgresql+asyncpg://")
    subprocess.run([BENCH_PYTHON, "-m", "benchmarks.reference.tables"], cwd=ROOT, check=True)
    port = free_port()
    command = ["-m", "uvicorn", "benchmarks.reference.api:app", "--workers", "2"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    if "REFERENCE_DEFAULTS" in os.environ:  # what `pip install uvicorn` has
        command += ["--loop", "asyncio", "--http", "h11"]
    api = start_reference(folder, "api", *command)
    side = Side("reference", port, url, "reference_tasks", "tasks, status_changes", api)

    def answers() -> bool:
        assert api.running, api.log.read_text()
        try:
            return not side.load([submission(0)], clients=16, most=16).failed
        except AssertionError:
            return False

    try:
        eventually(answers, within_s=60, what="the reference answers")
        yield side
    finally:
        for process in (side.api, *side.workers):
            process.kill_group()


def bare(kind: str, seconds: float) -> dict[str, float]:
    """`benchmarks.bare`, on our own Python."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare", kind, str(seconds)],
        cwd=ROOT, input=BELL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
