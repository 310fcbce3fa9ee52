"""gunicorn's settings, of an API that counts one request and not the next, by chance, and notes the
processor time of each: for `benchmarks.counting`."""

import json
import os
import random
import runpy
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

globals().update(runpy.run_path(str(Path(__file__).parents[1] / "gunicorn.conf.py")))

_request = threading.local()
_times: dict[bool, list[int]] = {True: [], False: []}


def _switched(count: Callable[..., None]) -> Callable[..., None]:
    def counted(*args: Any, **kwargs: Any) -> None:
        if getattr(_request, "counts", True):
            count(*args, **kwargs)

    return counted


def _timed(answer: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any) -> Any:
        _request.counts = random.random() < 0.5
        begun = time.thread_time_ns()
        response = answer(*args)
        _times[_request.counts].append(time.thread_time_ns() - begun)
        return response

    return timed


def post_fork(_server: Any, _worker: Any) -> None:
    from tasks_app import metrics
    from tasks_app.api.middleware import ApiMiddleware

    for name in ("request", "moved", "submitted"):
        setattr(metrics, name, _switched(getattr(metrics, name)))
    ApiMiddleware.__call__ = _timed(ApiMiddleware.__call__)  # type: ignore[method-assign]


def worker_exit(_server: Any, _worker: Any) -> None:
    """Nanoseconds of the thread that answered, of requests that were counted and others."""
    Path(os.environ["TIMES"]).write_text(json.dumps([_times[True], _times[False]]))
