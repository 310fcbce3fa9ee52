"""What is measured, one function a bar: each yields its lines of the table."""

import http.client
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pika
import psycopg

from benchmarks.load import Load, Request
from benchmarks.sides import BELL, SLOTS, Field, Side, bare, medians, submission
from tasks_app.queue.publisher import Publisher
from testing.service import ROOT, Service, children, descendants, eventually

CLIENTS = (16, 64, 100)
READERS = 16
READ_ROWS = 10_000
BATCH = 1000
FILL = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A figure, what it is compared with, and whether that is what was wanted."""

    bar: int
    what: str
    ours: float
    reference: float | None = None
    bare: float | None = None
    wanted: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        other = self.reference or self.bare
        return self.ours / other if other else None

    def times_reference(self, factor: float) -> "Line":
        """Wanted: at least so many times what the reference does."""
        met = None if self.reference is None else self.ours >= factor * self.reference
        return replace(self, wanted=f"≥ {factor:g} × reference", met=met)

    def share_of_bare(self, factor: float) -> "Line":
        """Wanted: at least this share of what the bare loop does."""
        met = None if self.bare is None else self.ours >= factor * self.bare
        return replace(self, wanted=f"≥ {factor:g} × bare", met=met)

    def at_most(self, limit: float, why: str = "") -> "Line":
        return replace(self, wanted=f"≤ {limit:.3g}{why}", met=self.ours <= limit)

    def at_least(self, limit: float) -> "Line":
        return replace(self, wanted=f"≥ {limit:,.0f}", met=self.ours >= limit)


@dataclass(slots=True)
class Effort:
    """How long to measure, and what the plots need of it."""

    rounds: int
    seconds: float
    curves: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """A load, and the processor milliseconds of each part for one request."""

    load: Load
    cpu_ms: dict[str, float]


def sample(
    place: Field, side: Side, clients: int, seconds: float, requests: list[Request]
) -> Sample:
    before = place.cpu(side)
    load = side.load(requests, clients=clients, seconds=seconds)
    after = place.cpu(side)
    cpu_ms = {part: 1000 * (after[part] - before[part]) / load.requests for part in after}
    return Sample(load, cpu_ms | {"load generator": 1000 * load.cpu_s / load.requests})


def interleaved(rounds: int, **work: Callable[[], Any]) -> dict[str, list[Any]]:
    """Each piece of work in turn, so often."""
    results: dict[str, list[Any]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            results[name].append(run())
    return results


Samples = list[Sample]


def rate(samples: Samples) -> float:
    return median(each.load.per_s for each in samples)


def p99(samples: Samples) -> float:
    return median(each.load.percentile(99) for each in samples)


def cpu(samples: Samples) -> dict[str, float]:
    return medians([each.cpu_ms for each in samples])


def compared(
    bar: int, what: str, figure: Callable[[Samples], float], found: dict[str, Samples]
) -> Line:
    """The figure of our samples beside that of the reference's, if it ran."""
    theirs = found.get("reference")
    return Line(bar, what, figure(found["ours"]), figure(theirs) if theirs else None)


def cpu_lines(bar: int, what: str, found: dict[str, Samples], *, api_ms: float) -> Iterator[Line]:
    """What each part used for one request, if anything; the API at most `api_ms`."""
    for part, used in cpu(found["ours"]).items():
        if used > 0.005:
            line = compared(bar, f"{what}: CPU ms, {part}", lambda each: cpu(each)[part], found)  # noqa: B023
            yield line.at_most(api_ms) if part == "API" else line


def submissions(place: Field, effort: Effort) -> Iterator[Line]:
    """1. How many tasks are accepted, how fast, at what cost."""
    requests = [submission(number) for number in range(2000)]
    for side in place.sides:
        side.load(requests, clients=16, seconds=1)
    effort.curves |= {"latency": {}, "throughput": {}}
    least = 0.0
    for clients in CLIENTS:
        work: dict[str, Callable[[], Any]] = {
            side.name: partial(sample, place, side, clients, effort.seconds, requests)
            for side in place.sides
        }
        if not least:
            work["bare"] = partial(bare, "submit", effort.seconds)
        found = interleaved(effort.rounds, **work)
        if "bare" in found:
            least = medians(found.pop("bare"))["per_s"]
        for name, samples in found.items():
            curve = effort.curves["throughput"].setdefault(name, [])
            curve.append((clients, rate(samples)))
            every = [ms for each in samples for ms in each.load.milliseconds]
            effort.curves["latency"].setdefault(name, {})[clients] = quantiles(every, n=500)
        per_s = compared(1, f"submissions/s, {clients} clients", rate, found)
        yield per_s.times_reference(4)
        yield replace(per_s, reference=None, bare=least).share_of_bare(0.5)
        late = compared(1, f"submission, {clients} clients: p99 ms", p99, found)
        yield late.at_most(late.reference / 5, ", a fifth") if late.reference else late
        yield from cpu_lines(1, f"submission, {clients} clients", found, api_ms=1.3)
        for side in place.sides:
            side.empty()
    yield from with_token(place, effort, requests)


