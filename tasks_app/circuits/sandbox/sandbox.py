"""A place to run circuits that nothing in a circuit can hurt."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks_app.circuits.errors import (
    CircuitError,
    SandboxDied,
    SandboxStopped,
    SimulatorUnavailable,
    result_too_large,
)
from tasks_app.circuits.job import Job, Limits, as_message, check_job
from tasks_app.circuits.sandbox import frames
from tasks_app.circuits.sandbox.answer import OddAnswer, check_answer
from tasks_app.circuits.sandbox.process import START_S, ChildProcess, Zygote, shared_zygote
from tasks_app.circuits.sandbox.zygote import BELL

# As Qiskit's reader of QPY ends where a file announces more than fits the memory.
_BROKEN = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)


class Sandbox:
    """One persistent child process that runs one job at a time.

    `run` is called from one thread; `stop`, `start` and `close` from any. A child that
    overstays, dies or answers nonsense is replaced, and the sandbox stays usable.
    """

    _busy = 0  # Sandboxes of this process inside run(); they share the cores.
    _busy_lock = threading.Lock()

    def __init__(
        self, limits: Limits, *, ended: Callable[[str], None] = lambda reason: None
    ) -> None:
        """`ended` is told why each child was ended: the code of the circuit's error, or a word."""
        self.limits = limits
        self._ended = ended
        self._lock = threading.Lock()  # Guards what follows; never held while waiting.
        self._child: ChildProcess | None = None
        self._running = False
        self._stopped = False
        self._closed = False
        self._owner: Hashable = None
        self._tasks = 0

    @property
    def pid(self) -> int | None:
        """Process id of the child, if there is one."""
        child = self._child
        return child.pid if child and child.alive else None

    def start(self) -> None:
        """Have the simulator imported; return without waiting for it."""
        with contextlib.suppress(OSError):  # the next run tries again
            shared_zygote()

    def run(
        self, job: Job, *, owner: Hashable = None, meanwhile: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Run a job: `{"counts": {outcome: shots}, "shots": n, "metadata": {...}}`.

        No child serves two owners. `meanwhile` is called once if the answer takes longer than
        `MOMENT_S`. Raises CircuitError, SandboxDied, SandboxStopped, and what `meanwhile` raises.
        """
        check_job(job, self.limits)
        self._begin()
        try:
            outcome = self._outcome(job, owner, meanwhile)
        except (CircuitError, SandboxDied):
            if self._stopped:
                raise SandboxStopped from None
            raise
        finally:
            self._end()
        if self._stopped:  # when the answer was there already
            raise SandboxStopped
        return outcome

    def stop(self) -> bool:
        """Stop the run under way, which raises SandboxStopped; False without one."""
        with self._lock:
            if not self._running:
                return False
            self._stopped = True
            if self._child:
                self._child.kill()
            return True

    def close(self) -> None:
        """End the child for good. A run under way raises SandboxStopped."""
        with self._lock:
            self._closed = True
        if not self.stop():
            self._drop_child("closed")

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("this sandbox is closed")
            self._running, self._stopped = True, False
        with Sandbox._busy_lock:
            Sandbox._busy += 1

    def _end(self) -> None:
        with Sandbox._busy_lock:
            Sandbox._busy -= 1
        with self._lock:
            self._running = False
        if self._closed:
            self._drop_child("closed")

    def _outcome(self, job: Job, owner: Hashable, meanwhile: Callable[[], None]) -> dict[str, Any]:
        child = self._child_of(owner, devices=job.backend is not None)
        try:
            request = as_message(job) | {"threads": self._threads()}
            answer = check_answer(child.ask(request, self.limits.deadline_s, meanwhile), job)
        except SandboxDied as death:
            fault = self._what_killed(child, job)
            self._drop_child(fault.code if fault else "died")
            raise (fault or death) from None
        except TimeoutError:
            self._drop_child("timed_out")
            raise CircuitError(
                "timed_out",
                f"The task ran longer than {self.limits.deadline_s:g} s and was stopped; "
                "use fewer shots, qubits, gates or loop iterations.",
            ) from None
        except frames.FrameTooLarge:
            self._drop_child("result_too_large")
            raise result_too_large(self.limits.max_result_bytes) from None
        except (frames.BadFrame, OddAnswer) as odd:
            self._drop_child("nonsense")
            raise SandboxDied(f"the simulator answered nonsense: {odd}") from None
        except BaseException:  # of `meanwhile`: the answer may still come, and be the next job's
            self._drop_child("interrupted")
            raise
        self._tasks += 1
        if (
            self._tasks >= self.limits.max_tasks_per_child
            or answer.resident_mb > self.limits.max_idle_memory_mb
        ):
            self._drop_child("worn_out")
        if isinstance(answer.outcome, CircuitError):
            raise answer.outcome
        return answer.outcome

    def _child_of(self, owner: Hashable, *, devices: bool) -> ChildProcess:
        """A child that has served nobody else and waits for a job. Raises SandboxDied."""
        if self._child and self._owner == owner and self._child.idle:
            return self._child
        self._drop_child("other_owner" if self._child and self._child.idle else "died")
        child = ChildProcess(self.limits, devices=devices)
        with self._lock:
            self._child, self._owner, self._tasks = child, owner, 0
            if self._stopped:
                child.kill()
        return child

    def _what_killed(self, child: ChildProcess, job: Job) -> CircuitError | None:
        """The circuit's own fault that a child died of; None if it was no fault of the circuit."""
        if not child.ready:  # until then it spends the time on itself
            return None
        if child.exit_status == -signal.SIGXCPU:
            return CircuitError(
                "cpu_time_exceeded",
                f"The task used more than {self.limits.cpu_s} s of processor time; "
                "use fewer shots, qubits, gates or loop iterations.",
            )
        if job.circuit_format == "qpy" and child.exit_status in _BROKEN:
            return CircuitError(
                "invalid_qpy",
                "Qiskit broke down on the QPY file, which is damaged or needs more memory than "
                f"the {self.limits.memory_mb:,} MiB that a task may have.",
            )
        return None

    def _drop_child(self, reason: str) -> None:
        """End the child; the next run has another."""
        with self._lock:
            child, self._child = self._child, None
            stopped = self._running and self._stopped
        if child:
            child.close()
            self._ended("stopped" if stopped else reason)

    def _threads(self) -> int:
        cores = self.limits.cpu_cores or len(os.sched_getaffinity(0))
        return max(1, cores // max(1, Sandbox._busy))


def standing_walls() -> list[str]:
    """Which of `WALLS` stand around a child of this process. Raises SandboxDied."""
    with contextlib.closing(ChildProcess(Limits())) as child:
        child.wait_ready()
        return child.walls


@dataclass(frozen=True, slots=True)
class Simulator:
    """What a child told about itself."""

    versions: Mapping[str, str]
    walls: list[str]


def check_simulator() -> Simulator:
    """Run a Bell circuit in a throw-away child; what it tells of versions and walls.

    Raises SimulatorUnavailable.
    """
    job, limits = Job(circuit=BELL), Limits()
    try:
        with contextlib.closing(Zygote()) as zygote:
            child = ChildProcess(limits, zygote)
            reply = child.ask(as_message(job) | {"threads": 1}, START_S)
            outcome = check_answer(reply, job).outcome
    except TimeoutError:
        raise SimulatorUnavailable("the simulator did not answer in time") from None
    except (SandboxDied, OSError, frames.FrameTooLarge, frames.BadFrame, OddAnswer) as error:
        raise SimulatorUnavailable(str(error)) from None
    if isinstance(outcome, CircuitError) or set(outcome["counts"]) != {"00", "11"}:
        raise SimulatorUnavailable(f"a Bell circuit gave {outcome}")
    metadata = outcome["metadata"]
    versions = {name: metadata[name] for name in ("qiskit", "qiskit_aer")}
    return Simulator(versions, child.walls)
