"""Every bar of the service's speed, against a reference and the bare limits in the same run.

python -m benchmarks [--quick] [--bars 1,3] [--alone] [--defaults] [--no-fsync] [--write]

`make bench` and `make bench-quick` make what it needs. `--alone` leaves the reference out,
`--defaults` leaves it as its libraries come, `--no-fsync` leaves out the disk; `--write` keeps the
figures in docs/performance.json, from which `python -m benchmarks.report` makes the page.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

from benchmarks import bars, report
from benchmarks.bars import Effort
from benchmarks.servers import private_servers
from benchmarks.sides import BENCH_PYTHON, running
from benchmarks.sweeps import BAR, sweeps

BARS = bars.BARS | {BAR: sweeps}
NEED_WORKERS = bars.NEED_WORKERS | {BAR}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--bars", default=",".join(map(str, BARS)), help="such as 1,3")
    parser.add_argument("--alone", action="store_true", help="without the reference")
    parser.add_argument("--defaults", action="store_true", help="with the reference untuned")
    parser.add_argument("--no-fsync", action="store_true", help="PostgreSQL does not wait for disk")
    parser.add_argument("--write", action="store_true", help="write docs/performance.json")
    options = parser.parse_args()
    if not options.alone and not BENCH_PYTHON.exists():
        sys.exit(f"{BENCH_PYTHON} is missing: make .venv-bench/stamp, or --alone")
    if options.defaults:
        os.environ["REFERENCE_DEFAULTS"] = "1"
    effort = Effort(2, 2.0) if options.quick else Effort(5, 4.0)
    wanted = [int(bar) for bar in options.bars.split(",")]
    if 6 in wanted:
        wanted = sorted({*wanted, 3}, key=list(BARS).index)
    busy, start = os.getloadavg()[0], time.monotonic()
    if busy > 0.5:
        print(f"The machine is busy (load {busy:.1f}): compare ratios, not figures.")
    lines = []
    with (
        private_servers(fsync=not options.no_fsync, LOG_LEVEL="INFO") as folder,
        running(folder, reference=not options.alone) as place,
    ):
        machine = report.machine(place)
        print(machine)
        print(report.HEAD)
        for bar in (bar for bar in BARS if bar in wanted):
            if bar in NEED_WORKERS and not place.ours.workers:
                place.start_workers()
            for line in BARS[bar](place, effort):
                lines.append(line)
                print(report.row(line), flush=True)
    print(f"{time.monotonic() - start:.0f} s")
    if options.write:
        head = ["git", "describe", "--always", "--dirty"]
        commit = subprocess.run(head, capture_output=True, text=True, check=False).stdout.strip()
        results = {
            "machine": machine,
            "commit": commit,
            "rounds": effort.rounds,
            "seconds": effort.seconds,
            "fsync": not options.no_fsync,
            "lines": [asdict(line) for line in lines],
            "curves": effort.curves,
        }
        report.FIGURES.write_text(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
