"""PostgreSQL's primary is lost, and its standby promoted."""

from collections.abc import Iterator

import pytest

from testing.failover import Failover
from testing.ledger import Ledger
from testing.servers import RabbitServer
from testing.service import Supervisor, eventually


@pytest.fixture(scope="module")
def failover(
    tmp_path_factory: pytest.TempPathFactory, rabbit_server: RabbitServer, ledgers: list[Ledger]
) -> Iterator[Failover]:
    """The service on a primary and its synchronous standby; each test leaves them so."""
    arena = Failover(tmp_path_factory.mktemp("failover"), rabbit=rabbit_server)
    try:
        arena.start()
        yield arena
    finally:
        arena.stop()
        ledgers.extend(arena.ledgers)


def fail_over(failover: Failover, name: str) -> None:
    """The primary dies under load, and its standby is promoted by hand."""
    with failover.trial(name) as trial:
        eventually(failover.leader, what="a worker leads recovery")
        task_id = trial.submit_slow(5)
        failover.owner(task_id)
        failover.leading.die()
        failover.hold()
        failover.promote()
        trial.end()
        leader: Supervisor = eventually(failover.leader, what="a worker leads recovery again")
        assert leader in failover.workers

    history = [entry["status"] for entry in trial.task(task_id)["status_history"]]
    assert history == ["pending", "processing", "completed"], "its worker renewed the lease"


def test_no_accepted_task_is_lost_with_the_primary(failover: Failover) -> None:
    fail_over(failover, "PostgreSQL's primary killed, its standby promoted")
    failover.rejoin()


@pytest.mark.cluster
def test_what_led_once_is_rewound_and_leads_again(failover: Failover) -> None:
    for number in ("second", "third"):
        first = failover.leading
        fail_over(failover, f"The primary killed, its standby promoted: the {number} time")
        failover.rejoin()
        assert failover.standby is first
