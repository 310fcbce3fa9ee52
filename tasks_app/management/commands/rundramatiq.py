"""`manage.py rundramatiq --processes P --threads T`: run workers until SIGTERM."""

import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Collection
from importlib.metadata import version
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tasks_app.circuits import WALLS, SimulatorUnavailable, check_simulator
from tasks_app.postgresql import schema
from tasks_app.postgresql.base import wait_for_database

RETRY_S = 1.0

log = structlog.get_logger(__name__)


def demand_walls(standing: Collection[str]) -> None:
    """Log which walls stand around simulations; CommandError if too few for `SANDBOX_WALLS`."""
    missing = [wall for wall in WALLS if wall not in standing]
    if missing and settings.SANDBOX_WALLS == "required":
        raise CommandError(
            f"SANDBOX_WALLS is required, and this machine lacks {' and '.join(missing)}: use a "
            "kernel and a container profile that have all walls (docs/security.md), or set "
            "SANDBOX_WALLS=available."
        )
    tell = log.warning if missing else log.info
    tell("sandbox_walls", standing=list(standing), missing=missing)


def demand_port() -> None:
    """CommandError if another program listens on `WORKER_METRICS_BIND`."""
    if settings.WORKER_METRICS_BIND:
        address, _, port = settings.WORKER_METRICS_BIND.rpartition(":")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            socket.create_server((address.strip("[]"), int(port)), family=family).close()
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"WORKER_METRICS_BIND: nobody can listen on {settings.WORKER_METRICS_BIND} "
                f"({error}). Each worker on a machine needs a port of its own."
            ) from error


class Command(BaseCommand):
    """Takes the place of django-dramatiq's command, and starts only when it can do the work.

    It refuses to start without a working simulator, waits for PostgreSQL and its tables, and then
    becomes Dramatiq's master process, which hands on one message to each worker thread. For
    RabbitMQ each worker process waits itself, whenever it is away.
    """

    help = "Runs workers: they claim tasks from the queue and simulate their circuits."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processes", "-p", type=int, default=1, help="default: 1")
        parser.add_argument(
            "--threads",
            "-t",
            type=int,
            default=settings.WORKER_THREADS,
            help="a process, each with its own simulation child (default: WORKER_THREADS)",
        )

    def handle(self, *args: Any, processes: int, threads: int, **options: Any) -> None:
        if processes < 1 or threads < 1:
            raise CommandError("--processes and --threads must be at least 1.")
        try:
            simulator = check_simulator()
        except SimulatorUnavailable as error:
            raise CommandError(f"Qiskit Aer cannot run circuits here: {error}") from error
        demand_walls(simulator.walls)
        demand_port()
        self._wait_for_schema()
        log.info(
            "worker_versions",
            python=platform.python_version(),
            **{name: version(name) for name in ("django", "dramatiq", "pika", "psycopg")},
            **simulator.versions,
        )
        os.environ["dramatiq_queue_prefetch"] = str(threads)
        os.environ.setdefault("dramatiq_restart_delay", "500")
        shutdown_ms = int(1000 * (settings.SHUTDOWN_GRACE_S + 10))
        command = [sys.executable, "-m", "tasks_app.worker", "--skip-logging"]
        command += ["--processes", str(processes), "--threads", str(threads)]
        command += ["--worker-shutdown-timeout", str(shutdown_ms)]
        os.execv(sys.executable, [*command, "django_dramatiq.setup", "tasks_app.worker.actors"])

    def _wait_for_schema(self) -> None:
        """PostgreSQL, with the tables that this code needs."""
        while not wait_for_database(schema.fits, give_up=threading.Event()):
            log.warning("schema_outdated", remedy="manage.py migrate", retry_s=RETRY_S)
            time.sleep(RETRY_S)
        connection.close()
