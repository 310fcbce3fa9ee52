"""A place to run circuits that nothing in a circuit can hurt."""

import contextlib
import os
import signal
import threading
from typing import Any, NoReturn

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
from tasks_app.circuits.sandbox.process import ChildGone, ChildProcess

_BELL = "OPENQASM 2.0; qreg q[2]; creg c[2]; U(pi/2,0,pi) q[0]; CX q[0],q[1]; measure q -> c;"


class Sandbox:
    """One persistent child process that runs one job at a time.

    `run` is called from one thread; `stop`, `start` and `close` from any. A child that
    overstays, dies or answers nonsense is replaced, and the sandbox stays usable.
    """

    _busy = 0  # Sandboxes of this process inside run(); they share the cores.
    _busy_lock = threading.Lock()

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()  # Guards what follows; never held while waiting.
        self._child: ChildProcess | None = None
        self._running = False
        self._stopped = False
        self._closed = False
        self._tasks = 0

    @property
    def pid(self) -> int | None:
        """Process id of the child, if there is one."""
        child = self._child
        return child.pid if child and child.alive else None

    def start(self) -> None:
        """Spawn the child if there is none; return without waiting for it."""
        with self._lock, contextlib.suppress(SandboxDied):  # the next run tries again
            self._ensure_child()

    def run(self, job: Job) -> dict[str, Any]:
        """Run a job: `{"counts": {outcome: shots}, "shots": n, "metadata": {...}}`.

        Raises CircuitError, SandboxDied, SandboxStopped.
        """
        check_job(job, self.limits)
        with self._lock:
            child = self._ensure_child()
            self._running, self._stopped = True, False
        with Sandbox._busy_lock:
            Sandbox._busy += 1
        try:
            reply = self._ask(child, job)
        except (CircuitError, SandboxDied):
            if self._stopped:
                raise SandboxStopped from None
            raise
        finally:
            with Sandbox._busy_lock:
                Sandbox._busy -= 1
            with self._lock:
                self._running = False
        if self._stopped:
            raise SandboxStopped
        self._tasks += 1
        try:
            answer = check_answer(reply, job, self.limits)
        except OddAnswer as odd:
            self._replace(child)
            raise SandboxDied(f"the simulator answered nonsense: {odd}") from None
        if (
            self._tasks >= self.limits.max_tasks_per_child
            or answer.resident_mb > self.limits.max_idle_memory_mb
        ):
            self._replace(child)
        if isinstance(answer.outcome, CircuitError):
            raise answer.outcome
        return answer.outcome

    def stop(self) -> bool:
        """Kill the child of the run under way, which raises SandboxStopped; False without one."""
        with self._lock:
            if not self._running or self._child is None:
                return False
            self._stopped = True
            self._child.kill()
            return True

    def close(self) -> None:
        """End the child for good. A run under way raises SandboxStopped."""
        self.stop()
        with self._lock:
            self._closed = True
            child = self._child
            if child and not self._running:
                self._child = None
                child.close()

    def _ask(self, child: ChildProcess, job: Job) -> dict[str, Any]:
        request = as_message(job) | {"threads": self._threads()}
        try:
            return child.ask(request, self.limits.deadline_s)
        except ChildGone as death:
            self._bury(child, str(death))
        except TimeoutError:
            self._replace(child)
            raise CircuitError(
                "timed_out",
                f"The task ran longer than {self.limits.deadline_s:g} s and was stopped; "
                "use fewer shots, qubits, gates or loop iterations.",
            ) from None
        except frames.FrameTooLarge:
            self._replace(child)
            raise result_too_large(self.limits.max_result_bytes) from None
        except frames.BadFrame:
            self._replace(child)
            raise SandboxDied("the simulator answered nonsense") from None

    def _bury(self, child: ChildProcess, how: str) -> NoReturn:
        # Before it is ready it spends the time on itself.
        exhausted = child.ready and child.exit_signal == signal.SIGXCPU
        self._replace(child)
        if exhausted:
            raise CircuitError(
                "cpu_time_exceeded",
                f"The task used more than {self.limits.cpu_s} s of processor time; "
                "use fewer shots, qubits, gates or loop iterations.",
            )
        raise SandboxDied(how)

    def _threads(self) -> int:
        cores = self.limits.cpu_cores or len(os.sched_getaffinity(0))
        return max(1, cores // max(1, Sandbox._busy))

    def _ensure_child(self) -> ChildProcess:
        if self._closed:
            raise RuntimeError("this sandbox is closed")
        if self._child and not self._child.alive:
            self._child.close()
            self._child = None
        if self._child is None:
            self._tasks = 0
            try:
                self._child = ChildProcess(self.limits)
            except OSError as error:
                raise SandboxDied(f"the simulator did not start: {error.strerror}") from None
        return self._child

    def _replace(self, child: ChildProcess) -> None:
        """Put a fresh child in place of this one, already warming up for the next job."""
        child.close()
        with self._lock:
            if self._child is child:
                self._child = None
            if not self._closed:
                with contextlib.suppress(SandboxDied):  # the next run tries again
                    self._ensure_child()


def check_simulator() -> dict[str, str]:
    """Run a Bell circuit in a throw-away child; return the versions of qiskit and qiskit_aer.

    Raises SimulatorUnavailable.
    """
    child = ChildProcess(Limits())
    try:
        child.wait_ready()
        reply = child.ask(as_message(Job(circuit=_BELL)) | {"threads": 1}, 60)
        if set(reply.get("result", {}).get("counts", ())) != {"00", "11"}:
            raise SimulatorUnavailable(f"a Bell circuit gave {reply}")
    except TimeoutError:
        raise SimulatorUnavailable("the simulator did not answer in time") from None
    except (ChildGone, frames.FrameTooLarge, frames.BadFrame) as error:
        raise SimulatorUnavailable(str(error)) from None
    finally:
        child.close()
    metadata = reply["result"]["metadata"]
    return {"qiskit": metadata["qiskit"], "qiskit_aer": metadata["qiskit_aer"]}
