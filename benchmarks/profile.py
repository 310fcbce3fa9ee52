"""Flame graphs of the hot paths into docs/images: python -m benchmarks.profile [SECONDS]

py-spy (from .venv-bench) looks at the only API process while 64 clients submit and 16 read, and at
the worker process while Bell circuits drain. Only the thread that holds the interpreter's lock
counts: system calls, and C code that runs without the lock, do not. Needs the right to trace:
root, or kernel.yama.ptrace_scope 0.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bars import READERS, fill
from benchmarks.flame import Frame, svg
from benchmarks.load import Load
from benchmarks.servers import private_servers
from benchmarks.sides import BENCH_PYTHON, running, submission
from testing.service import ROOT, children

# What every stack begins with.
STARTING = re.compile(
    r"runpy|threading\.py|concurrent/futures|gunicorn/(app|arbiter|__main__|workers/base)"
)


def record(
    folder: Path, name: str, pid: int, seconds: int, title: str, work: Callable[[], object]
) -> None:
    """Profile a process while the work goes on."""
    raw = folder / f"{name}.stacks"
    command = [str(BENCH_PYTHON.with_name("py-spy")), "record", "--pid", str(pid), "--function"]
    command += ["--duration", str(seconds), "--rate", "500", "--gil", "--format", "raw"]
    with subprocess.Popen([*command, "--output", str(raw)], stdout=subprocess.DEVNULL) as profiler:
        work()
    assert profiler.returncode == 0, f"py-spy ended with {profiler.returncode}"
    root = Frame()
    for line in raw.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = re.sub(r":\d+\)", ")", stack).split(";")
        root.add((frame for frame in frames if not STARTING.search(frame)), int(samples))
    image = ROOT / f"docs/images/profile-{name}.svg"
    image.write_text(svg(root, title))
    print(f"{image.relative_to(ROOT)}: {root.samples} samples")


def main(seconds: int) -> None:
    with (
        private_servers(LOG_LEVEL="INFO") as folder,
        running(folder, reference=False, processes=1) as place,
    ):
        ours = place.ours
        api = children(ours.api.pid)[0]
        requests = [submission(number) for number in range(2000)]
        ours.load(requests, clients=64, seconds=1)
        load: Callable[..., Load] = partial(ours.load, seconds=seconds + 1)
        record(
            folder,
            "submit",
            api,
            seconds,
            "An API process while 64 clients submit",
            partial(load, requests, clients=64),
        )
        found = ours.sql("SELECT task_id FROM tasks_app_task LIMIT 1000")
        paths = [("GET", f"/tasks/{task_id}", "") for (task_id,) in found]
        record(
            folder,
            "read",
            api,
            seconds,
            "An API process while 16 clients read",
            partial(load, paths, clients=READERS),
        )
        ours.empty()
        place.start_workers()
        fill(ours, 200)
        worker = children(ours.workers[0].pid)[0]
        record(
            folder,
            "drain",
            worker,
            seconds,
            "A worker process while circuits drain",
            partial(fill, ours, 600 * seconds),
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
