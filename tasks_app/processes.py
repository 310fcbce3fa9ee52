"""Small facts about Linux processes: who lives, who dies with whom."""

import ctypes
import os
import secrets
import signal
import socket
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent_pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Make the kernel send `signum` to this process when `parent_pid` ends, however it ends.

    The signal follows the *thread* that started this process, and changing user clears it.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended before we asked
        os.kill(os.getpid(), signum)


def hide_memory() -> None:
    """Keep memory and environment, with the secrets in both, from other processes of our user.

    From debuggers too, and there is no core dump. Forks inherit it; another program does not.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def tethered(signum: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` that ties the child about to be started to the calling process."""
    parent_pid = os.getpid()
    return lambda: die_with_parent(parent_pid, signum)


def exists(pid: int) -> bool:
    """Whether there is such a process, hidden from us or not (hidepid, ProtectProc)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def pids_naming(text: str) -> list[int]:
    """Process ids whose command line contains `text`, our own left out.

    Command lines can be read across users, unlike a process's folder or executable.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if text.encode() in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on.

    None of those, from 32,768 on, that Linux gives to outgoing connections: one could have it by
    the time that we listen, or listen again.
    """
    while not port_is_free(port := 10_000 + secrets.randbelow(22_768)):
        pass
    return port


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this TCP port of the loopback interface."""
    with socket.socket() as sock:
        # As servers do: a port whose last connections are merely cooling down is free.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, or an empty string when there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
