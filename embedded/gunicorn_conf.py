"""How `make run` serves: one process, so that the worker inside it shares its in-memory queue."""

import os
from collections.abc import Callable
from typing import Any

from gunicorn.http import message  # type: ignore[import-untyped]

from quantumtasks.logging import logging_dict
from tasks_app.processes import die_with_parent

workers = 1
worker_class = "quantumtasks.http_server.SharedWorker"
logger_class = "quantumtasks.http_server.Log"
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 120
graceful_timeout = 30  # s; longer than the worker inside needs to finish or hand back
control_socket_disable = True
limit_request_line = message.MAX_REQUEST_LINE = 32_768  # as in gunicorn.conf.py
logconfig_dict = logging_dict()

_stop_worker: Callable[[], None] | None = None


def post_fork(_server: Any, worker: Any) -> None:
    """Leave no orphan: gunicorn itself looks for a lost master only now and then."""
    die_with_parent(worker.ppid)


def post_worker_init(_worker: Any) -> None:
    """Start consuming once the application is loaded."""
    from embedded.worker import start_worker  # only now are Django's settings ready

    global _stop_worker
    _stop_worker = start_worker(threads=max(2, os.cpu_count() or 1))


def worker_exit(_server: Any, _worker: Any) -> None:
    """Finish or hand back what runs."""
    if _stop_worker is not None:
        _stop_worker()
