"""What a child gives up before it sees a program. Linux only; runs in the child."""

import contextlib
import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def tie_to_parent(parent_pid: int) -> None:
    """Die with the parent. Comes first, so that no start-up leaves an orphan behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    # A namespace of our own has no network. Not every kernel or container grants one. It comes
    # before the death signal because a change of credentials clears that.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:  # It died before prctl took effect.
        os._exit(1)
    # Ctrl-C in a terminal is for the service, which decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # If memory runs out, the kernel should take this process, not the service.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    with contextlib.suppress(OSError):
        os.nice(5)


def limit_resources(memory_mb: int) -> None:
    """Cap memory at `memory_mb` MiB beyond what is mapped now; forbid core dumps and writing."""
    _limit(resource.RLIMIT_AS, address_space_bytes() + memory_mb * 2**20)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)


def limit_cpu(cpu_s: int) -> None:
    """Let the kernel end this process after `cpu_s` more seconds of processor time."""
    times = os.times()
    soft = int(times.user + times.system) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def address_space_bytes() -> int:
    return _statm()[0]


def resident_bytes() -> int:
    return _statm()[1]


def _statm() -> tuple[int, int]:
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = file.read().split()
    return int(pages[0]) * resource.getpagesize(), int(pages[1]) * resource.getpagesize()


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
