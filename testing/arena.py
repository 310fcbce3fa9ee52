"""A whole service under supervision, every way to hurt it, and the account of what became of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import psycopg

from embedded.postgres import PostgresServer
from tasks_app.circuits import Job, Limits
from tasks_app.circuits.backend import DEFAULT_BACKEND, shipped
from tasks_app.circuits.job import as_message
from tasks_app.circuits.simulation.runner import Runner
from testing.ledger import (
    HEALTHY_LIMIT_S,
    Ledger,
    Spell,
    account,
    read_rows,
    structured,
    unfinished,
)
from testing.servers import RabbitServer
from testing.service import (
    BELL,
    LIMIT_S,
    ROOT,
    Answer,
    Proxy,
    Reader,
    Service,
    Stream,
    Supervisor,
    alive,
    cpu_ticks,
    descendants,
    eventually,
    wait_for_worker,
)

DATABASE = "faults"
# Each shot is simulated on its own because of the reset, and because it has more qubits than are
# followed path by path: time is in proportion to shots.
SLOW = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[13]; creg c[13];'
    + 6
    * (
        "".join(f"rx(0.{i + 1}) q[{i}];" for i in range(13))
        + "".join(f"cx q[{i}],q[{i + 1}];" for i in range(12))
        + "reset q[0];"
    )
    + "measure q -> c;"
)
# A lease that is not lost by being late, as a heartbeat of a busy machine may be.
FAST = {"LEASE_S": "10", "HEARTBEAT_S": "1", "RECOVERY_S": "1", "SHUTDOWN_GRACE_S": "4"}


@dataclass
class Link:
    """One process's way to PostgreSQL and RabbitMQ."""

    database: Proxy
    queue: Proxy


@dataclass
class Trial:
    """One fault under way: its stream, and where its log lines begin."""

    name: str
    arena: "Arena"
    stream: Stream
    begun_at: str  # by the database's clock
    burst: bool = False
    healthy_s: float | None = None
    extra: list[Answer] = field(default_factory=list)
    read: list[Answer] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    _ledger: Ledger | None = None

    def end(self) -> None:
        """The fault is over: wait until the service is healthy. Leaving the trial does it too."""
        self.healthy_s = self.arena.healthy(self)

    def submit(self, **body: Any) -> str:
        """One more submission, insisted on and accounted for; the task's id."""

        def accepted() -> bool:
            self.extra.append(self.arena.service.post("/tasks", {"circuit": BELL, **body}))
            return self.extra[-1].status == 202

        eventually(accepted, what="a task is accepted")
        return str(self.extra[-1].body["task_id"])

    def submit_slow(self, seconds: float) -> str:
        """A task that takes about so much processor time, and no less time; the task's id."""
        shots = max(1, int(seconds / self.arena.seconds_per_slow_shot))
        return self.submit(circuit=SLOW, shots=shots)

    @property
    def ledger(self) -> Ledger:
        """The account. For after the trial, like what follows."""
        assert self._ledger is not None
        return self._ledger

    def saw(self, event: str, **data: Any) -> list[dict[str, Any]]:
        """The trial's log events of this name with this data."""
        return matching(self.events, event, data)

    def task(self, task_id: str) -> Any:
        """The task as the API shows it."""
        return self.arena.service.task(task_id)


