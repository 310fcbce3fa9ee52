"""A service as somebody else runs it: an address, and a token that an administrator made."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from testing.arena import FAST
from testing.databases import manage, own_database
from testing.service import Service

BELL = """\
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
BROKEN = BELL.replace("h q[0]", "hh q[0]")
# Each shot takes its time because of the reset in the middle.
LONG = BELL.replace("cx q[0]", "for int i in [1:2000] { reset q[0]; h q[0]; }\ncx q[0]")
LINE = "noisy_line5"  # a device that comes with the service
ROTATION = """\
OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit q;
bit c;
ry(theta) q;
c = measure q;
"""


@dataclass(frozen=True)
class Site:
    """The service, its URL, and a token of an ordinary user."""

    service: Service
    url: str
    token: str

    def new_token(self, *options: str) -> str:
        return manage(self.service.env, "create_token", "ada", *options)


@contextmanager
def running(folder: Path, *simulators: str, **settings: str) -> Iterator[Site]:
    """A service that asks for tokens, on a database of its own, with one worker.

    With more plain simulators of these names.

    One at a time: they would take each other's messages from the queue.
    """
    with own_database() as url:
        env = {**FAST, "DATABASE_URL": url, "API_AUTH": "required", **settings}
        with Service(folder, env=env) as service:
            manage(service.env, "migrate", "--verbosity", "0")
            add_simulators(url, simulators)
            person = ["--noinput", "--username", "ada", "--email", "ada@example.org"]
            password = {"DJANGO_SUPERUSER_PASSWORD": secrets.token_hex(16)}
            manage({**service.env, **password}, "createsuperuser", *person)
            service.start_api()
            service.keep_worker({})
            token = manage(service.env, "create_token", "ada")
            yield Site(service, f"http://127.0.0.1:{service.port}", token)


def add_simulators(database: str, names: Iterable[str]) -> None:
    """As an administrator does it."""
    with psycopg.connect(database) as connection:
        for name in names:
            row = "(name, kind, definition) VALUES (%s, 'aer', '{}')"
            connection.execute(f"INSERT INTO tasks_app_backend {row}", [name])
