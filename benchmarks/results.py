"""A batch's results in one request: a thousand small ones, and a thousand of a megabyte each.

python -m benchmarks.results

The large ones are copies of one task that was run. Memory is the API process's, as Linux counts it:
resident before the request, and at its highest.
"""

import gzip
import http.client
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.servers import private_servers
from testing.service import BELL, Service, eventually

SIZE = 1000
READS = 10
EIGHT = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[8]; creg c[8]; h q; measure q -> c;'
SHOTS = 83_000  # of eight bits each, in order: 1 MB
COPY = """
INSERT INTO tasks_app_task
SELECT row.* FROM tasks_app_task AS first, generate_series(1, %s) AS n,
    jsonb_populate_record(first, jsonb_build_object(
        'task_id', left(first.task_id::text, 24) || lpad(to_hex(n), 12, '0'), 'batch_index', n
    )) AS row
WHERE first.batch_id = %s
"""


def run(service: Service, body: dict[str, Any]) -> str:
    """The id of a batch whose elements have all been run."""
    batch_id: str = service.post("/tasks/batch", body).body["batch_id"]

    def is_over() -> bool:
        batch = service.get(f"/batches/{batch_id}?wait=60").body
        return bool(batch["counts"]["completed"] == batch["size"])

    eventually(is_over, what="all elements have been run")
    return batch_id


def read(service: Service, batch_id: str, encoding: str = "identity") -> tuple[int, int, float]:
    """Lines, bytes as they were sent, and seconds of one request."""
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=600)
    start = time.monotonic()
    client.request("GET", f"/batches/{batch_id}/results", headers={"Accept-Encoding": encoding})
    answer = client.getresponse()
    lines = size = 0
    if encoding == "gzip":
        lines = sum(1 for _ in gzip.GzipFile(fileobj=answer))
    else:
        while piece := answer.read(2**20):
            size, lines = size + len(piece), lines + piece.count(b"\n")
    seconds = time.monotonic() - start
    client.close()
    return lines, size, seconds


def memory_mib(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def small(service: Service) -> None:
    batch_id = run(service, {"circuit": BELL, "tasks": [{}] * SIZE})
    task_ids = [t["task_id"] for t in service.get(f"/batches/{batch_id}").body["tasks"]]
    once = [read(service, batch_id) for _ in range(READS)]
    assert {lines for lines, _, _ in once} == {SIZE}
    start = time.monotonic()
    for task_id in task_ids:
        assert service.get(f"/tasks/{task_id}/result").status == 200
    each = time.monotonic() - start
    print(f"{SIZE} small results, {once[0][1] / 2**20:.1f} MiB:")
    seconds = [seconds for _, _, seconds in once]
    print(f"  one request: {median(seconds):.3f} s, the slowest of {READS} {max(seconds):.3f} s")
    print(f"  a request each, one after the other: {each:.1f} s")


def large(service: Service, pid: int) -> None:
    batch_id = run(service, {"circuit": EIGHT, "tasks": [{"shots": SHOTS, "memory": True}]})
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute("SET session_replication_role = replica")
        database.execute(COPY, [SIZE - 1, batch_id])
    for encoding in ("identity", "gzip"):
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        before = memory_mib(pid, "VmRSS")
        lines, size, seconds = read(service, batch_id, encoding)
        assert lines == SIZE
        peak = memory_mib(pid, "VmHWM")
        told = f", {size / 2**20:.0f} MiB" if size else ""
        print(f"{SIZE} large results, {encoding}{told}: {seconds:.1f} s;")
        print(f"  the process had {before:.0f} MiB before and {peak:.0f} MiB at most")


def main() -> None:
    with private_servers() as folder, Service(folder) as service:
        (pid,) = service.start_api(processes=1).children()
        service.start_worker()
        small(service)
        large(service, pid)


if __name__ == "__main__":
    main()