class Arena:
    """gunicorn and two workers under supervisors, each with its own way to both servers."""

    database = DATABASE

    def __init__(self, folder: Path, *, postgres: PostgresServer, rabbit: RabbitServer) -> None:
        self.postgres, self.rabbit = postgres, rabbit
        self.database_url = urlsplit(postgres.url)._replace(path=f"/{self.database}").geturl()
        self.links = [Link(Proxy(postgres.port), Proxy(rabbit.port)) for _ in range(3)]
        self.service = Service(folder, env=FAST)
        self.ledgers: list[Ledger] = []
        self.spells: list[Spell] = []
        self.hold_s = 1.5
        self.worker_start_s = 0.0  # for both workers, one after the other
        self.seconds_per_slow_shot = 0.0
        self.sound = False
        """It has started, and no trial has failed since or is under way."""
        self._log_offsets: dict[Path, int] = {}

    def start(self) -> None:
        """Make a database, and start the service on it."""
        self._drop_database()
        self.sql(f"CREATE DATABASE {self.database}", url=self.postgres.url)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env={**self.service.env, "DATABASE_URL": self.database_url},
            check=True,
        )
        api, first, second = self.links
        self.api = self.service.keep_api(self.through(api))
        begun = time.monotonic()
        self.first = self.service.keep_worker(self.through(first), processes=2, threads=1)
        self.second = self.service.keep_worker(self.through(second), processes=1, threads=2)
        self.worker_start_s = time.monotonic() - begun
        self.seconds_per_slow_shot = _seconds_per_slow_shot()
        self.sound = True

    def stop(self) -> None:
        """End the service, at once if it is not sound; no process of it may be left."""
        family = [pid for each in self.service.supervisors for pid in each.process.descendants()]
        if not self.sound:
            for supervisor in self.service.supervisors:
                supervisor.kill()
            kill(*family)  # what is paused hears of no other end
        for link in self.links:
            for proxy in (link.database, link.queue):
                proxy.allow()
                proxy.thaw()
        self.service.stop()
        wait_gone(family)
        for link in self.links:
            link.database.close()
            link.queue.close()
        self._drop_database()

    def _drop_database(self) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)", url=self.postgres.url)

    def through(self, link: Link) -> dict[str, str]:
        """The environment of a process that talks through a link."""
        name = f"?application_name={self.name_of(link)}"
        return {
            "DATABASE_URL": link.database.url(self.database_url) + name,
            "RABBITMQ_URL": link.queue.url(self.rabbit.url),
        }

    def name_of(self, link: Link) -> str:
        """What PostgreSQL calls the sessions of a process that talks through a link."""
        return f"way-{self.links.index(link)}"

    @property
    def databases(self) -> list[Proxy]:
        return [link.database for link in self.links]

    @property
    def queues(self) -> list[Proxy]:
        return [link.queue for link in self.links]

    @property
    def workers(self) -> list[Supervisor]:
        return [self.first, self.second]

    def hold(self, seconds: float | None = None) -> None:
        """Let the fault last."""
        threading.Event().wait(self.hold_s if seconds is None else seconds)

    def sql(self, statement: str, *, url: str = "") -> list[tuple[object, ...]]:
        """Run a statement past the service, outside a transaction."""
        with psycopg.connect(
            url or self.database_url,
            autocommit=True,
            options="-c default_transaction_read_only=off",
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def amqp(self) -> Iterator[Any]:
        """A channel past the service."""
        parameters = pika.URLParameters(self.rabbit.url)
        parameters.heartbeat = 0  # which it could not keep up while its caller waits
        with pika.BlockingConnection(parameters) as connection:
            yield connection.channel()

    @contextmanager
    def trial(
        self,
        name: str,
        *,
        clients: int = 4,
        every_s: float = 0.4,
        circuit: str = BELL,
        limit: int | None = None,
        burst: bool = False,
        healthy_within_s: float = HEALTHY_LIMIT_S,
        backends: Sequence[str] = (DEFAULT_BACKEND,),
        check: bool = True,
    ) -> Iterator[Trial]:
        """Submissions before, during and after the fault that the block makes; then the bar.

        The block ends when the fault does. `limit`: the stream ends after so many answers.
        `burst`: they come faster than they can be worked on, so that a new task queues up; that
        tasks are accepted and completed is enough to be healthy then. Without `check` what
        became of them is for the caller to judge.
        """
        self.sound = False
        self._mark_logs()
        (begun_at,) = self.sql("SELECT now()")[0]
        self.stream = stream = Stream(
            self.service,
            every_s=every_s,
            clients=clients,
            circuit=circuit,
            limit=limit,
            backends=backends,
        )
        trial = Trial(name, self, stream, str(begun_at), burst)
        with stream, Reader(stream) as reader:
            eventually(lambda: stream.count(202) >= 2 * clients, what="tasks are accepted")
            yield trial
            if trial.healthy_s is None:
                trial.end()
            after = len(stream.answers)
            if limit is None:
                eventually(lambda: len(stream.answers) >= after + clients, what="it goes on")
            else:
                stream.join()
        trial.read = reader.answers
        self.settle(trial)
        if check:
            trial.ledger.check(healthy_within_s)
        self.sound = True

    def settle(self, trial: Trial) -> None:
        """Wait for the last task, and draw up the account."""
        deadline = time.monotonic() + LIMIT_S
        while unfinished(self.database_url, since=trial.begun_at) and time.monotonic() < deadline:
            threading.Event().wait(0.1)
        lines = self.new_log_lines()
        trial.events = structured(lines)
        trial._ledger = account(
            trial.name,
            [*trial.stream.answers, *trial.extra],
            trial.read,
            read_rows(self.database_url, since=trial.begun_at),
            lines,
            healthy_s=trial.healthy_s or 0.0,
        )
        self.ledgers.append(trial.ledger)

    def healthy(self, trial: Trial) -> float:
        """Seconds from now, the end of the fault, until health says so and a new task completed."""

        since = time.monotonic()

        def completes() -> bool:
            answer = self.service.get("/health")
            if answer.status != 200 or answer.body["status"] != "healthy":
                return False
            submitted = self.service.submit()
            trial.extra.append(submitted)
            if submitted.status != 202:
                return False
            task_id = submitted.body["task_id"]
            eventually(
                lambda: self._completed(task_id) or (trial.burst and self._progress(task_id)),
                what="a new task completes",
            )
            return True

        eventually(completes, what="the service is healthy")
        return time.monotonic() - since

    def _completed(self, task_id: str) -> bool:
        answer = self.service.get(f"/tasks/{task_id}")
        return answer.status == 200 and bool(answer.body["status"] == "completed")

    def _progress(self, task_id: str) -> bool:
        """Whether any task has completed since this one was submitted."""
        return bool(
            self.sql(
                "SELECT 1 FROM tasks_app_task WHERE completed_at >"
                f" (SELECT submitted_at FROM tasks_app_task WHERE task_id = '{task_id}') LIMIT 1"
            )
        )

    # -- logs ----------------------------------------------------------------------------------

    def _mark_logs(self) -> None:
        for path in self.service.folder.glob("*.log"):
            self._log_offsets[path] = path.stat().st_size

    def new_log_lines(self) -> list[str]:
        """What the service has logged since the trial began."""
        lines = []
        for path in sorted(self.service.folder.glob("*.log")):
            with path.open("rb") as stream:
                stream.seek(self._log_offsets.get(path, 0))
                lines += stream.read().decode(errors="replace").splitlines()
        return lines

    def await_event(self, event: str, **data: Any) -> dict[str, Any]:
        """Wait for a log event of this trial with this data."""
        found: list[dict[str, Any]] = eventually(
            lambda: matching(structured(self.new_log_lines()), event, data),
            what=f"{event} {data}",
        )
        return found[0]

    # -- who does what -------------------------------------------------------------------------

    def owner(self, task_id: str, *, attempt: int = 1) -> int:
        """Process id of the worker that runs this attempt of the task, once it does."""

        def running() -> str | None:
            rows = self.sql(
                f"SELECT worker FROM tasks_app_task WHERE task_id = '{task_id}'"
                f" AND current_status = 'processing' AND attempt = {attempt}"
            )
            return str(rows[0][0]) if rows else None

        worker: str = eventually(running, what=f"attempt {attempt} is running")
        return int(worker.split(":")[1])

    def kill_simulation(self, task_id: str, *, attempt: int = 1) -> None:
        """Kill what computes this attempt of the task."""
        worker = self.owner(task_id, attempt=attempt)

        def over() -> bool:
            history = self.service.task(task_id)["status_history"]
            return any(f"attempt {attempt} handed back" in entry["notes"] for entry in history)

        def killed() -> bool:
            child = _busiest_child(worker)  # the next attempt may run elsewhere by now, or here
            if child is not None and not over():
                kill(child)
            return over()

        eventually(killed, what=f"attempt {attempt} is over")

    def supervisor_of(self, pid: int) -> Supervisor:
        """The worker that this process belongs to."""
        return next(worker for worker in self.workers if pid in worker.process.descendants())

    def leader(self) -> Supervisor | None:
        """The worker that holds the recovery lock, if one does."""
        rows = self.sql(
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted"
        )
        names = {row[0] for row in rows}
        for worker, link in zip(self.workers, self.links[1:], strict=True):
            if self.name_of(link) in names:
                return worker
        return None

    def unfinished_slow_tasks(self) -> int:
        """How many of the tasks that take long are not terminal."""
        (count,) = self.sql(
            "SELECT count(*) FROM tasks_app_task WHERE completed_at IS NULL"
            " AND length(circuit) > 1000"
        )[0]
        return int(str(count))

    def check_connections(self) -> None:
        """No connection is left behind.

        To RabbitMQ, an API process has one; a worker process has one to publish and one to
        consume for each backend. To PostgreSQL, each thread has one.
        """

        def to_rabbitmq() -> int:
            ports = self.rabbit.ctl("list_connections", "peer_port").split()
            return sum(port.isdigit() for port in ports)

        most = 2 + 3 * (1 + len(shipped()))
        eventually(lambda: to_rabbitmq() <= most, what="no connection to RabbitMQ leaks")

        def to_postgresql() -> int:
            (count,) = self.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )[0]
            return int(str(count))

        eventually(
            lambda: to_postgresql() <= 2 * 8 + (1 + 2) + (1 + 2) + (2 + 2),
            what="no connection to PostgreSQL leaks",
        )

    def processes_of(self, worker: Supervisor) -> int:
        return 2 if worker is self.first else 1

    def await_restart(self, worker: Supervisor, *, starts: int) -> None:
        """Wait until a worker has been started again since it had been so often, and is ready."""
        eventually(lambda: worker.starts > starts, what="it is started again")
        wait_for_worker(worker.process, self.processes_of(worker))


