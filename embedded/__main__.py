"""`make run`: database, service and worker on this machine, shown at work, until Ctrl-C."""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

import django
import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import DatabaseError

from embedded import StartError
from embedded.database import ADMIN, create_admin, demonstration_token, migrate
from embedded.demonstration import call, demonstrate
from embedded.postgres import SharedPostgres, write_private
from quantumtasks import logging
from tasks_app.processes import die_with_parent, port_is_free, tail, tethered

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1,localhost,[::1]"
START_LIMIT_S = 120.0
STOP_LIMIT_S = 45.0  # more than gunicorn's graceful_timeout
DEMONSTRATION_LIMIT_S = 20.0
ONCE_LIMIT_S = 300.0
LOG_LIMIT_BYTES = 20_000_000


def main() -> int:
    """Run until told to stop; the exit status."""
    arguments = _arguments()
    if arguments.with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _interrupt)
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    service = Service(arguments.port, arguments.data_dir.absolute())
    status = 1
    try:
        service.start()
        limit_s = ONCE_LIMIT_S if arguments.once else DEMONSTRATION_LIMIT_S
        circuit = ROOT / "examples" / "bell.qasm"
        shown = demonstrate(service.url, circuit, limit_s=limit_s, token=demonstration_token())
        status = 0 if shown or not arguments.once else 1
        if not arguments.once:
            service.print_addresses()
            service.supervise()
    except KeyboardInterrupt:
        print("\nStopping: circuits that run now may finish. Once more to stop at once.")
    except (StartError, ImproperlyConfigured, CommandError, DatabaseError, OSError) as error:
        status = 1
        print(f"\nmake run: {error}\n{service.last_words()}", file=sys.stderr)
    finally:
        service.stop()
    return status


