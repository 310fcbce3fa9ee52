"""Who a worker process is, in a form from which others can tell that it is gone for certain."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path


def _start_ticks(pid: int) -> str | None:
    """Start of a living process in clock ticks since boot; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


@cache
def _namespace() -> str:
    """Names this boot of this machine and this process-id namespace (a container has its own)."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    pid_namespace = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot} {pid_namespace}".encode()).hexdigest()[:12]


def current() -> str:
    """This process as `host:pid:start:namespace`, unique over restarts and reused process ids."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_ticks(pid)}:{_namespace()}"


def is_gone(worker: str) -> bool:
    """True only if `worker` ran in our process-id namespace and its process has ended.

    False when it lives or when nobody here can know (another machine, container or boot): then
    its lease decides.
    """
    host, _, rest = worker.rpartition(":")[0].partition(":")
    pid, _, start = rest.partition(":")
    if not host or worker.rpartition(":")[2] != _namespace() or not pid.isdigit():
        return False
    return _start_ticks(int(pid)) != start
