"""Fixtures that more than one kind of test uses."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tasks_app import backends, pace, turns
from tasks_app.api import health
from tasks_app.circuits.backend import shipped
from tasks_app.postgresql import base
from tasks_app.queue import broker
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE, queue_of
from tasks_app.queue.publisher import QueueUnavailable
from testing.cluster import Outage, outages_markdown
from testing.ledger import Ledger, Spell, markdown, spells_markdown
from testing.service import LIMIT_S, PATIENT, Service, eventually

_ledgers: list[Ledger] = []
_spells: list[Spell] = []
_outages: list[Outage] = []


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """To the API in this process, a server that a busy machine makes slow is not away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "REQUEST_DATABASE_S", LIMIT_S)
        patch.setattr(health, "CHECK_S", LIMIT_S)
        patch.setattr(broker, "PUBLISH_TIMEOUT_S", LIMIT_S)
        patch.setattr(settings, "SLOW_QUERY_S", LIMIT_S)
        yield


@pytest.fixture(scope="session", autouse=True)
def static_files_when_asked() -> Iterator[None]:
    """Each test's first request made WhiteNoise look at all the files that there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "WHITENOISE_AUTOREFRESH", True, raising=False)
        yield


@pytest.fixture(autouse=True)
def own_memory() -> None:
    """Nothing that another test has measured or read."""
    pace._pace_lately.cache_clear()
    turns._share.cache_clear()
    backends._known.cache_clear()
    backends.described.cache_clear()


@pytest.fixture
def empty_queue() -> None:
    """No messages of earlier tests in the queues or among their dead letters."""
    eventually(_queues_are_declared, what="RabbitMQ answers in time")
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as amqp:
        channel = amqp.channel()
        for queue in (*(queue_of(each.name) for each in shipped()), DEAD_LETTER_QUEUE):
            channel.queue_purge(queue)


def _queues_are_declared() -> bool:
    with suppress(QueueUnavailable):
        return all(broker.depths(each.name) for each in shipped())
    return False


@contextmanager
def _connected_to_new(name: str, *, template: str) -> Iterator[None]:
    """The default connection on a new database, a copy of that one."""
    of_session = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = of_session


def _drop(name: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of one with all tables and nothing else, to which nobody connects."""
    name = f"migrated_{uuid.uuid4().hex[:8]}"
    with django_db_blocker.unblock(), _connected_to_new(name, template="template1"):
        call_command("migrate", verbosity=0)
    yield name
    with django_db_blocker.unblock():
        _drop(name)


@pytest.fixture
def own_database(migrated_database: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The default connection on a new, fully migrated database, dropped afterwards."""
    name = f"own_{uuid.uuid4().hex[:8]}"
    with django_db_blocker.unblock():
        try:
            with _connected_to_new(name, template=migrated_database):
                yield
        finally:
            _drop(name)


@pytest.fixture
def service(tmp_path: Path, transactional_db: None, empty_queue: None) -> Iterator[Service]:
    """Real processes on the test database and broker, with clean tables and an empty queue.

    The API is patient, like the one in this process; `GUNICORN_CMD_ARGS` makes it otherwise.
    """
    env = {"DATABASE_URL": database_url(), "GUNICORN_CMD_ARGS": PATIENT}
    with Service(tmp_path, env=env) as running:
        yield running


def database_url() -> str:
    """The URL of pytest-django's database, for other processes."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


# -- what faults did -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ledgers() -> list[Ledger]:
    """Of all that is shown at the end of the session."""
    return _ledgers


@pytest.fixture(scope="session")
def spells() -> list[Spell]:
    """The same of chaos's faults."""
    return _spells


@pytest.fixture(scope="session")
def outages() -> list[Outage]:
    """The same of nodes of a cluster."""
    return _outages


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show them, and write them to the file that `FAULTS_TABLE` names."""
    tables = [markdown(_ledgers)] if _ledgers else []
    tables += [spells_markdown(_spells)] if _spells else []
    tables += [outages_markdown(_outages)] if _outages else []
    if not tables:
        return
    table = "\n".join(tables)
    terminalreporter.section("faults")
    terminalreporter.write(table)
    if path := os.environ.get("FAULTS_TABLE"):
        Path(path).write_text(table)