def new_token() -> str:
    script = (
        "from django.contrib.auth.models import User\n"
        "from tasks_app import access\n"
        "owner, _ = User.objects.get_or_create(username='benchmark')\n"
        "made = access.create_token(owner, label='bench', read_only=False, expires_at=None)\n"
        "print(made[1])"
    )
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", script]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def with_token(place: Field, effort: Effort, requests: list[Request]) -> Iterator[Line]:
    """The same for a client that has to show who it is."""
    ours = place.ours
    with Service(place.folder, env={"API_AUTH": "required"}) as service:
        api = service.start_api(processes=2)
        side = replace(ours, name="token", port=service.port, api=api, token=new_token())
        side.load(requests, clients=16, seconds=0.5)
        both = {
            each.name: partial(sample, place, each, 64, effort.seconds, requests)
            for each in (side, ours)
        }
        found = interleaved(effort.rounds, **both)
    token, none = found["token"], found["ours"]
    without = f"{rate(none):,.0f} without, in turn"
    yield Line(1, f"submissions/s, 64 clients, with a token ({without})", rate(token))
    without = f"{cpu(none)['API']:.2f} without"
    yield Line(1, f"the same: CPU ms, API ({without})", cpu(token)["API"])
    ours.empty()


REFERENCE_WAITING = """
WITH new AS (
    INSERT INTO tasks (id, circuit, shots, correlation_id, status, submitted_at)
    SELECT gen_random_uuid(), %s || '// ' || n, 1024, 'bench', 'pending', now()
    FROM generate_series(1, %s) AS n RETURNING id, submitted_at
), history AS (
    INSERT INTO status_changes (task_id, status, changed_at)
    SELECT id, 'pending', submitted_at FROM new
) SELECT id FROM new"""
FINISH = {
    "ours": """
WITH finished AS (
    UPDATE tasks_app_task SET current_status = 'completed', attempt = 1,
        started_at = submitted_at, completed_at = submitted_at,
        result = '{"counts": {"00": 512, "11": 512}, "shots": 1024,
            "metadata": {"method": "stabilizer", "qubits": 2, "seed": 1}}'
    WHERE task_id IN (SELECT task_id FROM tasks_app_task LIMIT %s) RETURNING task_id, submitted_at
) INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
SELECT task_id, status, submitted_at, ''
FROM finished, unnest(ARRAY['processing', 'completed']) AS status""",
    "reference": """
WITH finished AS (
    UPDATE tasks SET status = 'completed', completed_at = now(),
        result = '{"counts": {"00": 512, "11": 512}, "shots": 1024}'
    WHERE id IN (SELECT id FROM tasks LIMIT %s) RETURNING id, submitted_at
) INSERT INTO status_changes (task_id, status, changed_at)
SELECT id, status, submitted_at
FROM finished, unnest(ARRAY['processing', 'completed']) AS status""",
}
IDS = {
    "ours": "SELECT task_id FROM tasks_app_task WHERE current_status = %s",
    "reference": "SELECT id FROM tasks WHERE status = %s",
}


def batch(number: int, size: int = BATCH) -> Request:
    """That many circuits, each new."""
    tasks = [{"circuit": f"{BELL}// {number}.{index}\n"} for index in range(size)]
    return "POST", "/tasks/batch", json.dumps({"tasks": tasks})


def fill(side: Side, count: int) -> None:
    """Make so many tasks wait."""
    if side.name == "ours":
        missing = math.ceil(count / FILL)
        while missing:
            requests = [batch(number, FILL) for number in range(missing)]
            missing = side.load(requests, clients=2, most=missing).failed
        return
    ids = side.sql(REFERENCE_WAITING, BELL, count)
    publisher = Publisher(
        [pika.URLParameters(os.environ["RABBITMQ_URL"])],
        *(side.queue, f"{side.queue}_unused"),
        lambda _: {"x-queue-type": "quorum"},
    )
    # With confirms: RabbitMQ may lose what a connection leaves unconfirmed.
    messages = ((side.queue, task_id.bytes) for (task_id,) in ids)  # type: ignore[attr-defined]
    publisher.publish(*messages, timeout_s=60)
    publisher.close()


