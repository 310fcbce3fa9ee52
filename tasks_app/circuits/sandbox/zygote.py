"""A process that has imported the simulator once, and forks a child of itself whenever asked.

A fork takes milliseconds where an import takes a third of a second. This process never sees a
program: its worker hands it a channel, and only the child that is made of it reads from that. It
ends when its worker does, and its children end with it.
"""

import contextlib
import gc
import json
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from tasks_app.circuits.job import Job, Limits, as_message
from tasks_app.circuits.sandbox import child, confine

MAX_MESSAGE = 65_536  # Bytes of a message between a worker and its zygote.
BELL = "OPENQASM 2.0; qreg q[2]; creg c[2]; U(pi/2,0,pi) q[0]; CX q[0],q[1]; measure q -> c;"
_STEERED = """OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; bit n = 1;
gate g(a) b { rz(a + pi / 2) b; }
for int i in [0:1] { g(0.5) q[i]; }
c[0] = measure q[0];
if (c[0] == 1) { x q[1]; } else { ctrl @ z q[0], q[1]; }
while (n) { n = measure q[0]; reset q[0]; }
"""
"""Fills the parser's tables before children are forked: the first such program of a child takes
it half as long then (22 ms of processor time instead of 45).
"""


def main(module_paths: list[str]) -> None:
    """Serve the worker at the other end of the socket that is standard input, until it is gone."""
    confine.settle()
    control, own_pid = socket.socket(fileno=os.dup(0)), os.getpid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        runner, prepare_devices = _import_simulator()
    except BaseException as error:
        control.recv(MAX_MESSAGE)  # The first request.
        _send(control, {"unavailable": f"{type(error).__name__}: {error}"})
        return
    while True:
        message, files, _, _ = socket.recv_fds(control, MAX_MESSAGE, 1)
        if not message:
            os._exit(0)  # Nothing to save, and tearing down the libraries takes a while.
        request = json.loads(message)
        if "end" in request:
            _send(control, {"status": _end(request["end"])})
        else:
            if request["devices"]:
                prepare_devices()
                gc.freeze()
            (channel,), limits = files, Limits(**request["fork"])
            serve = partial(child.main, channel, runner(limits), limits, module_paths, own_pid)
            _send(control, _fork(serve))
            os.close(channel)


def _import_simulator() -> tuple[Callable[[Limits], Any], Callable[[], None]]:
    """What makes runners, warmed up by circuits of our own; what imports more for devices."""
    gc.disable()  # There is nothing to find yet.
    # Here and not above: importing fails on a machine without a working simulator, and the
    # worker wants to know the reason.
    from tasks_app.circuits.simulation.noisy_device import prepare
    from tasks_app.circuits.simulation.runner import Runner

    runner = Runner(Limits())
    for circuit in (BELL, _STEERED):
        runner.run(as_message(Job(circuit=circuit)) | {"threads": 1})
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a library has started a thread, and a fork would lack it")
    gc.freeze()  # Looking through Qiskit for garbage would take 60 ms now and then.
    gc.enable()
    return Runner, prepare


def _fork(serve: Callable[[], None]) -> dict[str, Any]:
    try:
        pid = os.fork()
    except OSError as error:
        return {"failed": error.strerror}
    if pid == 0:
        try:
            serve()
        finally:
            os._exit(1)
    with contextlib.suppress(OSError):  # The child does so too; one of them comes first.
        os.setpgid(pid, pid)
    return {"pid": pid}


def _end(pid: int) -> int:
    """Kill a child and whatever is in its group; its exit status, negative for a signal."""
    # Nobody else waits for it: until we do, its process id is its own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(json.dumps(message).encode()[:MAX_MESSAGE])
