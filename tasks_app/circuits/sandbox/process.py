"""One child process as its parent sees it: spawn, ask, kill."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks_app.circuits.job import Limits
from tasks_app.circuits.sandbox import frames

START_S = 60.0
"""Seconds a child may take to import the simulator on a busy machine."""
_FRAME_SLACK = 65_536  # Room for an error or metadata beside the result.
_ROOT = str(Path(__file__).resolve().parents[3])
# -I and -S: nothing from the environment, the working directory or .pth files runs in the child.
# It finds modules where its parent does.
_BOOT = (
    "import json,sys; sys.path[:]=paths=json.loads(sys.argv[1]); "
    "from tasks_app.circuits.sandbox.child import main; "
    "main(json.loads(sys.argv[2]), paths, int(sys.argv[3]))"
)


class ChildGone(Exception):
    """The child ended without an answer; the text says how."""


class ChildProcess:
    """A child that runs one job at a time. `ask` from one thread, `kill` from any."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.ready = False
        self.walls: list[str] = []
        self._channel, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", "-c", _BOOT, json.dumps(_module_paths())]
        command += [json.dumps(asdict(limits)), str(os.getpid())]
        with theirs:
            self._process = _spawner().submit(_spawn, command, theirs).result()
        self.pid = self._process.pid

    def wait_ready(self) -> None:
        """Wait until the child has imported the simulator.

        Raises ChildGone, whatever kept it from starting: no circuit has to do with that.
        """
        try:
            greeting = self._receive(_FRAME_SLACK, time.monotonic() + START_S)
        except TimeoutError:
            self.kill()
            raise ChildGone(f"the simulator did not start within {START_S:g} s") from None
        except (frames.FrameTooLarge, frames.BadFrame):
            self.kill()
            raise ChildGone("the simulator answered nonsense instead of starting") from None
        if "unavailable" in greeting:
            raise ChildGone(greeting["unavailable"])
        self.walls = greeting["walls"]
        self.ready = True

    def ask(self, request: dict[str, Any], deadline_s: float) -> dict[str, Any]:
        """Send a job and wait for its answer, `deadline_s` seconds from when the child is ready.

        Raises ChildGone, TimeoutError and the errors of `frames.receive`.
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
            raise ChildGone(self._epitaph()) from None
        return self._receive(self._limits.max_result_bytes + _FRAME_SLACK, deadline)

    def kill(self) -> None:
        """End the child at once, whatever it does."""
        self._process.kill()  # Checks that the pid is still ours.

    def close(self) -> None:
        """Kill the child, wait until it is gone and free the channel. Not while `ask` runs."""
        self.kill()
        self._process.wait()
        self._channel.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_signal(self) -> int | None:
        """The signal that ended the child, if one did. Call after ChildGone."""
        code = self._process.wait()
        return -code if code < 0 else None

    def _receive(self, max_bytes: int, deadline: float) -> dict[str, Any]:
        try:
            return frames.receive(self._channel, max_bytes, deadline)
        except EOFError:
            raise ChildGone(self._epitaph()) from None

    def _epitaph(self) -> str:
        self.kill()  # It may have closed its end and still be there.
        if (number := self.exit_signal) is None:
            return f"the simulator exited with status {self._process.returncode}"
        with contextlib.suppress(ValueError):
            return f"the simulator was ended by {signal.Signals(number).name}"
        return f"the simulator was ended by signal {number}"


def _spawn(command: list[str], channel: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=channel.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )


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


def _module_paths() -> list[str]:
    return [_ROOT] + [path for path in sys.path if os.path.isabs(path) and path != _ROOT]


# The parent-death signal fires when the *thread* that spawned the child ends. Children outlive
# the worker threads that first need them, so one thread that lives as long as the process
# spawns them all. A fork has no threads: it starts over.
_lock = threading.Lock()
_spawner_thread: ThreadPoolExecutor | None = None


def _spawner() -> ThreadPoolExecutor:
    global _spawner_thread
    with _lock:
        if _spawner_thread is None:
            _spawner_thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-spawner")
        return _spawner_thread


def _forget_spawner() -> None:
    global _spawner_thread, _lock
    _lock = threading.Lock()
    _spawner_thread = None


os.register_at_fork(after_in_child=_forget_spawner)
