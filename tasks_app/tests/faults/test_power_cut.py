"""Everything dies at once."""

import os
import signal

from testing.arena import Arena
from testing.ledger import HEALTHY_LIMIT_S


def test_no_task_is_lost_when_everything_is_killed_at_once(arena: Arena) -> None:
    with arena.trial(
        "kill -9 of PostgreSQL, RabbitMQ, gunicorn and all workers at once",
        healthy_within_s=HEALTHY_LIMIT_S + 3 * arena.worker_start_s,
    ) as trial:
        task_id = trial.submit_slow(3)
        arena.owner(task_id)
        for supervisor in (arena.api, *arena.workers):
            os.killpg(supervisor.process.pid, signal.SIGKILL)
        arena.postgres.kill()
        arena.rabbit.kill()
        arena.hold()
        arena.rabbit.launch()
        arena.postgres.start()
        arena.rabbit.wait_ready()

    assert trial.task(task_id)["status"] == "completed"
