"""The arena, shared by all faults: each leaves the service healthy, or fails and the arena goes."""

from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from embedded.postgres import PostgresServer
from testing.arena import Arena
from testing.ledger import Ledger, Spell
from testing.servers import RabbitServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("faults")


class Arenas:
    """The arena that all trials share, and after one that fails another arena."""

    def __init__(
        self, folders: pytest.TempPathFactory, *, postgres: PostgresServer, rabbit: RabbitServer
    ) -> None:
        self._folders, self._postgres, self._rabbit = folders, postgres, rabbit
        self._arena: Arena | None = None
        self.ledgers: list[Ledger] = []
        self.spells: list[Spell] = []

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
        self.ledgers += arena.ledgers
        self.spells += arena.spells
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
    ledgers: list[Ledger],
    spells: list[Spell],
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Arenas]:
    with django_db_blocker.unblock():
        connections.close_all()  # other tests' would not survive what follows
    dramatiq.get_broker().close()  # and this process's own counts as no leak
    arenas = Arenas(tmp_path_factory, postgres=postgres_server, rabbit=rabbit_server)
    yield arenas
    arenas.stop()
    ledgers.extend(arenas.ledgers)
    spells.extend(arenas.spells)


@pytest.fixture
def arena(arenas: Arenas) -> Arena:
    """The service on a database of its own; both servers may be hurt."""
    return arenas.sound()
