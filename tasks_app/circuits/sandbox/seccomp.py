"""seccomp: the kernel answers the few calls that a simulation makes, and refuses all others.

What is not listed fails with ENOSYS, as on a kernel without the call, for which libraries have
another way. So there are no sockets, no programs, no processes, no signals and no changes to files.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the tables below, and the kernel's name for the architecture."""

_ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    # The most frequent ones first. Columns: x86_64, aarch64.
    "futex": (202, 98),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "write": (1, 64),
    "writev": (20, 66),
    "lseek": (8, 62),
    "close": (3, 57),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "getrandom": (318, 278),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getcpu": (309, 168),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "membarrier": (324, 283),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
}


@dataclass(frozen=True, slots=True)
class _Only:
    """A call that is allowed while `argument & mask` is one of `values`."""

    numbers: tuple[int | None, int | None]
    argument: int
    mask: int
    values: tuple[int, ...]


_ALL = 0xFFFFFFFF
_CLONE_VM, _CLONE_THREAD, _CLONE_NEW_ANY = 0x100, 0x10000, 0x7E020000
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
_GET_FD, _SET_FD, _GET_FLAGS, _DUPLICATE = 1, 2, 3, 1030  # not F_SETOWN, which sends signals
_IS_A_TERMINAL, _CLOSE_ON_EXEC = 0x5401, 0x5451  # what Python asks of each file that it opens


def _only_here(pid: int) -> tuple[_Only, ...]:
    thread = _CLONE_VM | _CLONE_THREAD
    return (
        _Only((56, 220), 0, thread | _CLONE_NEW_ANY, (thread,)),  # clone: threads
        _Only((257, 56), 2, _WRITING, (0,)),  # openat: to read
        _Only((2, None), 1, _WRITING, (0,)),  # open
        _Only((302, 261), 0, _ALL, (0,)),  # prlimit64: our own limits
        _Only((234, 131), 0, _ALL, (pid,)),  # tgkill: abort() ends us, and nobody else
        _Only((72, 25), 1, _ALL, (_GET_FD, _SET_FD, _GET_FLAGS, _DUPLICATE)),  # fcntl
        _Only((16, 29), 1, _ALL, (_IS_A_TERMINAL, _CLOSE_ON_EXEC)),  # ioctl
    )


# Berkeley Packet Filter: https://docs.kernel.org/userspace-api/seccomp_filter.html.
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in the kernel's `seccomp_data`
_ALLOW, _FAIL, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def allow_simulation_only() -> bool:
    """Refuse all but a simulation's calls, to the threads from here on; False without seccomp.

    The process must have given up new privileges (`PR_SET_NO_NEW_PRIVS`).
    """
    if platform.machine() not in _ARCHITECTURES:
        return False
    program = _program(platform.machine(), os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0) == 0:
        return True
    error = ctypes.get_errno()
    if error == errno.EINVAL:  # a kernel built without it
        return False
    raise OSError(error, f"seccomp: {os.strerror(error)}")


def _program(machine: str, pid: int) -> bytes:
    column, architecture = _ARCHITECTURES[machine]
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_JUMP_IF_EQUAL, architecture, if_equal=1),
        _line(_RETURN, _KILL_PROCESS),  # a call in another architecture's numbers
        _line(_LOAD, _NUMBER),
    ]
    for numbers in _ALLOWED.values():
        if (number := numbers[column]) is not None:
            lines += [_line(_JUMP_IF_EQUAL, number, if_not=1), _line(_RETURN, _ALLOW)]
    for only in _only_here(pid):
        if (number := only.numbers[column]) is not None:
            check = _check(only)
            lines += [_line(_JUMP_IF_EQUAL, number, if_not=len(check)), *check]
    lines.append(_line(_RETURN, _FAIL | errno.ENOSYS))
    return b"".join(lines)


def _check(only: _Only) -> list[bytes]:
    # The lower half of the argument: the kernel takes no more of any of these.
    lines = [_line(_LOAD, _ARGUMENTS + 8 * only.argument), _line(_AND, only.mask)]
    for value in only.values:
        lines += [_line(_JUMP_IF_EQUAL, value, if_not=1), _line(_RETURN, _ALLOW)]
    return [*lines, _line(_RETURN, _FAIL | errno.EPERM)]


def _line(code: int, operand: int, *, if_equal: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_equal, if_not, operand)
