"""Row 5: what PostgreSQL and the way to it can do."""

from collections.abc import Callable

import pytest

from testing.arena import Arena


def restarted(arena: Arena) -> None:
    arena.postgres.stop()
    arena.hold()
    arena.postgres.start()


def killed(arena: Arena) -> None:
    arena.postgres.kill()
    arena.hold()
    arena.postgres.start()


def terminating_all_backends(arena: Arena) -> None:
    arena.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


def cut(arena: Arena) -> None:
    for proxy in arena.databases:
        proxy.cut()


def refused(arena: Arena) -> None:
    for proxy in arena.databases:
        proxy.refuse()
    arena.hold()
    for proxy in arena.databases:
        proxy.allow()


def frozen(arena: Arena) -> None:
    for proxy in arena.databases:
        proxy.freeze()
    arena.hold(max(6, arena.hold_s))
    arena.stream.await_round()  # the API answers, and is not waiting for the thaw
    for proxy in arena.databases:
        proxy.thaw()


def read_only(arena: Arena) -> None:
    """As after a failover to a standby, or by an operator who keeps a full disk from worse."""
    name = arena.database_url.rpartition("/")[2]
    arena.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    terminating_all_backends(arena)
    arena.hold()
    arena.sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")


FAULTS = [restarted, killed, terminating_all_backends, cut, refused, frozen, read_only]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_task_is_lost_when_postgresql_is(fault: Callable[[Arena], None], arena: Arena) -> None:
    clients = 32 if fault is frozen else 4
    with arena.trial(
        "PostgreSQL " + fault.__name__.replace("_", " "),
        clients=clients,
        every_s=max(0.25, 0.03 * clients),
    ):
        fault(arena)
