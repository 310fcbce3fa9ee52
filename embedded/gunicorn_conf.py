"""How `make run` serves: as production does, in one process, whose worker shares its queue."""

import runpy
from pathlib import Path
from typing import Any

from quantumtasks import settings
from tasks_app.processes import die_with_parent

globals().update(runpy.run_path(str(Path(__file__).parents[1] / "gunicorn.conf.py")))
workers = 1
timeout = 120
graceful_timeout = 30  # s; longer than the worker inside needs to finish or hand back


def post_fork(_server: Any, worker: Any) -> None:
    """Leave no orphan: gunicorn itself looks for a lost master only now and then."""
    die_with_parent(worker.ppid)


def post_worker_init(worker: Any) -> None:
    """Start consuming once the application is loaded."""
    from embedded.worker import start_worker  # only now is Django ready

    worker.inside = start_worker(threads=settings.WORKER_THREADS)


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish or hand back what runs."""
    if hasattr(worker, "inside"):  # else it failed before
        worker.inside.stop()
