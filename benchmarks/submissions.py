"""1,000 Bell circuits from 32 clients while a worker runs them: how long each submission takes.

python -m benchmarks.submissions [TASKS] [CLIENTS]
"""

import sys
import time
from statistics import quantiles

from benchmarks.servers import private_servers
from tasks_app.tests.service import Service, eventually


def main(tasks: int, clients: int) -> None:
    with private_servers(LOG_LEVEL="INFO") as folder, Service(folder) as service:
        service.start_api(processes=2)
        service.start_worker(processes=1, threads=2)
        service.submit_many(50, clients=4)
        start = time.monotonic()
        answers = service.submit_many(tasks, clients=clients)
        accepted_s = time.monotonic() - start
        ids = [answer.body["task_id"] for answer in answers if answer.status == 202]
        eventually(
            lambda: service.get("/queue").body["pending"] == 0, within_s=600, what="all are run"
        )
        drained_s = time.monotonic() - start
        done = sum(service.task(task_id)["status"] == "completed" for task_id in ids)
        seconds = sorted(answer.seconds for answer in answers)
        cuts = quantiles(seconds, n=100)
        print(f"{tasks} submissions from {clients} clients, 2 API processes, 2 worker slots")
        print(f"accepted {len(ids)}, completed {done}")
        print(f"accepted/s {tasks / accepted_s:.0f}, completed/s {tasks / drained_s:.0f}")
        print(
            f"submission ms: median {1e3 * cuts[49]:.0f}, p95 {1e3 * cuts[94]:.0f}, "
            f"p99 {1e3 * cuts[98]:.0f}, slowest {1e3 * seconds[-1]:.0f}"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["1000", "32"][len(sys.argv) - 1 :])))
