"""What a Dramatiq worker process does around its messages: start-up, heartbeat, recovery, end."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import dramatiq
import structlog
from django.conf import settings
from django.db import close_old_connections, connections
from dramatiq.middleware import Middleware
from prometheus_client import start_http_server

from tasks_app import backends, metrics, pace, recovery, tracing, worker_id
from tasks_app.postgresql.base import DATABASE_ERRORS, why
from tasks_app.processes import die_with_parent, hide_memory
from tasks_app.queue.doorbell import LOOKOUT, queue_of
from tasks_app.worker import slots

log = structlog.get_logger(__name__)


class WorkerLifecycle(Middleware):
    """Hooks of one worker process."""

    def __init__(self) -> None:
        self._threads: list[Periodic] = []
        self._grace: threading.Timer | None = None
        self._consuming = threading.Lock()  # while held, the worker's consumers stay the same

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        hide_memory()
        # Killed while it waits for us, Dramatiq's master would be waited for without end.
        _die_with_master(signal.SIGKILL)

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        _die_with_master(signal.SIGTERM)
        leader = recovery.Leader()

        def attend() -> None:
            served = backends.served()
            self.consume(broker, served)
            pace.report(slots=worker.worker_threads, walls=slots.walls(), backends=served)
            leader.attend()

        self._threads = [
            Periodic("heartbeat", interval_s=settings.HEARTBEAT_S, work=slots.renew_all),
            Periodic("presence", interval_s=settings.RECOVERY_S, work=attend),
        ]
        for thread in self._threads:
            thread.start()
        _serve_metrics()
        log.info("worker_ready", worker=worker_id.current(), threads=worker.worker_threads)

    def consume(self, broker: dramatiq.Broker, served: Iterable[str]) -> None:
        """Consume these backends' messages from now on, unless the worker is about to end: it then
        goes through its consumers, and falls over a new one.
        """
        with self._consuming:
            if not slots.stopping.is_set():
                for name in served:
                    broker.declare_queue(queue_of(name))

    def after_worker_thread_boot(self, broker: dramatiq.Broker, thread: Any) -> None:
        slots.current()  # warms its simulation child before the first task comes

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        correlation_id = str(message.options.get("correlation_id", ""))[:128]
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        if message.queue_name != LOOKOUT:
            log.info("message_received", message_id=message.message_id, args=message.args[:1])
        if getattr(message, "redelivered", False):  # its worker may have died, with its task
            with suppress(*DATABASE_ERRORS):
                recovery.expire_leases_of_the_dead()

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: Any = None
    ) -> None:
        # No retry here: recovery reads the row. What nobody foresaw goes to the dead letters.
        if exception is not None and not isinstance(exception, DATABASE_ERRORS):
            message.fail()
        structlog.contextvars.clear_contextvars()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Let running tasks finish for `SHUTDOWN_GRACE_S`; then they are handed back."""
        with self._consuming:
            slots.stopping.set()
        log.info("worker_stopping", running=len(slots.held()))
        self._grace = threading.Timer(settings.SHUTDOWN_GRACE_S, slots.stop_all)
        self._grace.daemon = True
        self._grace.start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        if self._grace is not None:
            self._grace.cancel()
        for thread in self._threads:
            thread.stop()
        slots.close_all()
        with suppress(*DATABASE_ERRORS):
            pace.leave()
        tracing.close()
        log.info("worker_stopped")


def _serve_metrics() -> None:
    """Tell Prometheus what all processes of this worker counted: one of them does."""
    if settings.WORKER_METRICS_BIND:
        address, _, port = settings.WORKER_METRICS_BIND.rpartition(":")
        with suppress(OSError):  # another one does: the command has seen that the port was free
            start_http_server(int(port), address.strip("[]"), metrics.registry())


def _die_with_master(signum: signal.Signals) -> None:
    """Nobody would supervise us after that."""
    master = multiprocessing.parent_process()
    if master is not None and master.pid is not None:  # else we are in the API's process
        die_with_parent(master.pid, signum)


class Periodic(threading.Thread):
    """Calls `work` every `interval_s` until stopped, whatever `work` raises.

    It has a database connection of its own, whose health is checked before each call.
    """

    def __init__(self, name: str, *, interval_s: float, work: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self._interval_s = interval_s
        self._work = work
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self._interval_s):
            try:
                close_old_connections()
                self._work()
            except DATABASE_ERRORS as error:
                log.warning("database_away", thread=self.name, reason=why(error))
            except Exception:  # the next call may fare better, and none at all would be worse
                log.exception("periodic_error", thread=self.name)
        connections.close_all()

    def stop(self) -> None:
        """End the thread after the call under way, waiting for it at most 5 s."""
        self._ending.set()
        if self.is_alive():
            self.join(timeout=5)
