"""A sandbox's processes as their parent sees them: a zygote, and the children that it forks."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks_app.circuits.errors import SandboxDied
from tasks_app.circuits.job import Limits
from tasks_app.circuits.sandbox import frames
from tasks_app.circuits.sandbox.zygote import MAX_MESSAGE

START_S = 60.0
"""Seconds that a request to the zygote may take, the first with importing the simulator."""
MOMENT_S = 1.0
"""Seconds after which whoever waits for an answer has time for something else."""
_FRAME_SLACK = 65_536  # Room for an error or metadata beside the result.
_ROOT = str(Path(__file__).resolve().parents[3])
# -I and -S: nothing from the environment, the working directory or .pth files runs in the zygote.
# It finds modules where its parent does.
_BOOT = (
    "import json,sys; sys.path[:]=paths=json.loads(sys.argv[1]); "
    "from tasks_app.circuits.sandbox.zygote import main; main(paths)"
)


class Zygote:
    """The process that forks children. From any thread; a request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = [_ROOT, *(path for path in sys.path if os.path.isabs(path) and path != _ROOT)]
        with theirs:
            # It ends when the other end of its standard input is closed, which is here only.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, json.dumps(paths)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    def fork(self, limits: Limits, channel: socket.socket, *, devices: bool) -> int:
        """Make a child that serves `channel`, and will simulate `devices`; its process id.

        Raises SandboxDied, whatever kept it from starting: no circuit has to do with that.
        """
        with self._lock:
            answer = self._request({"fork": asdict(limits), "devices": devices}, [channel.fileno()])
            if "unavailable" in answer:
                self._stop()
                raise SandboxDied(str(answer["unavailable"]))
        if "failed" in answer:
            raise SandboxDied(f"the simulator did not start: {answer['failed']}")
        return int(answer["pid"])

    def end(self, pid: int) -> int | None:
        """Kill a child and its process group, and wait; its exit status, negative for a signal.

        None if the zygote has ended before, and all its children with it.
        """
        with self._lock, contextlib.suppress(SandboxDied):
            return int(self._request({"end": pid})["status"])
        return None

    def close(self) -> None:
        """End it and all its children."""
        with self._lock:
            self._stop()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _request(self, message: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        try:
            self._control.settimeout(START_S)
            socket.send_fds(self._control, [json.dumps(message).encode()], files)
            received = self._control.recv(MAX_MESSAGE)
        except TimeoutError:
            self._stop()
            raise SandboxDied(f"the simulator did not start within {START_S:g} s") from None
        except OSError:
            received = b""
        if not received:
            self._stop()
            raise SandboxDied("the process that starts simulations has ended")
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _stop(self) -> None:
        self._process.kill()  # Its children get SIGKILL from the kernel.
        self._process.wait()
        self._control.close()


class ChildProcess:
    """A child that runs one job at a time. `ask` from one thread, `kill` from any."""

    def __init__(
        self, limits: Limits, zygote: Zygote | None = None, *, devices: bool = False
    ) -> None:
        """Raises SandboxDied."""
        self._limits = limits
        self.ready = False
        self.walls: list[str] = []
        self.exit_status: int | None = None
        try:
            self._zygote = zygote or shared_zygote()
            self._channel, theirs = socket.socketpair()
        except OSError as error:
            raise SandboxDied(f"the simulator did not start: {error.strerror}") from None
        try:
            with theirs:
                self.pid = self._zygote.fork(limits, theirs, devices=devices)
        except BaseException:
            self._channel.close()
            raise

    def wait_ready(self) -> None:
        """Wait until the child is behind its walls.

        Raises SandboxDied, whatever kept it from starting: no circuit has to do with that.
        """
        try:
            greeting = self._receive(_FRAME_SLACK, time.monotonic() + START_S)
        except TimeoutError:
            raise SandboxDied(f"the simulator did not start within {START_S:g} s") from None
        except (frames.FrameTooLarge, frames.BadFrame):
            raise SandboxDied("the simulator answered nonsense instead of starting") from None
        if "unavailable" in greeting:
            raise SandboxDied(str(greeting["unavailable"]))
        self.walls = greeting["walls"]
        self.ready = True

    def ask(
        self,
        request: dict[str, Any],
        deadline_s: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Send a job and wait for its answer, `deadline_s` seconds from when the child is ready.

        `meanwhile` is called once if the answer takes longer than `MOMENT_S`. Raises SandboxDied,
        TimeoutError, what `meanwhile` raises, and the errors of `frames.receive`.
        """
        if not self.ready:
            self.wait_ready()
        deadline = time.monotonic() + deadline_s
        try:
            self._channel.settimeout(deadline_s)
            self._channel.sendall(frames.encode(request))
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise SandboxDied(self._epitaph()) from None
        moment_s = min(MOMENT_S, deadline_s)
        if not self._happens(select.POLLRDHUP | select.POLLIN, within_s=moment_s):
            meanwhile()
        return self._receive(self._limits.max_result_bytes + _FRAME_SLACK, deadline)

    def kill(self) -> None:
        """Make `ask` raise SandboxDied at once; whoever asked closes the child, which ends it."""
        with contextlib.suppress(OSError):  # closed already
            self._channel.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the child and what it started, and wait for it. Not while `ask` runs."""
        if self._channel.fileno() >= 0:
            self._channel.close()
            self.exit_status = self._zygote.end(self.pid)

    @property
    def alive(self) -> bool:
        return not self._happens(select.POLLRDHUP)

    @property
    def idle(self) -> bool:
        """Whether it waits for a job, and has said nothing unasked."""
        return not self._happens(select.POLLRDHUP | select.POLLIN)

    def _happens(self, events: int, *, within_s: float = 0) -> bool:
        try:
            poll = select.poll()
            poll.register(self._channel, events)
            return bool(poll.poll(1000 * within_s))
        except (OSError, ValueError):  # closed
            return True

    def _receive(self, max_bytes: int, deadline: float) -> dict[str, Any]:
        try:
            return frames.answer(frames.receive(self._channel, max_bytes, deadline))
        except EOFError:
            raise SandboxDied(self._epitaph()) from None

    def _epitaph(self) -> str:
        self.close()  # It may have closed its end and still be there.
        if self.exit_status is None:
            return "the process that starts simulations has ended"
        if self.exit_status >= 0:
            return f"the simulator exited with status {self.exit_status}"
        with contextlib.suppress(ValueError):
            return f"the simulator was ended by {signal.Signals(-self.exit_status).name}"
        return f"the simulator was ended by signal {-self.exit_status}"


def _environment() -> dict[str, str]:
    """Nothing of the service's environment but what the interpreter needs to load libraries."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "LC_ALL": "C.UTF-8",
        "HOME": "/dev/null",  # No settings, and no folder for caches: nothing is read or made.
        "QISKIT_PARALLEL": "FALSE",
        # NumPy never multiplies anything large here, and idle threads cost address space.
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        # Threads that spin while they wait take the cores from the other children.
        "OMP_WAIT_POLICY": "passive",
    }


_lock = threading.Lock()
_shared: Zygote | None = None


def shared_zygote() -> Zygote:
    """This process's zygote, started if there is none; returns without waiting for it."""
    global _shared
    with _lock:
        if _shared is None or not _shared.alive:
            _shared = Zygote()
        return _shared


def end_simulators() -> None:
    """End this process's zygote, if there is one, and all its children."""
    global _shared
    with _lock:
        zygote, _shared = _shared, None
    if zygote is not None:
        zygote.close()


def _forget_zygote() -> None:
    """In a fork of this process, to which the zygote does not belong."""
    global _shared, _lock
    _lock, _shared = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_zygote)
