"""API and workers on hosts of their own, whose links to the servers fail one at a time."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from testing import hosts
from testing.apart import CLOCKS_H, Apart
from testing.clocks import clock_offset_s
from testing.hosts import Weather
from testing.ledger import Ledger
from testing.service import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.long]

WAYS = {
    "both ways": Weather(sent=1, received=1),
    "what is sent": Weather(sent=1),
    "what is received": Weather(received=1),
}


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, ledgers: list[Ledger]) -> Iterator[Apart]:
    if reason := hosts.missing():
        pytest.skip(reason)
    arena = Apart(tmp_path_factory.mktemp("apart"))
    try:
        arena.start()
        yield arena
    finally:
        arena.stop()
        ledgers.extend(arena.ledgers)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CLOCKS_H)
def test_a_host_cut_off_from_the_servers_harms_nothing(name: str, way: str, apart: Apart) -> None:
    wire = apart.hosts[name].wire
    with apart.trial(f"Host of {name} cut off from both servers, {way}") as trial:
        for _ in range(4):  # as many as run at a time: every worker has some
            trial.submit_slow(3)
        answered = len(trial.stream.answers)
        wire.weather = replace(WAYS[way], ports=apart.server_ports)
        eventually(lambda: not apart.unfinished_slow_tasks(), what="they ran, there or elsewhere")
        eventually(lambda: len(trial.stream.answers) > answered + 8, what="the API answers")
        wire.weather = Weather()
    assert wire.lost


def test_a_worker_far_away_from_postgresql_does_its_share(apart: Apart) -> None:
    wire = apart.hosts["first"].wire
    far = Weather(frozenset({apart.postgres.port}), sent=0.05, received=0.05, delay_s=0.1)
    with apart.trial("A worker 200 ms away from PostgreSQL, 5 % of the packets lost") as trial:
        wire.weather, lost = far, wire.lost
        done = "SELECT count(*) FROM tasks_app_task WHERE completed_at IS NOT NULL AND worker LIKE "
        of_first = f"{done}'first:%' AND submitted_at > '{trial.begun_at}'"
        eventually(lambda: apart.sql(of_first) >= [(10,)], what="it completes some")
        wire.weather = Weather()
    assert wire.lost > lost


def test_the_hosts_have_clocks_of_their_own(apart: Apart) -> None:
    with apart.trial("Three hosts whose clocks are wrong by -1, +2 and -2 h") as trial:
        for _ in range(8):
            trial.submit_slow(0.5)
        eventually(lambda: not apart.unfinished_slow_tasks(), what="all have run")
        for supervisor, hours in zip((apart.api, *apart.workers), CLOCKS_H.values(), strict=True):
            assert abs(clock_offset_s(supervisor.process) - 3600 * hours) < 1800
    rows = apart.sql(
        f"SELECT DISTINCT attempt FROM tasks_app_task WHERE submitted_at >= '{trial.begun_at}'"
    )
    assert rows == [(1,)], "nobody took what was another's"