def reads(place: Field, effort: Effort) -> Iterator[Line]:
    """2. Reading a task among ten thousand, pending and completed."""
    paths: dict[str, dict[str, list[Request]]] = {"pending": {}, "completed": {}}
    for side in place.sides:
        side.empty()
        fill(side, READ_ROWS)
        side.sql(FINISH[side.name], READ_ROWS // 2)
        side.sql("VACUUM ANALYZE")
        for state, found in paths.items():
            rows = side.sql(IDS[side.name], state)
            found[side.name] = [("GET", f"/tasks/{task_id}", "") for (task_id,) in rows]
            random.shuffle(found[side.name])
    for state, found in paths.items():
        work: dict[str, Callable[[], Any]] = {
            side.name: partial(sample, place, side, READERS, effort.seconds, found[side.name])
            for side in place.sides
        }
        for run in work.values():
            run()  # warms up
        results = interleaved(effort.rounds, **work, bare=partial(bare, "read", effort.seconds))
        per_s = compared(2, f"reads/s, {state}", rate, results)
        yield per_s.times_reference(4)
        yield Line(
            2, f"{per_s.what}, without HTTP", per_s.ours, bare=medians(results["bare"])["per_s"]
        )
        yield compared(2, f"read, {state}: p99 ms", p99, results)
        yield from cpu_lines(2, f"read, {state}", results, api_ms=1)
    for side in place.sides:
        side.empty()


UNFINISHED = {
    "ours": "SELECT count(*) FROM tasks_app_task WHERE completed_at IS NULL",
    "reference": "SELECT count(*) FROM tasks WHERE completed_at IS NULL",
}
DRAINED = {
    "ours": "SELECT count(*), extract(epoch FROM max(completed_at) - min(completed_at))::float8, "
    "count(*) FILTER (WHERE current_status = 'completed') "
    "FROM tasks_app_task WHERE completed_at > %s",
    "reference": "SELECT count(*), extract(epoch FROM max(completed_at) - min(completed_at))"
    "::float8, count(*) FILTER (WHERE status = 'completed') FROM tasks WHERE completed_at > %s",
}


def drain(place: Field, count: int, side: Side) -> tuple[float, dict[str, float]]:
    """Tasks a second, and processor milliseconds each, once the last of them is submitted."""
    side.empty()
    fill(side, count)
    ((begun,),) = side.sql("SELECT clock_timestamp()")
    before = place.cpu(side)
    with psycopg.connect(side.database_url, autocommit=True) as database:
        eventually(
            lambda: database.execute(UNFINISHED[side.name]).fetchone() == (0,),
            within_s=120,
            what=f"{side.name} drains",
        )
    after = place.cpu(side)
    ((done, seconds, completed),) = side.sql(DRAINED[side.name], begun)
    assert isinstance(done, int) and isinstance(seconds, float)
    assert seconds and done == completed, f"{side.name}: {done} ended, {completed} completed"
    return (done - 1) / seconds, {k: 1000 * (after[k] - before[k]) / done for k in after}


def drains(place: Field, effort: Effort) -> Iterator[Line]:
    """3. Running Bell circuits that wait, in two slots."""
    counts = {"ours": max(1, round(effort.seconds / 4)) * BATCH, "reference": 100 * effort.seconds}
    work: dict[str, Callable[[], Any]] = {
        side.name: partial(drain, place, int(counts[side.name]), side) for side in place.sides
    }
    for run in work.values():
        run()  # warms up
    found = interleaved(
        effort.rounds, **work, bare=partial(bare, "simulate", min(effort.seconds, 3))
    )
    least = medians(found["bare"])
    per_s = {name: median(one for one, _ in found[name]) for name in work}
    used = {name: medians([each for _, each in found[name]]) for name in work}
    line = Line(3, "Bell circuits drained/s", per_s["ours"], per_s.get("reference"))
    yield line.times_reference(6)
    yield Line(3, f"{line.what}, against parse and run", line.ours, bare=least["per_s"])
    for part, ours in used["ours"].items():
        theirs = used.get("reference", {}).get(part)
        line = Line(3, f"drained circuit: CPU ms, {part}", ours, theirs)
        if part == "workers":
            yield replace(line, bare=least["cpu_ms"]).at_most(least["cpu_ms"] + 3, ", bare + 3")
        elif part != "API":
            yield line
    for side in place.sides:
        side.empty()


def finish(side: Side, connection: http.client.HTTPConnection, number: int) -> float:
    """Submit one circuit and learn that it is completed: milliseconds."""
    start = time.perf_counter()

    def ask(method: str, path: str, body: str | None = None) -> Any:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    method, path, body = submission(number)
    task_id = ask(method, path, body)["task_id"]
    if side.name == "ours":
        assert ask("GET", f"/tasks/{task_id}?wait=10")["status"] == "completed"
    else:
        while ask("GET", f"/tasks/{task_id}")["status"] != "completed":
            time.sleep(0.002)
    return 1000 * (time.perf_counter() - start)


ELAPSED = {
    "ours": "SELECT 1000 * extract(epoch FROM completed_at - submitted_at)::float8 "
    "FROM tasks_app_task",
    "reference": "SELECT 1000 * extract(epoch FROM completed_at - submitted_at)::float8 FROM tasks",
}


def idle(place: Field, effort: Effort) -> Iterator[Line]:
    """4. A task that finds nobody else there."""
    seen: dict[str, list[float]] = {}
    connections = {
        side.name: http.client.HTTPConnection("127.0.0.1", side.port, timeout=30)
        for side in place.sides
    }
    for side in place.sides:
        finish(side, connections[side.name], -1)
        side.empty()
    for number in range(round(20 * effort.rounds * effort.seconds)):
        for side in place.sides:
            elapsed = finish(side, connections[side.name], number)
            seen.setdefault(side.name, []).append(elapsed)
            time.sleep(0.02)  # idle again
    rows = {
        side.name: [float(row[0]) for row in side.sql(ELAPSED[side.name])]  # type: ignore[arg-type]
        for side in place.sides
    }
    for what, found in {
        "submitted_at to completed_at": rows,
        "POST until the client knows": seen,
    }.items():
        for name, limit, cut in (("median", 10, 49), ("p99", 25, 98)):
            cuts = {side: quantiles(found[side], n=100)[cut] for side in found}
            line = Line(4, f"idle, {what}: {name} ms", cuts["ours"], cuts.get("reference"))
            yield line.at_most(limit)
    for side in place.sides:
        side.empty()


def batches(place: Field, effort: Effort) -> Iterator[Line]:
    """5. Tasks accepted in batches."""
    requests = [batch(number) for number in range(20)]
    found = []
    for _ in range(effort.rounds):
        found.append(sample(place, place.ours, 2, effort.seconds, requests))
        place.ours.empty()
    yield Line(5, "tasks/s in batches of 1,000, 2 clients", BATCH * rate(found)).at_least(4000)
    for part, used in cpu(found).items():
        if used / BATCH > 0.0005:
            yield Line(5, f"task of a batch: CPU ms, {part}", used / BATCH)


def pss_mb(pid: int) -> float:
    """Proportional set size: memory of its own, and its share of what it shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def memory(place: Field, effort: Effort) -> Iterator[Line]:
    """6. Memory after the work above."""
    (master,) = place.ours.workers
    simulations = [
        pid
        for pid in descendants(master.pid)
        if b"tasks_app.circuits.sandbox.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(simulations) == SLOTS + 1  # and the process that forks them
    orchestrators = {master.pid, *descendants(master.pid)} - set(simulations)
    found = {
        "API process": (90, children(place.ours.api.pid)),
        "simulation child": (120, simulations),
        "worker process": (90, list(orchestrators)),
    }
    for what, (limit, pids) in found.items():
        yield Line(6, f"PSS MB, largest {what}", max(map(pss_mb, pids))).at_most(limit)
    yield Line(6, "PSS MB, gunicorn's master", pss_mb(place.ours.api.pid))
    every = [pid for one in (place.ours.api, master) for pid in (one.pid, *descendants(one.pid))]
    yield Line(6, "PSS MB, all of it", sum(map(pss_mb, every)))


BARS: dict[int, Callable[[Field, Effort], Iterator[Line]]] = {
    1: submissions,
    2: reads,
    5: batches,  # before the workers start
    3: drains,
    4: idle,
    6: memory,
}
NEED_WORKERS = {3, 4, 6}
