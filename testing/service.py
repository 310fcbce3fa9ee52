"""The service as a deployment runs it, for tests: real gunicorn, real `rundramatiq`, real HTTP.

Processes are started with the commands of the compose file, in sessions of their own, tied to
the test process's life, with their logs in a file that a failing test shows.
"""

import contextlib
import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.processes import tail, tethered
from testing.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
BELL = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; '
    "h q[0]; cx q[0],q[1]; measure q -> c;"
)
# How long to wait for what must come, on however slow and busy a machine: when it comes, a long
# limit has cost nothing.
LIMIT_S = 300.0
# gunicorn's option for deadlines of clients that can be waited out, in GUNICORN_CMD_ARGS.
HASTY = "--config python:testing.hasty_gunicorn"
PATIENT = "--config python:testing.patient_gunicorn"
# What is promised in seconds is promised for a machine that does nothing else. A test's may be a
# slow one, and does much else: it may take so many times as long.
SLACK = float(os.environ.get("SLACK", "5"))


def eventually(condition: Callable[[], Any], *, what: object, within_s: float = LIMIT_S) -> Any:
    """Wait until `condition()` is true and return its value.

    Raises AssertionError after `within_s` that says `what` did not come, as it is by then.
    """
    began = time.monotonic()
    while not (value := condition()):
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"not within {within_s:g} s: {what}"
        # To ask takes time from what is waited for: the longer it takes, the less often.
        time.sleep(min(0.01 + waited_s / 10, 0.25))
    return value


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response: status 0 if the connection failed."""

    status: int
    body: Any
    headers: Mapping[str, str]
    seconds: float
    correlation_id: str = ""  # as sent, which an answer cut off on its way cannot tell
    at: float = field(default_factory=time.monotonic)


class Process:
    """A process group of the service, with its log."""

    def __init__(
        self, name: str, command: list[str], env: Mapping[str, str], log: Path, root: Path = ROOT
    ) -> None:
        self.name, self.log = name, log
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=root,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=tethered(),
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def children(self) -> list[int]:
        """Living direct children, oldest first."""
        return children(self.pid)

    def descendants(self) -> list[int]:
        """Living children, their children and so on, simulations included."""
        return descendants(self.pid)

    def signal(self, signum: signal.Signals) -> None:
        self._process.send_signal(signum)

    def wait(self, timeout_s: float | None = LIMIT_S) -> int:
        return self._process.wait(timeout_s)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to the whole group if that does not end it."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill_group()

    def kill_group(self) -> None:
        """SIGKILL everything that this process started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """The log's structured lines, but for one that is just being written."""
        whole = self.log.read_text(errors="replace").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


class Supervisor:
    """Starts a process again whenever it ends, as `restart: unless-stopped` or systemd would."""

    def __init__(self, start: Callable[[], Process], *, delay_s: float = 0.2) -> None:
        self._start, self._delay_s = start, delay_s
        self._ending = threading.Event()
        self._first = threading.Event()
        self.starts = 0
        # The kernel ties a process to the thread that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._first.wait()

    def _watch(self) -> None:
        while True:
            self.process = self._start()
            self.starts += 1
            self._first.set()
            self.process.wait(None)
            if self._ending.wait(self._delay_s):
                return

    def stop(self) -> None:
        """SIGTERM, and no new start."""
        self._ending.set()
        while self._thread.is_alive():
            self.process.stop()
            self._thread.join(0.1)

    def kill(self) -> None:
        """SIGKILL to all that it started, and no new start."""
        self._ending.set()
        while self._thread.is_alive():
            self.process.kill_group()
            self._thread.join(0.1)


