"""The least that the same work costs here, without HTTP, framework or state machine.

python -m benchmarks.bare submit|read|simulate SECONDS

`submit`: two-row transaction, then one confirmed publish; two processes of as many threads as
gunicorn runs, each thread with connections of its own. `read`: a task and its history by id, the
same threads. `simulate`: parse and run a Bell circuit, one thread in each of two processes.
Reads the circuit from standard input. Prints JSON: how many a second, their processor time.
"""

import json
import multiprocessing
import os
import runpy
import sys
import threading
import time
import uuid
from collections.abc import Callable

import pika
import psycopg

PROCESSES = 2
THREADS: int = runpy.run_path("gunicorn.conf.py")["threads"]
QUEUE = "bare_tasks"
TABLES = """
CREATE TABLE IF NOT EXISTS bare_task (
    id uuid PRIMARY KEY, circuit text, shots int, status text, submitted_at timestamptz,
    completed_at timestamptz, result jsonb);
CREATE TABLE IF NOT EXISTS bare_history (
    id bigserial PRIMARY KEY, task_id uuid REFERENCES bare_task, status text, at timestamptz);
CREATE INDEX IF NOT EXISTS bare_history_task ON bare_history (task_id, at);
"""
TASKS_IF_NONE = """
WITH new AS (
    INSERT INTO bare_task SELECT gen_random_uuid(), %s, 1024, 'pending', now()
    FROM generate_series(1, 1000) WHERE NOT EXISTS (SELECT FROM bare_task) RETURNING id
) INSERT INTO bare_history (task_id, status, at) SELECT id, 'pending', now() FROM new
"""
Work = Callable[[], object]


def submitter(program: str) -> Work:
    database = psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=0)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])).channel()
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)

    def submit() -> None:
        task_id = uuid.uuid4()
        with database.transaction():
            database.execute(
                "INSERT INTO bare_task VALUES (%s, %s, %s, 'pending', now())",
                (task_id, program, 1024),
            )
            database.execute(
                "INSERT INTO bare_history (task_id, status, at) VALUES (%s, 'pending', now())",
                (task_id,),
            )
        channel.basic_publish("", QUEUE, task_id.bytes, persistent)

    return submit


def reader(program: str) -> Work:
    database = psycopg.connect(os.environ["DATABASE_URL"], prepare_threshold=0, autocommit=True)
    ids = [row[0] for row in database.execute("SELECT id FROM bare_task LIMIT 1000")]
    number = iter(range(10**12))

    def read() -> None:
        task_id = ids[next(number) % len(ids)]
        database.execute("SELECT * FROM bare_task WHERE id = %s", (task_id,)).fetchone()
        database.execute(
            "SELECT * FROM bare_history WHERE task_id = %s ORDER BY at", (task_id,)
        ).fetchall()

    return read


def simulator(program: str) -> Work:
    from qiskit import qasm3
    from qiskit_aer import AerSimulator

    aer = AerSimulator(max_parallel_threads=1)
    return lambda: aer.run(qasm3.loads(program), shots=1024).result().get_counts()


WORK: dict[str, tuple[Callable[[str], Work], int]] = {
    "submit": (submitter, THREADS),
    "read": (reader, THREADS),
    "simulate": (simulator, 1),
}


def process(kind: str, seconds: float, program: str, barrier, results) -> None:  # type: ignore[no-untyped-def]
    prepare, threads = WORK[kind]
    counts: list[int] = []
    cpu_s: list[float] = []

    def repeat() -> None:
        work = prepare(program)
        work()
        barrier.wait()
        cpu_s.append(time.process_time())
        end, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            work()
            count += 1
        counts.append(count)

    each = [threading.Thread(target=repeat) for _ in range(threads)]
    for thread in each:
        thread.start()
    for thread in each:
        thread.join()
    results.put((sum(counts), time.process_time() - min(cpu_s)))


def main(kind: str, seconds: float, program: str) -> None:
    if kind != "simulate":
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            database.execute(TABLES)
            if kind == "read":
                database.execute(TASKS_IF_NONE, (program,))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES * WORK[kind][1]), context.Queue()
    each = [
        context.Process(target=process, args=(kind, seconds, program, barrier, results))
        for _ in range(PROCESSES)
    ]
    for child in each:
        child.start()
    counts, cpu_s = zip(*[results.get(timeout=60 + seconds) for _ in each], strict=True)
    print(json.dumps({"per_s": sum(counts) / seconds, "cpu_ms": 1000 * sum(cpu_s) / sum(counts)}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.stdin.read())
