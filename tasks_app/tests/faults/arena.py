"""A whole service under supervision, every way to hurt it, and the account of what became of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import psycopg

from quantumtasks.embedded.postgres import PostgresServer
from tasks_app.tests.faults.ledger import Ledger, account, read_rows, structured, unfinished
from tasks_app.tests.servers import RabbitServer
from tasks_app.tests.service import (
    BELL,
    ROOT,
    Answer,
    Proxy,
    Service,
    Stream,
    Supervisor,
    alive,
    eventually,
)

DATABASE = "faults"
TERMINAL_LIMIT_S = 40.0  # from the last submission until every task must be terminal
FAST = {"LEASE_S": "4", "HEARTBEAT_S": "1", "RECOVERY_S": "1", "SHUTDOWN_GRACE_S": "4"}


@dataclass
class Link:
    """One process's way to PostgreSQL and RabbitMQ."""

    database: Proxy
    queue: Proxy


@dataclass
class Trial:
    """One fault under way: its stream, and where its log lines begin."""

    name: str
    stream: Stream
    begun_at: str  # by the database's clock
    ended_at: float | None = None
    extra: list[Answer] = field(default_factory=list)
    ledger: Ledger | None = None
    events: list[dict[str, object]] = field(default_factory=list)

    def end(self) -> None:
        """The fault is over: the clock to `healthy` starts. Leaving the trial does it too."""
        self.ended_at = time.monotonic()

    def saw(self, event: str, **data: object) -> list[dict[str, object]]:
        """The trial's log events of this name with this data. For after the trial."""
        return [
            each
            for each in self.events
            if each["event"] == event and all(each.get(k) == v for k, v in data.items())
        ]


class Arena:
    """gunicorn and two workers under supervisors, each with its own way to both servers."""

    def __init__(self, folder: Path, *, postgres: PostgresServer, rabbit: RabbitServer) -> None:
        self.postgres, self.rabbit = postgres, rabbit
        self.database_url = urlsplit(postgres.url)._replace(path=f"/{DATABASE}").geturl()
        self.links = [Link(Proxy(postgres.port), Proxy(rabbit.port)) for _ in range(3)]
        self.service = Service(folder, env=FAST)
        self.ledgers: list[Ledger] = []
        self.hold_s = 1.5
        self._log_offsets: dict[Path, int] = {}

    def start(self) -> None:
        """Make a database, and start the service on it."""
        self._drop_database()
        self.sql(f"CREATE DATABASE {DATABASE}", url=self.postgres.url)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env={**self.service.env, "DATABASE_URL": self.database_url},
            check=True,
        )
        api, first, second = self.links
        self.api = self.service.keep_api(self.through(api))
        self.first = self.service.keep_worker(self.through(first), processes=2, threads=1)
        self.second = self.service.keep_worker(self.through(second), processes=1, threads=2)

    def stop(self) -> None:
        for link in self.links:
            for proxy in (link.database, link.queue):
                proxy.allow()
                proxy.thaw()
        self.service.stop()
        for link in self.links:
            link.database.close()
            link.queue.close()
        self._drop_database()

    def _drop_database(self) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", url=self.postgres.url)

    def through(self, link: Link) -> dict[str, str]:
        """The environment of a process that talks through a link."""
        return {
            "DATABASE_URL": link.database.url(self.database_url),
            "RABBITMQ_URL": link.queue.url(self.rabbit.url),
        }

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
        with pika.BlockingConnection(pika.URLParameters(self.rabbit.url)) as connection:
            yield connection.channel()

    @contextmanager
    def trial(
        self, name: str, *, clients: int = 4, every_s: float = 0.1, circuit: str = BELL
    ) -> Iterator[Trial]:
        """Submissions before, during and after the fault that the block makes; then the bar.

        The block ends when the fault does.
        """
        self._mark_logs()
        (begun_at,) = self.sql("SELECT now()")[0]
        stream = Stream(self.service, every_s=every_s, clients=clients, circuit=circuit)
        trial = Trial(name, stream, str(begun_at))
        with stream:
            eventually(
                lambda: stream.count(202) >= 2 * clients, within_s=20, what="tasks are accepted"
            )
            yield trial
            if trial.ended_at is None:
                trial.end()
            healthy_s = self.healthy(since=trial.ended_at or 0.0, trial=trial)
            after = len(stream.answers)
            eventually(
                lambda: len(stream.answers) >= after + clients, within_s=20, what="it goes on"
            )
        self.settle(trial, healthy_s)

    def settle(self, trial: Trial, healthy_s: float) -> None:
        """Wait for the last task, and draw up and check the account."""
        deadline = time.monotonic() + TERMINAL_LIMIT_S
        while unfinished(self.database_url, since=trial.begun_at) and time.monotonic() < deadline:
            threading.Event().wait(0.1)
        lines = self.new_log_lines()
        trial.events = structured(lines)
        trial.ledger = account(
            trial.name,
            [*trial.stream.answers, *trial.extra],
            read_rows(self.database_url, since=trial.begun_at),
            lines,
            healthy_s=healthy_s,
        )
        self.ledgers.append(trial.ledger)
        trial.ledger.check()

    def healthy(self, *, since: float, trial: Trial) -> float:
        """Seconds from `since` until health says so and a new submission has completed."""

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
                lambda: self.service.get(f"/tasks/{task_id}").body.get("status") == "completed",
                within_s=max(1.0, since + 60 - time.monotonic()),
                what="a new task completes",
            )
            return True

        eventually(completes, within_s=60, what="the service is healthy")
        return time.monotonic() - since

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

    def await_event(self, event: str, *, within_s: float = 20, **data: object) -> dict[str, object]:
        """Wait for a log event of this trial with this data."""

        def found() -> dict[str, object] | None:
            for each in structured(self.new_log_lines()):
                if each["event"] == event and all(each.get(k) == v for k, v in data.items()):
                    return each
            return None

        result = eventually(found, within_s=within_s, what=f"{event} {data}")
        assert isinstance(result, dict)
        return result


def kill(*pids: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes, those that have just ended excepted."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def wait_gone(pids: list[int], *, within_s: float = 15) -> None:
    """Wait until processes have ended."""
    eventually(
        lambda: not any(alive(pid) for pid in pids), within_s=within_s, what=f"{pids} have ended"
    )


Fault = Callable[[Arena], None]
