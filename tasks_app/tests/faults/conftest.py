"""The arena, shared by all faults: each leaves the service healthy, or fails and the arena goes."""

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


class Arenas:
    """The arena that all trials share, and after one that fails another arena."""

    def __init__(
        self, folders: pytest.TempPathFactory, *, postgres: PostgresServer, rabbit: RabbitServer
    ) -> None:
        self._folders, self._postgres, self._rabbit = folders, postgres, rabbit
        self._arena: Arena | None = None

    def sound(self) -> Arena:
        """The service, healthy as far as trials know."""
        if self._arena and not self._arena.sound:
            self.stop()
        if self._arena is None:
            folder = self._folders.mktemp("arena")
            self._arena = Arena(folder, postgres=self._postgres, rabbit=self._rabbit)
            self._arena.start()
        return self._arena

    def stop(self) -> None:
        arena, self._arena = self._arena, None
        if arena is None:
            return
        _ledgers.extend(arena.ledgers)
        _spells.extend(arena.spells)
        if not arena.sound:
            self._recover_servers()
        arena.stop()

    def _recover_servers(self) -> None:
        """A trial that failed may have left them stopped, paused or refusing."""
        self._postgres.kill()
        self._rabbit.kill()
        self._rabbit.launch()
        self._postgres.start()
        self._rabbit.wait_ready()
        self._rabbit.change_password()


@pytest.fixture(scope="package")
def arenas(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Arenas]:
    with django_db_blocker.unblock():
        connections.close_all()  # other tests' would not survive what follows
    dramatiq.get_broker().close()  # and this process's own counts as no leak
    arenas = Arenas(tmp_path_factory, postgres=postgres_server, rabbit=rabbit_server)
    yield arenas
    arenas.stop()


@pytest.fixture
def arena(arenas: Arenas) -> Arena:
    """The service on a database of its own; both servers may be hurt."""
    return arenas.sound()


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