def _busiest_child(worker: int) -> int | None:
    """The simulation that computes now, if one does: other tasks take milliseconds."""
    before = {child: cpu_ticks(child) for child in descendants(worker)}
    threading.Event().wait(0.3)
    worked = {child: cpu_ticks(child) - before[child] for child in before}
    child = max(worked, key=lambda each: worked[each], default=0)
    return child if child and worked[child] >= 3 else None


def _seconds_per_slow_shot() -> float:
    """Processor time, measured here: what else runs does not change it."""
    runner, shots = Runner(Limits()), 25
    request = as_message(Job(circuit=SLOW, shots=shots)) | {"threads": 1}

    def run_s() -> float:
        begun = time.process_time()
        runner.run(request)
        return time.process_time() - begun

    return min(run_s() for _ in range(4)) / shots  # the first includes compiling


def matching(
    events: Iterable[dict[str, Any]], event: str, data: dict[str, Any]
) -> list[dict[str, Any]]:
    """The events of this name with this data."""
    return [
        each
        for each in events
        if each["event"] == event and all(each.get(key) == data[key] for key in data)
    ]


def kill(*pids: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes, those that have just ended excepted."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def wait_gone(pids: list[int]) -> None:
    """Wait until processes have ended."""
    eventually(lambda: not any(alive(pid) for pid in pids), what=f"{pids} have ended")
