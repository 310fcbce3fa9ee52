"""What counting costs a submission: the API as it is, and one that counts nothing, in turn.

python -m benchmarks.counting [--rounds N] [--submissions N]

Processor time of the API's processes, since time passes on a busy machine for other reasons too.
"""

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.load import drive
from benchmarks.servers import private_servers
from benchmarks.sides import submission
from testing.service import Process, Service

UNCOUNTED = "--config python:benchmarks.uncounted_gunicorn"
CLIENTS = 8


def cpu_s(pid: int) -> float:
    """Processor time of a process's threads, which the kernel counts in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


def cpu_ms(service: Service, api: Process, submissions: int) -> float:
    """The API's processor time for one of so many submissions."""
    writes = [submission(number) for number in range(100)]
    before = sum(map(cpu_s, api.children()))
    done = drive(service.port, writes, clients=CLIENTS, most=submissions)
    assert not done.failed, done.statuses
    return 1000 * (sum(map(cpu_s, api.children())) - before) / done.requests


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting")
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--submissions", type=int, default=200)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(private_servers(LIMIT_PER_MINUTE="0", LIMIT_PENDING="0"))
        sides = []
        for name, extra in (("counting", {}), ("not", {"GUNICORN_CMD_ARGS": UNCOUNTED})):
            (folder / name).mkdir()
            service = stack.enter_context(Service(folder / name, {**os.environ, **extra}))
            sides.append((service, service.start_api(processes=1)))
        pairs = []
        for number in range(options.rounds + 2):
            turn = sides if number % 2 else sides[::-1]
            cost = {id(side): cpu_ms(*side, options.submissions) for side in turn}
            if number > 1:  # the first two warm up
                pairs.append([cost[id(side)] for side in sides])
        ratios = sorted(100 * (with_ / without - 1) for with_, without in pairs)
        # The median's own 95 % interval: order statistics, whatever the noise looks like.
        reach = 0.98 * len(ratios) ** 0.5
        low, high = (ratios[int(len(ratios) / 2 + side * reach)] for side in (-1, 1))
        for name, times in zip(("counting", "not counting"), zip(*pairs, strict=True), strict=True):
            print(f"{name}: {median(times):.3f} ms of processor time a submission")
        print(f"in {len(ratios)} pairs: {median(ratios):+.1f} % ({low:+.1f} to {high:+.1f} %)")


if __name__ == "__main__":
    main()