class Service:
    """Everything that one `make run` starts, in order, and stops in the opposite order."""

    def __init__(self, port: int, data_dir: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._data_dir = data_dir
        self._log_path = data_dir / f"service-{port}.log"
        self._postgres: SharedPostgres | None = None
        self._gunicorn: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when the service answers. Raises StartError or OSError."""
        started = time.monotonic()
        if not port_is_free(self._port):
            raise StartError(
                f"port {self._port} is taken, perhaps by another copy. Choose another one: "
                f"make run PORT={self._port + 1}"
            )
        print("Quantum Tasks")
        self._data_dir.mkdir(parents=True, exist_ok=True)
        log = self._log_path.open("a")
        environment = os.environ | self._settings()
        os.environ |= environment | {"DB_STATEMENT_TIMEOUT_S": "0"}  # migrations may take long
        logging.stream = log  # the terminal is for banners
        django.setup()
        self._prepare_database()
        self._start_gunicorn(environment, log)
        print(f"  Service     {self.url}, ready after {time.monotonic() - started:.1f} s")

    def supervise(self) -> None:
        """Keep everything running until interrupted. Raises StartError when the service ends."""
        while True:
            self._check_gunicorn()
            if self._postgres:
                self._postgres.keep_running()
            for log in (self._log_path, self._data_dir / "postgres.log"):
                _rotate(log)
            time.sleep(0.5)

    def stop(self) -> None:
        """Let running circuits finish, then stop the database; at once if interrupted again."""
        try:
            if self._gunicorn:
                self._gunicorn.terminate()
            deadline = time.monotonic() + STOP_LIMIT_S
            while self._gunicorn and self._gunicorn.poll() is None:
                if time.monotonic() > deadline:
                    raise KeyboardInterrupt
                if self._postgres:  # to finish, a circuit needs it
                    self._postgres.keep_running()
                time.sleep(0.05)
        except (KeyboardInterrupt, StartError):
            if self._gunicorn:
                self._gunicorn.kill()  # its processes die with it
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        if self._postgres:
            self._postgres.stop()

    def last_words(self) -> str:
        """The end of the service's log, if it came as far as writing one."""
        if self._gunicorn is None:
            return ""
        return f"The last lines of {self._log_path}:\n{tail(self._log_path)}"

    def print_addresses(self) -> None:
        """What to open and try next."""
        circuit = r"OPENQASM 2.0; include \"qelib1.inc\"; qreg q[1]; creg c[1]; "
        circuit += "h q[0]; measure q -> c;"
        print(
            f"""
Open
  Console     {self.url}
  API         {self.url}/tasks
  Reference   {self.url}/docs
  Admin       {self.url}/admin/
  Health      {self.url}/health
Try
  curl -s {self.url}/tasks -H 'Content-Type: application/json' \\
    -d '{{"circuit": "{circuit}"}}'
  curl -s {self.url}/tasks/TASK_ID
Files
  Data        {self._data_dir}
  Log         {self._log_path}

Serving until Ctrl-C."""
        )

    def _settings(self) -> dict[str, str]:
        """What the service is told; where it is ours to run, a PostgreSQL answers by then."""
        environ.Env.read_env(ROOT / ".env")  # as the settings do, but here our defaults come after
        url = os.environ.get("DATABASE_URL", "")
        if not url:
            print(f"  PostgreSQL  starting, its data in {self._data_dir}")
            self._postgres = SharedPostgres(self._data_dir)
            url = self._postgres.wait_ready()
        defaults = {
            "DJANGO_SETTINGS_MODULE": "quantumtasks.settings",
            "RABBITMQ_URL": "memory://",
            "SECRET_KEY": _kept_secret(self._data_dir / "secret_key"),
            "HTTPS_ONLY": "false",
            "API_AUTH": "open",  # it listens on loopback only
        }
        given = {name: value for name in defaults if (value := os.environ.get(name))}
        hosts = f"{LOOPBACK},{os.environ.get('ALLOWED_HOSTS', '')}".rstrip(",")
        return defaults | given | {"DATABASE_URL": url, "ALLOWED_HOSTS": hosts}

    def _prepare_database(self) -> None:
        count = migrate(self._data_dir)
        print(f"  Database    {f'{count} migrations applied' if count else 'up to date'}")
        if self._postgres and (password := create_admin()):  # another database has its own
            print(f"  Admin       user {ADMIN}, password {password} (shown only this once)")

    def _start_gunicorn(self, environment: dict[str, str], log: TextIO) -> None:
        config = "python:embedded.gunicorn_conf"
        options = ["--config", config, "--bind", f"127.0.0.1:{self._port}"]
        self._gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "quantumtasks.wsgi", *options],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            preexec_fn=tethered(),
        )
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            self._check_gunicorn()
            with suppress(OSError):
                call(f"{self.url}/health/live", timeout_s=5)
                return
            if time.monotonic() > deadline:
                raise StartError("the service does not answer")
            time.sleep(0.02)

    def _check_gunicorn(self) -> None:
        if self._gunicorn and (status := self._gunicorn.poll()) is not None:
            raise StartError(f"the service ended with status {status}")


def _rotate(log: Path) -> None:
    """Put a long log aside; whoever has it open, to append, goes on at its new beginning."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.old"))
        os.truncate(log, 0)


def _kept_secret(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(50))
    return path.read_text()


_interrupted_at: float | None = None


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    """The first signal stops gracefully, a later one at once.

    One request may arrive twice: a signal to the whole group reaches us directly and through make.
    """
    global _interrupted_at
    now = time.monotonic()
    if _interrupted_at is None or now > _interrupted_at + 1:
        _interrupted_at = now
        raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the demonstration")
    parser.add_argument("--port", type=int, default=8001, help="HTTP port on 127.0.0.1")
    parser.add_argument("--data-dir", type=Path, default=Path(".data"), help="kept between runs")
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent ends")
    arguments = parser.parse_args()
    if not 0 < arguments.port < 65536:
        parser.error(f"{arguments.port} is not a TCP port")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
