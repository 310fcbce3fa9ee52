"""gunicorn's settings, of an API that counts nothing: what `benchmarks.counting` compares with."""

import runpy
from pathlib import Path
from typing import Any

globals().update(runpy.run_path(str(Path(__file__).parents[1] / "gunicorn.conf.py")))


def post_fork(_server: Any, _worker: Any) -> None:
    from tasks_app import metrics

    def nothing(*_: Any) -> None: ...

    metrics.request = metrics.moved = nothing  # type: ignore[assignment]
    metrics.SUBMISSIONS.labels = lambda *_: metrics.CLAIMS_LOST  # type: ignore[method-assign]
    metrics.CLAIMS_LOST.inc = nothing  # type: ignore[method-assign, assignment]
