"""gunicorn's settings for tests in which no answer may be 503 (`testing.service.PATIENT`).

To this API, a server that a busy machine makes slow is not away.
"""

import runpy
from importlib import import_module
from typing import Any

from testing.service import LIMIT_S, ROOT

globals().update(runpy.run_path(str(ROOT / "gunicorn.conf.py")))


def post_fork(_server: Any, _worker: Any) -> None:
    """The application is loaded by then, and not when this file is read."""
    for module, limits in {
        "tasks_app.postgresql.base": ("REQUEST_DATABASE_S", "MAX_WAITED_S"),
        "tasks_app.queue.broker": ("PUBLISH_TIMEOUT_S",),
        "tasks_app.api.health": ("CHECK_S",),
    }.items():
        for limit in limits:
            setattr(import_module(module), limit, LIMIT_S)
