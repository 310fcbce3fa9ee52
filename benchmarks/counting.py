"""What counting costs a submission: an API that counts every second one, by chance.

python -m benchmarks.counting [--submissions N]

Time passes on a busy machine for other reasons too: compared is the processor time of the threads
that answered, of some tens of thousands of requests that ran side by side.
"""

import argparse
import json
from math import sqrt
from statistics import mean, stdev

from benchmarks.load import drive
from benchmarks.servers import private_servers
from benchmarks.sides import cpu_s, submission
from testing.service import Service

CLIENTS = 8
TRIMMED = 0.05  # at each end: interrupts, first connections
CONFIG = "--config python:benchmarks.switching_gunicorn"


def trimmed(nanoseconds: list[int]) -> list[float]:
    """In microseconds, without the shortest and the longest."""
    cut = int(TRIMMED * len(nanoseconds))
    return [each / 1000 for each in sorted(nanoseconds)[cut:-cut]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting")
    parser.add_argument("--submissions", type=int, default=40_000)
    options = parser.parse_args()
    writes = [submission(number) for number in range(100)]
    with private_servers(LIMIT_PER_MINUTE="0", LIMIT_PENDING="0") as folder:
        noted = folder / "times"
        env = {"GUNICORN_CMD_ARGS": CONFIG, "TIMES": str(noted)}
        with Service(folder, env) as service:
            api = service.start_api(processes=1)
            (pid,) = api.children()
            drive(service.port, writes, clients=CLIENTS, most=2_000)
            before = cpu_s(pid)
            done = drive(
                service.port, writes, clients=CLIENTS, most=options.submissions, seconds=400
            )
            assert not done.failed, done.statuses
            whole_us = 1e6 * (cpu_s(pid) - before) / done.requests
        counted, others = map(trimmed, json.loads(noted.read_text()))
    cost = mean(counted) - mean(others)
    error = 1.96 * sqrt(stdev(counted) ** 2 / len(counted) + stdev(others) ** 2 / len(others))
    print(f"a submission: {whole_us:.0f} µs of the API's processor time, all threads together")
    print(f"counting: {cost:.1f} ± {error:.1f} µs of it, {100 * cost / whole_us:.1f} % (95 %:")
    print(f"{100 * (cost - error) / whole_us:.1f} to {100 * (cost + error) / whole_us:.1f} %)")


if __name__ == "__main__":
    main()
