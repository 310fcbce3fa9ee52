"""Flame graphs of the hot paths into docs/images: python -m benchmarks.profile [SECONDS]

py-spy (from .venv-bench) looks at an API process while 64 clients submit and while 16 read, and at
the worker process while Bell circuits drain, a hundred times a second. Needs the right to trace:
root, or kernel.yama.ptrace_scope 0.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pika

from benchmarks.bars import READERS, fill
from benchmarks.load import Load
from benchmarks.servers import private_servers
from benchmarks.sides import BENCH_PYTHON, running, submission
from tasks_app.tests.service import ROOT, children


def record(name: str, pid: int, seconds: int, work: Callable[[], object]) -> None:
    """Profile a process while the work goes on."""
    image = ROOT / f"docs/images/profile-{name}.svg"
    command = [str(BENCH_PYTHON.with_name("py-spy")), "record", "--pid", str(pid)]
    command += ["--duration", str(seconds), "--output", str(image), "--rate", "100"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as profiler:
        work()
    assert profiler.returncode == 0, f"py-spy ended with {profiler.returncode}"
    text = image.read_text().replace(" ".join(command), name).replace(f"{ROOT}/", "")
    image.write_text(text.replace(f"{Path(pika.__file__).parents[1]}/", ""))
    print(image.relative_to(ROOT))


def main(seconds: int) -> None:
    with private_servers(LOG_LEVEL="INFO") as folder, running(folder, reference=False) as place:
        ours = place.ours
        api = children(ours.api.pid)[0]
        requests = [submission(number) for number in range(2000)]
        ours.load(requests, clients=16, seconds=1)
        load: Callable[..., Load] = partial(ours.load, seconds=seconds + 1)
        record("submit", api, seconds, partial(load, requests, clients=64))
        found = ours.sql("SELECT task_id FROM tasks_app_task LIMIT 1000")
        paths = [("GET", f"/tasks/{task_id}", "") for (task_id,) in found]
        record("read", api, seconds, partial(load, paths, clients=READERS))
        ours.empty()
        place.start_workers()
        fill(ours, 200)
        worker = children(ours.workers[0].pid)[0]
        record("drain", worker, seconds, partial(fill, ours, 600 * seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
