"""A worker inside the API process, for `make run`: same actors, heartbeat and recovery."""

import dramatiq
import structlog
from dramatiq.brokers.stub import StubBroker

from tasks_app import recovery
from tasks_app.circuits import standing_walls
from tasks_app.management.commands.rundramatiq import demand_walls
from tasks_app.postgresql.base import DATABASE_ERRORS
from tasks_app.worker import actors  # noqa: F401  # what there is to consume

log = structlog.get_logger(__name__)


def start_worker(*, threads: int) -> dramatiq.Worker:
    """Start consuming with `threads` worker threads.

    With the in-memory broker every message of an earlier process is gone, so all tasks that are
    pending, or were running, are rung again at once.
    """
    demand_walls(standing_walls())
    broker = dramatiq.get_broker()
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=200)
    worker.queue_prefetch = threads
    worker.start()
    if isinstance(broker, StubBroker):
        try:
            recovery.recover(grace_s=0)
        except DATABASE_ERRORS:
            log.exception("first_recovery_failed")  # the leader's next pass does it
    return worker
