"""A database of one's own for a whole service, and its management commands."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from testing.service import ROOT


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a new, empty database, dropped afterwards."""
    server, name = os.environ["DATABASE_URL"], f"own_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(env: Mapping[str, str], *command: str) -> str:
    """What a command of the service's prints."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=dict(env),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
