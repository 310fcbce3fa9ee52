"""Who a worker process is, in a form from which others can tell that it is gone for certain."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

from tasks_app.processes import exists

ALIVE_S = 15  # a worker reports itself every few seconds


def _stat(pid: int) -> tuple[str, str]:
    """State of a process, and its start in clock ticks since boot. Raises OSError."""
    state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, fields[18]


@cache
def _namespace() -> str:
    """Names this boot of this machine and this process-id namespace (a container has its own)."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    pid_namespace = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot} {pid_namespace}".encode()).hexdigest()[:12]


def current() -> str:
    """This process as `host:pid:start:namespace`, unique over restarts and reused process ids."""
    return _of(os.getpid())


def public(worker: str) -> str:
    """What histories, which users read, call it: `start:namespace`."""
    return worker.split(":", 2)[-1]


@cache  # by the id: a fork is another process
def _of(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_stat(pid)[1]}:{_namespace()}"


def is_gone(worker: str) -> bool:
    """True only if `worker` ran in our process-id namespace and its process has ended.

    False when it lives or when nobody here can know (another machine, container or boot): then
    its lease decides.
    """
    host, _, rest = worker.rpartition(":")[0].partition(":")
    pid, _, start = rest.partition(":")
    if not host or worker.rpartition(":")[2] != _namespace() or not pid.isdigit():
        return False
    try:
        state, its_start = _stat(int(pid))
    except OSError:  # it has ended, or is another user's and hidden, or we cannot open files
        return not exists(int(pid))
    return state in "ZX" or its_start != start
