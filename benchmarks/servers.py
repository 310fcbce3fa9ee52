"""A private PostgreSQL and RabbitMQ with the service's tables, for one benchmark."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testing.servers import RabbitServer


@contextmanager
def private_servers(*, fsync: bool = True, **settings: str) -> Iterator[Path]:
    """Start both, name them in the environment (with `settings`), migrate; yields a folder.

    PostgreSQL flushes its commits to disk, as in production, unless `fsync` is false.
    """
    with private_servers_and_rabbit(fsync=fsync, **settings) as (folder, _):
        yield folder


@contextmanager
def private_servers_and_rabbit(
    *, fsync: bool = True, **settings: str
) -> Iterator[tuple[Path, "RabbitServer"]]:
    """The same, and RabbitMQ's node, to be asked."""
    with tempfile.TemporaryDirectory(prefix="quantum-tasks-bench-") as name:
        folder = Path(name)
        # Imported here: the test servers choose their ports, and start, when they are imported.
        from testing.servers import new_postgres_server, new_rabbit_server

        new_rabbit = new_rabbit_server(folder / "rabbitmq")
        new_rabbit.ensure_installed()
        with (
            new_postgres_server(folder / "postgres", durable=fsync) as postgres,
            new_rabbit as rabbit,
        ):
            os.environ |= {
                "DATABASE_URL": postgres.url,
                "RABBITMQ_URL": rabbit.url,
                "SECRET_KEY": "benchmark-0123456789-abcdefghijklmnopqrstuvwxyz",
                "API_AUTH": "open",
                "DJANGO_SETTINGS_MODULE": "quantumtasks.settings",
                "LOG_LEVEL": "WARNING",
                **settings,
            }
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], check=True)
            yield folder, rabbit
