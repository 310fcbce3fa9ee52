"""The long forms: `make chaos` runs them, with TASKS submissions and random faults for MINUTES.

SEED repeats the order of a run's faults; each run prints its own. The table of a run is written
to the file that FAULTS_TABLE names.
"""

import os
import random
import signal
import threading
from collections.abc import Callable

import pytest

from tasks_app.tests.faults import test_postgresql, test_rabbitmq
from tasks_app.tests.faults.test_api_death import kill_gunicorn
from tasks_app.tests.faults.test_worker_death import random_kills
from testing.arena import Arena, Trial, kill
from testing.ledger import HEALTHY_LIMIT_S, Spell

pytestmark = pytest.mark.long

Fault = Callable[[Arena, random.Random], None]


def test_2000_submissions_survive_kills_of_gunicorn(arena: Arena) -> None:
    kill_gunicorn(arena, tasks=2000)


def test_a_drain_of_500_survives_20_random_kills(arena: Arena) -> None:
    random_kills(arena, seed=_seed(), tasks=500, kills=20)


@pytest.mark.parametrize("server", ["PostgreSQL", "RabbitMQ"])
def test_a_server_frozen_for_longer_than_every_time_limit(server: str, arena: Arena) -> None:
    with arena.trial(f"{server} frozen for 40 s", clients=32, every_s=1):
        proxies = arena.databases if server == "PostgreSQL" else arena.queues
        for proxy in proxies:
            proxy.freeze()
        arena.hold(40)
        for proxy in proxies:
            proxy.thaw()


def test_chaos(arena: Arena) -> None:
    minutes, tasks = float(os.environ.get("MINUTES", 10)), int(os.environ.get("TASKS", 10_000))
    seed = _seed()
    print(f"\nchaos: {minutes:g} minutes, {tasks} tasks, SEED={seed}", flush=True)
    dice = random.Random(seed)
    clients = 8
    with arena.trial(
        f"Chaos: {minutes:g} minutes, seed {seed}",
        clients=clients,
        every_s=0.9 * minutes * 60 * clients / tasks,
        limit=tasks,
        healthy_within_s=HEALTHY_LIMIT_S + 3 * arena.worker_start_s,
        backends=("aer", "noisy_line5"),
    ) as trial:
        ending = threading.Timer(60 * minutes, lambda: None)
        ending.start()
        while ending.is_alive():
            _one_fault(arena, trial, dice)
        trial.healthy_s = max(spell.healthy_s for spell in arena.spells)
        trial.stream.stop()
    arena.check_connections()


def _one_fault(arena: Arena, trial: Trial, dice: random.Random) -> None:
    fault = dice.choice(FAULTS)
    arena.hold_s = dice.choice([0.5, 2, 5, 20]) * dice.uniform(0.5, 1.5)
    answered = len(trial.stream.answers)
    fault(arena, dice)
    healthy_s = arena.healthy(trial)
    answers = trial.stream.answers[answered:]
    spell = Spell(
        fault=fault.__name__.strip("_").replace("_", " "),
        answers=len(answers),
        slowest_s=max((answer.seconds for answer in answers), default=0.0),
        healthy_s=healthy_s,
    )
    print(spell, flush=True)
    arena.spells.append(spell)
    assert healthy_s <= HEALTHY_LIMIT_S + 3 * arena.worker_start_s, spell
    threading.Event().wait(dice.uniform(0, 3))


def _seed() -> int:
    return int(os.environ.get("SEED") or random.randrange(2**32))


def _kill_worker_processes(arena: Arena, dice: random.Random) -> None:
    worker = dice.choice(arena.workers)
    family = [worker.process.pid, *worker.process.descendants()]
    kill(*dice.sample(family, dice.randint(1, len(family))))


def _terminate_worker(arena: Arena, dice: random.Random) -> None:
    dice.choice(arena.workers).process.signal(signal.SIGTERM)


def _pause_worker(arena: Arena, dice: random.Random) -> None:
    paused = dice.choice(arena.workers).process.children()
    kill(*paused, signum=signal.SIGSTOP)
    arena.hold()
    kill(*paused, signum=signal.SIGCONT)


def _kill_gunicorn_worker(arena: Arena, dice: random.Random) -> None:
    kill(*arena.api.process.children()[:1])


def _kill_gunicorn_master(arena: Arena, dice: random.Random) -> None:
    kill(arena.api.process.pid)


def _hide_postgresql_from_a_worker(arena: Arena, dice: random.Random) -> None:
    link = dice.choice(arena.links[1:])
    link.database.refuse()
    arena.hold()
    link.database.allow()


def _hide_rabbitmq_from_a_worker(arena: Arena, dice: random.Random) -> None:
    link = dice.choice(arena.links[1:])
    link.queue.freeze()
    arena.hold()
    link.queue.thaw()


def _server_fault(server: str, fault: Callable[[Arena], None]) -> Fault:
    def happens(arena: Arena, dice: random.Random) -> None:
        fault(arena)

    happens.__name__ = f"{server} {fault.__name__}"
    return happens


FAULTS: list[Fault] = [
    _kill_worker_processes,
    _terminate_worker,
    _pause_worker,
    _kill_gunicorn_worker,
    _kill_gunicorn_master,
    _hide_postgresql_from_a_worker,
    _hide_rabbitmq_from_a_worker,
    *(_server_fault("PostgreSQL", fault) for fault in test_postgresql.FAULTS),
    *(_server_fault("RabbitMQ", fault) for fault in test_rabbitmq.FAULTS),
]