class Service:
    """An API on a loopback port and any number of workers, with one environment.

    `root`: the checkout whose code they run.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        root: Path = ROOT,
        address: str = "127.0.0.1",
    ) -> None:
        self.folder, self.root = folder, root
        self.address, self.port = address, free_port()
        self.env = {
            **os.environ,
            "BIND": f"{address}:{self.port}",
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "INFO",
            **(env or {}),
        }
        self.processes: list[Process] = []
        self.supervisors: list[Supervisor] = []

    # -- processes -----------------------------------------------------------------------------

    def start_api(self, *, processes: int = 2, **env: str) -> Process:
        """gunicorn, answering."""
        api = self._start_api(processes, env)
        self._wait_for_api(lambda: api)
        return api

    def keep_api(self, env: Mapping[str, str], *, processes: int = 2) -> Supervisor:
        """gunicorn under a supervisor, answering."""
        supervisor = self._supervise(lambda: self._start_api(processes, env))
        self._wait_for_api(lambda: supervisor.process)
        return supervisor

    def start_worker(self, *, processes: int = 1, threads: int = 2, **env: str) -> Process:
        """`manage.py rundramatiq`, with its worker processes up."""
        worker = self._start_worker(processes, threads, env)
        wait_for_worker(worker, processes)
        return worker

    def keep_worker(
        self, env: Mapping[str, str], *, processes: int = 1, threads: int = 2
    ) -> Supervisor:
        """`manage.py rundramatiq` under a supervisor, with its worker processes up."""
        supervisor = self._supervise(lambda: self._start_worker(processes, threads, env))
        wait_for_worker(supervisor.process, processes)
        return supervisor

    def _supervise(self, start: Callable[[], Process]) -> Supervisor:
        supervisor = Supervisor(start)
        self.supervisors.append(supervisor)
        return supervisor

    def _start_api(self, processes: int, env: Mapping[str, str]) -> Process:
        command = [sys.executable, "-m", "gunicorn", "quantumtasks.wsgi"]
        return self._start("api", command, {"WEB_CONCURRENCY": str(processes), **env})

    def _wait_for_api(self, api: Callable[[], Process]) -> None:
        eventually(
            lambda: self.get("/health/live").status == 200 or not api().running,
            what="the API answers",
        )
        assert api().running, tail(api().log, 40)

    def _start_worker(self, processes: int, threads: int, env: Mapping[str, str]) -> Process:
        command = [sys.executable, "manage.py", "rundramatiq"]
        command += ["--processes", str(processes), "--threads", str(threads)]
        return self._start("worker", command, env)

    def _start(self, name: str, command: list[str], env: Mapping[str, str]) -> Process:
        log = self.folder / f"{name}-{len(self.processes)}.log"
        process = Process(name, command, {**self.env, **env}, log, self.root)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """End everything."""
        for process in self.processes:
            if process.running:
                process.signal(signal.SIGTERM)
        for supervisor in self.supervisors:
            supervisor.stop()
        for process in self.processes:
            process.stop()
            process.kill_group()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            for process in self.processes:
                print(f"--- {process.name} {process.pid}\n{tail(process.log, 25)}")
        self.stop()

    # -- HTTP ----------------------------------------------------------------------------------

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("POST", path, json.dumps(body), headers)

    def request(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Answer:
        """One request on a connection of its own; a connection error is an answer of status 0."""
        start = time.monotonic()
        sent_id = (headers or {}).get("X-Correlation-ID", "")
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout_s)
        try:
            connection.request(
                method, path, body, {"Content-Type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error), {}, time.monotonic() - start, sent_id)
        finally:
            connection.close()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return Answer(
            response.status,
            json.loads(raw) if is_json else raw.decode(errors="replace"),
            dict(response.headers),
            time.monotonic() - start,
            sent_id,
        )

    def submit(self, circuit: str = BELL, **options: Any) -> Answer:
        return self.post("/tasks", {"circuit": circuit, **options})

    def insist(self, circuit: str = BELL, **options: Any) -> Answer:
        """Submit, again while the answer is 503: on a busy machine the queue may be late."""
        answer: Answer = eventually(
            lambda: a if (a := self.submit(circuit, **options)).status != 503 else None,
            what="a submission is not put off",
        )
        return answer

    def accepted(self, circuit: str = BELL, **options: Any) -> str:
        """`insist`, on 202; return the task id."""
        answer = self.insist(circuit, **options)
        assert answer.status == 202, answer
        return str(answer.body["task_id"])

    def task(self, task_id: str) -> Any:
        answer = self.get(f"/tasks/{task_id}")
        assert answer.status == 200, answer
        return answer.body

    def finished(self, task_id: str) -> Any:
        """The task once it is terminal."""

        def terminal() -> Any:
            answer = self.get(f"/tasks/{task_id}")
            done = answer.status == 200 and answer.body["completed_at"] is not None
            return answer.body if done else None

        return eventually(terminal, what=f"task {task_id} is terminal")

    def submit_many(self, count: int, *, clients: int, circuit: str = BELL) -> list[Answer]:
        """`count` submissions from `clients` concurrent clients."""
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(lambda _: self.insist(circuit), range(count)))


class Reader:
    """Reads health, the metrics and the latest task of a stream, again and again."""

    def __init__(self, stream: "Stream") -> None:
        self._stream = stream
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ending.wait(0.2):
            latest = self._stream.accepted[-1:]
            for path in ("/health", "/metrics", *(f"/tasks/{task_id}" for task_id in latest)):
                self.answers.append(self._stream.service.get(path))


@dataclass
class Stream:
    """A steady trickle of submissions in the background, with every answer kept.

    Each carries a correlation id of its own, so that one whose answer was an error or never
    came can be found among the tasks.
    """

    service: Service
    every_s: float = 0.05
    circuit: str = BELL
    clients: int = 2
    answers: list[Answer] = field(default_factory=list)
    limit: int | None = None  # ends by itself after so many answers
    backends: Sequence[str] = (DEFAULT_BACKEND,)  # of which tasks take one after the other

    def __enter__(self) -> Self:
        self._ending = threading.Event()
        self._answered = itertools.count(1)
        self._full = threading.Event()
        self._numbers = itertools.count()
        self._prefix = f"stream-{secrets.token_hex(4)}"
        self._rounds = [0] * self.clients
        self._threads = [
            threading.Thread(target=self._submit, args=(client,)) for client in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the stream, its last answers received."""
        self._ending.set()
        self.join()

    def join(self) -> None:
        """Wait until every client is done: with a `limit`, or once the stream is left."""
        for thread in self._threads:
            thread.join()

    def await_round(self) -> None:
        """Wait until each client has asked after this moment and been answered, or has ended."""
        before = list(self._rounds)
        eventually(
            lambda: all(
                now >= then + 2 or not thread.is_alive()  # one question may be under way already
                for then, now, thread in zip(before, self._rounds, self._threads, strict=True)
            ),
            what="every client is answered",
        )

    def _submit(self, client: int) -> None:
        pause_s = self.every_s
        while not self._ending.wait(pause_s) and not self._full.is_set():
            number = next(self._numbers)
            header = {"X-Correlation-ID": f"{self._prefix}-{number}"}
            backend = self.backends[number % len(self.backends)]
            body = {"circuit": self.circuit, "backend": backend}
            answer = self.service.post("/tasks", body, **header)
            self.answers.append(answer)
            self._rounds[client] += 1
            # As a client would: one that finds nobody there waits a moment.
            pause_s = max(self.every_s, 0.2) if answer.status == 0 else self.every_s
            if answer.status and next(self._answered) == self.limit:
                self._full.set()

    def count(self, status: int) -> int:
        return sum(answer.status == status for answer in list(self.answers))

    @property
    def accepted(self) -> list[str]:
        return [a.body["task_id"] for a in self.answers if a.status == 202]


