"""PostgreSQL's primary is lost, and its standby promoted."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from testing import patroni, pgbouncer
from testing.arena import DATABASE, FAST
from testing.databases import manage
from testing.failover import Failover, Managed, Pooled
from testing.ledger import Ledger
from testing.servers import RabbitServer
from testing.service import Service, Supervisor, eventually
from testing.standby import Member

pytestmark = pytest.mark.cluster

IS_READ_ONLY = (
    "from django.db import connection as c;"
    "print(c.cursor().execute('SHOW transaction_read_only').fetchone()[0])"
)


@pytest.fixture(scope="module")
def failover(
    tmp_path_factory: pytest.TempPathFactory, rabbit_server: RabbitServer, ledgers: list[Ledger]
) -> Iterator[Failover]:
    """The service on a primary and its synchronous standby; each test leaves them so."""
    with running(Failover(tmp_path_factory.mktemp("failover"), rabbit=rabbit_server)) as arena:
        yield arena
    ledgers.extend(arena.ledgers)


@contextmanager
def running(arena: Failover) -> Iterator[Failover]:
    try:
        arena.start()
        yield arena
    finally:
        arena.stop()


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
    assert history.count("completed") == 1 and history[-1] == "completed"


def test_no_accepted_task_is_lost_with_the_primary(failover: Failover) -> None:
    fail_over(failover, "PostgreSQL's primary killed, its standby promoted")
    failover.rejoin()
    for first in (failover.standby, failover.leading):
        url = failover.url_of_both("new", first=first)
        asked = manage(failover.service.env | {"DATABASE_URL": url}, "shell", "-c", IS_READ_ONLY)
        assert asked.splitlines()[-1] == "off", "whoever starts now finds the primary"


@pytest.mark.long
def test_what_led_once_is_rewound_and_leads_again(failover: Failover) -> None:
    for number in ("second", "third"):
        first = failover.leading
        fail_over(failover, f"The primary killed, its standby promoted: the {number} time")
        failover.rejoin()
        assert failover.standby is first


@pytest.mark.long
def test_two_that_believe_to_lead_do_not_both_take_writes(
    failover: Failover, tmp_path: Path
) -> None:
    """The one that was paused waits, with each commit, for a standby that is none any more."""
    with failover.trial("The primary paused, its standby promoted, the primary awake") as trial:
        old, late = failover.leading, failover.through(failover.links[0])
        late["DATABASE_URL"] = failover.url_of_both("late")  # asks the old one first
        old.pause()
        failover.hold()
        failover.promote()
        trial.end()
        old.go_on()
        with Service(tmp_path, env=FAST | late) as more:
            more.start_worker(processes=1, threads=1)
            waiting = "SELECT DISTINCT wait_event FROM pg_stat_activity WHERE application_name = "
            eventually(
                lambda: ("SyncRep",) in failover.sql(f"{waiting}'late'", url=old.url),
                what="what it writes to the old one is not acknowledged",
            )
            eventually(lambda: failover.sql(f"{waiting}'late'"), what="it finds the new one")
        refuse_writes(old)
        of_old = failover.sql("SELECT task_id FROM tasks_app_task", url=old.url_of(DATABASE))
        of_new = failover.sql("SELECT task_id FROM tasks_app_task")
        assert set(of_old) <= set(of_new)
        old.die()
    failover.rejoin()


def refuse_writes(old: Member) -> None:
    """Whoever writes there waits without end, and nobody sees what was written."""
    url = old.url_of(DATABASE)
    with closing(psycopg.connect(url, autocommit=True, application_name="stranger")) as stranger:
        stranger.pgconn.send_query(b"CREATE TABLE stranger ()")
        waits = "SELECT wait_event FROM pg_stat_activity WHERE application_name = 'stranger'"
        eventually(lambda: old.value(waits) == "SyncRep", what="its commit waits")
        with psycopg.connect(url) as other:
            assert other.execute("SELECT to_regclass('stranger')").fetchone() == (None,)


@pytest.mark.long
def test_commits_wait_for_a_standby_that_is_away(failover: Failover) -> None:
    with failover.trial("The synchronous standby killed, and started again") as trial:
        failover.standby.die()
        refused = trial.stream.count(503)
        eventually(lambda: trial.stream.count(503) >= refused + 8, what="nothing is accepted")
        failover.standby.start()
    with failover.trial("The synchronous standby killed, and no longer waited for") as trial:
        failover.standby.die()
        refused = trial.stream.count(503)
        eventually(lambda: trial.stream.count(503) >= refused + 8, what="nothing is accepted")
        failover.leading.wait_for_nobody()
    failover.standby.start()
    failover.leading.wait_for_standby()


@pytest.mark.long
def test_what_an_asynchronous_standby_did_not_receive_is_lost_and_nothing_else(
    failover: Failover,
) -> None:
    old = failover.leading
    old.wait_for_nobody()
    with failover.trial("An asynchronous standby that lags, promoted", check=False) as trial:
        old.replication.freeze()
        accepted = trial.stream.count(202)
        eventually(lambda: trial.stream.count(202) >= accepted + 40, what="tasks are accepted")
        old.die()
        failover.promote()
        trial.end()
    old.replication.thaw()

    gone = [
        task_id
        for task_id in trial.stream.accepted
        if failover.service.get(f"/tasks/{task_id}").status == 404
    ]
    assert len(gone) == trial.ledger.lost > 0
    assert (trial.ledger.stuck, trial.ledger.terminal_twice) == (0, 0)
    failover.rejoin()


@pytest.mark.long
@pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="pgbouncer is not installed")
def test_pgbouncer_is_led_to_the_new_primary(
    tmp_path: Path, rabbit_server: RabbitServer, ledgers: list[Ledger]
) -> None:
    with running(Pooled(tmp_path, rabbit=rabbit_server)) as pooled:
        for way in ("there", "and back"):
            fail_over(pooled, f"Through PgBouncer: the primary killed, its standby promoted, {way}")
            pooled.rejoin()
    ledgers.extend(pooled.ledgers)


@pytest.mark.long
def test_patroni_promotes_and_rewinds_by_itself(
    tmp_path: Path, rabbit_server: RabbitServer, ledgers: list[Ledger]
) -> None:
    if reason := patroni.missing():
        pytest.skip(reason)
    with running(Managed(tmp_path, rabbit=rabbit_server)) as managed:
        fail_over(managed, "Under Patroni: the primary killed with its host, its standby promoted")
        managed.rejoin()
    ledgers.extend(managed.ledgers)
