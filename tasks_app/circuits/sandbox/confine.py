"""What a child gives up before it sees a program. Linux only; runs in the child."""

import contextlib
import ctypes
import os
import resource
import signal
import struct
from pathlib import Path

from tasks_app.circuits.sandbox import landlock, seccomp

WALLS = ("landlock", "seccomp")
"""The walls that stand or fall with the kernel, and without which something is left open."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITIES_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MOST_THREADS_MORE = 4096  # Of the user, in all processes: a simulation takes one a core.
_PACKAGE = Path(__file__).resolve().parents[1]
_READABLE = (
    # Libraries that modules load when they are first used.
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"),
    *("/dev/null", "/dev/urandom", "/sys/devices/system/cpu"),
)

_libc = ctypes.CDLL(None, use_errno=True)


def settle() -> None:
    """What a zygote gives up for itself and all its children."""
    # If memory runs out, the kernel should take this process, not the service.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    with contextlib.suppress(OSError):
        os.nice(5)
    # Ctrl-C in a terminal is for the service, which decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A namespace of our own has no network. Not every kernel or container grants one.
    if _libc.unshare(_CLONE_NEWNET) != 0:
        _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))  # No process of the same user attaches.


def tie_to_parent(parent_pid: int) -> None:
    """Die with the parent, and head a group of processes that can be killed as one."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # It died before prctl took effect.
        os._exit(1)
    with contextlib.suppress(OSError):  # The parent does so too; one of them comes first.
        os.setpgid(0, 0)


def raise_walls(module_paths: list[str]) -> list[str]:
    """Give up all that a simulation does not need; the names of those `WALLS` that stand.

    Raises OSError where the kernel has a wall and it does not stand.
    """
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    libraries = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    readable = [*_READABLE, *libraries, *_module_paths(module_paths)]
    walls = ["landlock"] if landlock.restrict_to_reading(readable) else []
    _drop_capabilities()
    return [*walls, "seccomp"] if seccomp.allow_simulation_only() else walls


def _module_paths(paths: list[str]) -> list[str]:
    """Where modules are, without the folder that this project lies in: it holds the settings."""
    project = _PACKAGE.parents[1]
    foreign = [path for path in paths if not project.is_relative_to(Path(path).resolve())]
    return [*foreign, str(_PACKAGE), str(_PACKAGE.parent / "__init__.py")]


def _drop_capabilities() -> None:
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for number in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # refused to whoever has none to drop
    header, none = struct.pack("Ii", _CAPABILITIES_3, 0), bytes(24)
    _check(_libc.capset(header, none))


def _check(answer: int) -> None:
    if answer != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def limit_resources(memory_mb: int, address_space: int) -> None:
    """Cap memory at `memory_mb` MiB beyond `address_space` bytes; forbid core dumps and writing."""
    _limit(resource.RLIMIT_AS, address_space + memory_mb * 2**20)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    threads = int(Path("/proc/loadavg").read_text().split()[3].rpartition("/")[2])
    _limit(resource.RLIMIT_NPROC, threads + _MOST_THREADS_MORE)


def limit_cpu(cpu_s: int) -> None:
    """Let the kernel end this process after `cpu_s` more seconds of processor time."""
    times = os.times()
    soft = int(times.user + times.system) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


class Memory:
    """How much memory this process has; readable behind the walls when made before them."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def address_space_bytes(self) -> int:
        return self._pages(0) * resource.getpagesize()

    def resident_bytes(self) -> int:
        return self._pages(1) * resource.getpagesize()

    def _pages(self, field: int) -> int:
        return int(os.pread(self._statm, 256, 0).split()[field])


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
