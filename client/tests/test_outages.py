"""A batch under way, while what carries it dies and is away for a while."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dramatiq
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from embedded.postgres import PostgresServer
from quantumtasks_client import Batch, BatchResult, Client
from testing.servers import RabbitServer
from testing.service import LIMIT_S, eventually
from tests.site import Site

SIZE = 500
AWAY_S = 5.0
Fault = tuple[Callable[[], object], Callable[[], object]]


@pytest.fixture
def faults(
    site: Site,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    django_db_blocker: DjangoDbBlocker,
) -> dict[str, Fault]:
    """By name how to kill it, and how to start it again."""
    with django_db_blocker.unblock():
        connections.close_all()  # other tests' would not survive what follows
    dramatiq.get_broker().close()
    api = [process for process in site.service.processes if process.name == "api"][-1]
    return {
        "API": (api.kill_group, site.service.start_api),
        "PostgreSQL": (postgres_server.kill, postgres_server.start),
        "RabbitMQ": (rabbit_server.kill, rabbit_server.start),
    }


@pytest.mark.parametrize("victim", ["PostgreSQL", "RabbitMQ", "API"])
def test_a_batch_of_500_comes_back_whole_and_right(
    victim: str, faults: dict[str, Fault], site: Site
) -> None:
    kill, start = faults[victim]
    seen: list[Batch] = []
    with (
        Client(site.url, site.token, patience_s=LIMIT_S) as client,
        ThreadPoolExecutor(1) as caller,
    ):
        call = caller.submit(results, client, seen)
        eventually(lambda: seen and seen[-1].counts["completed"], what="the first results")
        kill()
        before = seen[-1]
        time.sleep(AWAY_S)
        start()
        found = call.result(LIMIT_S)
    assert not before.ended
    assert [element.index for element in found] == list(range(SIZE))
    assert [element.counts for element in found] == [{f"{n:09b}": 5} for n in range(SIZE)]


def results(client: Client, seen: list[Batch]) -> list[BatchResult]:
    """The call that is meant: submit, wait and read, whatever happens meanwhile."""
    batch = client.submit_batch(map(counting, range(SIZE)), shots=5)
    return list(client.results(batch, progress=seen.append))


def counting(number: int) -> str:
    """A circuit that takes a moment, because of its resets, and whose outcome is the number."""
    ones = "".join(f"x q[{bit}]; " for bit in range(9) if number >> bit & 1)
    return f"""\
OPENQASM 3.0;
include "stdgates.inc";
qubit[9] q;
qubit rest;
bit[9] c;
for int i in [1:100] {{ h rest; reset rest; }}
{ones}
c = measure q;
"""
