"""The database of `make run`: shared by all copies that run on one data folder."""

import fcntl
import secrets
import time
from datetime import timedelta
from pathlib import Path

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from quantumtasks.embedded.postgres import PostgresError, PostgresServer, wheel_bin_dir

ADMIN = "admin"
_START_LIMIT_S = 120.0


class SharedPostgres:
    """The PostgreSQL of a data folder. The first copy runs it, the others use it.

    When the first copy ends, the next one that calls `keep_running` starts the server anew, on
    the same port. A lock on a file decides; the kernel releases it however a copy ends.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data_dir = data_dir
        self._lock = (data_dir / "postgres.lock").open("w")
        self._server: PostgresServer | None = None

    def keep_running(self) -> None:
        """Start the server if it is ours to run and does not run.

        Returns before it answers the first time; raises PostgresError if it cannot start again.
        """
        if self._server is not None:
            if not self._server.running:
                self._server.start()
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another copy runs it
            return
        self._server = PostgresServer(wheel_bin_dir(), self._data_dir)
        self._server.launch()

    def url(self) -> str:
        """Where the server is, once it or the copy that runs it has decided."""
        path = self._data_dir / "database_url"
        deadline = time.monotonic() + _START_LIMIT_S
        while not path.exists():  # the other copy is about to write it
            if time.monotonic() > deadline:
                raise PostgresError(f"another copy of the service never finished {self._data_dir}")
            time.sleep(0.02)
            self.keep_running()
        return path.read_text()

    def wait_ready(self) -> None:
        """Wait until the server answers, whoever runs it."""
        if self._server is not None:
            self._server.wait_ready()
            return
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL does not answer: {error}") from error
                time.sleep(0.05)
                self.keep_running()
            else:
                return

    def stop(self) -> None:
        """Stop the server if we run it."""
        if self._server is not None:
            self._server.stop()


def migrate(data_dir: Path) -> int:
    """Apply what is missing and return how many migrations that was.

    One copy at a time; needs a Django that is set up.
    """
    with (data_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
        return len(missing)


def demonstration_token() -> str:
    """What the demonstration needs to be let in, for ten minutes; empty where access is open.

    Raises CommandError if there is nobody to be let in as.
    """
    from tasks_app.access import create_token  # models need a Django that is set up

    if settings.API_AUTH == "open":
        return ""
    owner = get_user_model().objects.filter(is_superuser=True, is_active=True).first()
    if owner is None:
        raise CommandError("API_AUTH is required, and there is no superuser: createsuperuser")
    expires_at = timezone.now() + timedelta(minutes=10)
    return create_token(owner, label="make run", expires_at=expires_at)[1]


def create_admin() -> str | None:
    """Make the first user of the admin pages; its password, or None if there is a user."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_hex(10)
    users.create_superuser(ADMIN, password=password)
    return password
