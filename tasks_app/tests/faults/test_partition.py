"""Row 10: a worker that sees one of the two servers, but not the other."""

from collections.abc import Callable

import pytest

from testing.arena import Arena
from testing.service import Proxy, eventually


def _refuse(proxy: Proxy) -> None:
    proxy.refuse()


def _freeze(proxy: Proxy) -> None:
    proxy.freeze()


NAMES: dict[Callable[[Proxy], None], str] = {_refuse: "refused", _freeze: "frozen"}


@pytest.mark.parametrize("hide", NAMES, ids=NAMES.values())
@pytest.mark.parametrize("server", ["database", "queue"])
def test_a_worker_that_sees_half_the_world_harms_nothing(
    server: str, hide: Callable[[Proxy], None], arena: Arena
) -> None:
    hidden = "PostgreSQL" if server == "database" else "RabbitMQ"
    with arena.trial(f"A worker without {hidden}, {NAMES[hide]}") as trial:
        task_id = trial.submit_slow(1)
        worker = arena.supervisor_of(arena.owner(task_id))
        link = arena.links[1 + arena.workers.index(worker)]
        proxy: Proxy = getattr(link, server)
        accepted = trial.stream.count(202)
        hide(proxy)
        eventually(
            lambda: trial.task(task_id)["status"] == "completed",
            what="its task completes, there or elsewhere",
        )
        eventually(lambda: trial.stream.count(202) > accepted + 8, what="the API never noticed")
        proxy.thaw()
        proxy.allow()
