"""The arena, shared by all faults: each leaves the service healthy, or fails."""

import os
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from embedded.postgres import PostgresServer
from testing.arena import Arena
from testing.cluster import Outage, outages_markdown
from testing.ledger import Ledger, Spell, markdown, spells_markdown
from testing.servers import RabbitServer

_ledgers: list[Ledger] = []
_spells: list[Spell] = []
_outages: list[Outage] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("faults")


@pytest.fixture(scope="session")
def ledgers() -> list[Ledger]:
    """Of all that is shown at the end of the session."""
    return _ledgers


@pytest.fixture(scope="session")
def outages() -> list[Outage]:
    """The same of nodes of a cluster."""
    return _outages


@pytest.fixture(scope="package")
def arena(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Arena]:
    """The service on a database of its own; both servers may be hurt."""
    with django_db_blocker.unblock():
        connections.close_all()  # other tests' would not survive what follows
    dramatiq.get_broker().close()  # and this process's own counts as no leak
    arena = Arena(tmp_path_factory.mktemp("arena"), postgres=postgres_server, rabbit=rabbit_server)
    try:
        arena.start()
        yield arena
    finally:
        arena.stop()
        _ledgers.extend(arena.ledgers)
        _spells.extend(arena.spells)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
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