class Proxy:
    """A TCP proxy in front of a server that can cut, refuse, freeze or delay connections.

    `freeze` stops forwarding while connections stay open and new ones are accepted: the peer
    seems to have stopped in the middle of a word. `freeze_replies` still lets requests pass: what
    is asked is done, and nobody hears of it. `cut` closes what is open.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener: socket.socket | None = None
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._requests, self._replies = threading.Event(), threading.Event()
        self.thaw()
        self.delay_s = 0.0
        self.port = free_port()
        self.allow()

    def url(self, url: str) -> str:
        """`url` with this proxy in place of its server."""
        parts = urlsplit(url)
        credentials = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def lead_to(self, port: int) -> None:
        """Another server's, for whoever comes from now on."""
        self._target_port = port

    def outgoing_ports(self) -> set[int]:
        """Our ports of the connections to the server, which is how the server names them."""
        ports = set()
        for _, server in list(self._pairs):
            with contextlib.suppress(OSError):
                ports.add(int(server.getsockname()[1]))
        return ports

    def cut(self) -> None:
        """Close all open connections; new ones are served."""
        for pair in list(self._pairs):
            _close(*pair)

    def refuse(self) -> None:
        """Close all open connections and refuse new ones, until `allow`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def freeze(self) -> None:
        """Forward nothing until `thaw`."""
        self._requests.clear()
        self._replies.clear()

    def freeze_replies(self) -> None:
        """Forward nothing that the server says until `thaw`."""
        self._replies.clear()

    def thaw(self) -> None:
        self._requests.set()
        self._replies.set()

    def allow(self) -> None:
        """Accept connections (again)."""
        if self._listener is None:
            listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self._listener = listener
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        self.refuse()
        self.thaw()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._requests.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            _close(client)
            return
        pair = (client, server)
        self._pairs.add(pair)
        back = threading.Thread(
            target=self._pump, args=(server, client, self._replies), daemon=True
        )
        back.start()
        self._pump(client, server, self._requests)
        back.join()
        self._pairs.discard(pair)

    def _pump(self, source: socket.socket, sink: socket.socket, flowing: threading.Event) -> None:
        try:
            while data := source.recv(65536):
                flowing.wait()
                if self.delay_s:
                    time.sleep(self.delay_s)
                sink.sendall(data)
        except OSError:
            pass
        _close(source, sink)


def children(pid: int) -> list[int]:
    """Living direct children of a process, oldest first; none if it has ended."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except OSError:
        pass
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """Living children of a process, their children and so on."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def cpu_ticks(pid: int) -> int:
    """Processor time that a process has used, in clock ticks; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def alive(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_worker(worker: Process, processes: int) -> None:
    """Wait until all of a worker's processes are ready for messages."""
    eventually(
        lambda: (
            sum(line["event"] == "worker_ready" for line in worker.lines()) >= processes
            or not worker.running
        ),
        what="the worker is ready",
    )
    assert worker.running, tail(worker.log, 40)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def statuses(tasks: Iterable[Any]) -> dict[str, int]:
    """How many tasks are in each state."""
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task["status"]] = counts.get(task["status"], 0) + 1
    return counts
