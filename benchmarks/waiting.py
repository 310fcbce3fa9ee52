"""500 clients that wait for a task each, and what submitting takes beside them.

python -m benchmarks.waiting [CLIENTS] [WEB_THREADS]

A client that is turned away (`Retry-After`) comes back when it was told to. In the end all tasks
are cancelled at once, and all clients have to hear of it.
"""

import asyncio
import json
import os
import sys
import threading
import time
from statistics import median, quantiles

import psycopg

from benchmarks.servers import private_servers
from testing.service import BELL, Service

SUBMISSIONS = 150
PAUSE_S = 0.05


class Crowd:
    """Clients that wait, in one thread of their own."""

    def __init__(self, port: int, task_ids: list[str]) -> None:
        self._port, self._task_ids = port, task_ids
        self.requests = self.turned_away = self.refused = 0
        self.heard: list[float] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*map(self._wait, self._task_ids))

    async def _wait(self, task_id: str) -> None:
        request = f"GET /tasks/{task_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n"
        while True:
            self.requests += 1
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(f"{request}Connection: close\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                writer.close()
            except OSError:
                head, body = b"", b""
            if not head.startswith(b"HTTP/1.1 200"):
                self.refused += 1
                await asyncio.sleep(1)
            elif json.loads(body)["completed_at"]:
                self.heard.append(time.monotonic())
                return
            elif b"Retry-After: " in head:
                self.turned_away += 1
                await asyncio.sleep(int(head.partition(b"Retry-After: ")[2].split(b"\r")[0]))


def submissions(service: Service) -> list[float]:
    """Milliseconds of one client's submissions, one after the other."""
    times = []
    for _ in range(SUBMISSIONS):
        answer = service.submit()
        assert answer.status == 202, answer
        times.append(1000 * answer.seconds)
        time.sleep(PAUSE_S)
    return times


def show(name: str, times: list[float]) -> None:
    print(f"| {name} | {median(times):.0f} | {quantiles(times, n=20)[-1]:.0f} | {max(times):.0f} |")


def main(clients: int, threads: int) -> None:
    with private_servers() as folder, Service(folder) as service:
        service.start_api(processes=2, WEB_THREADS=str(threads))
        batch = service.post("/tasks/batch", {"circuit": BELL, "tasks": [{}] * clients}).body
        submissions(service)
        print(f"{clients} waiting clients, 2 API processes of {threads} threads")
        print("| submission, ms | median | p95 | slowest |\n|---|---|---|---|")
        show("nobody waits", submissions(service))
        crowd = Crowd(service.port, batch["task_ids"])
        time.sleep(5)
        before, start = crowd.requests, time.monotonic()
        show(f"{clients} wait", submissions(service))
        per_s = (crowd.requests - before) / (time.monotonic() - start)
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            activity = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            (sessions,) = database.execute(activity, ["quantumtasks"]).fetchone() or (0,)
        cancelled = time.monotonic()
        answer = service.post(f"/batches/{batch['batch_id']}/cancel", {})
        crowd.join()
        print(f"cancelled: {answer.status} after {answer.seconds:.2f} s; PostgreSQL: {sessions}")
        print(
            f"requests of those who wait: {per_s:.0f}/s; answers that were no 200: {crowd.refused}"
        )
        print(f"all {len(crowd.heard)} heard within {max(crowd.heard) - cancelled:.2f} s")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [500, 8][len(arguments) :]))
