"""What a simulation that was taken over might try: Python that runs where a program would.

Each is told the process id of a `victim` of the same user, which has a secret in its environment,
and a `folder` that the user may write to. It must raise OSError, as the walls make it do. None
hurts a machine without walls, because a test runs them there too.
"""

import platform
import subprocess
import sys

_NUMBERS = {
    # x86_64, aarch64
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "landlock_create_ruleset": (444, 444),
    "memfd_secret": (447, 447),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "process_madvise": (440, 440),
    "rt_sigqueueinfo": (129, 138),
    "tkill": (200, 130),
    "userfaultfd": (323, 282),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)

PRELUDE = f"""
import ctypes, errno, fcntl, glob, json, mmap, os, resource, select, signal, socket, subprocess, sys
import time
loader = (glob.glob("/lib*/ld-linux-*") or glob.glob("/lib/*/ld-linux-*") or [""])[0]
libc = ctypes.CDLL(None, use_errno=True)
numbers = { ({name: pair[_COLUMN] for name, pair in _NUMBERS.items()})!r}

def check(answer):
    if answer == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return answer

def call(name, *arguments):
    "A call of libc or, where it has none, of the kernel."
    if name in numbers:
        wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        return check(libc.syscall(ctypes.c_long(numbers[name]), *wide))
    return check(getattr(libc, name)(*arguments))

def read(path):
    with open(path, "rb") as file:
        return file.read(100)

"""

READING = {
    "read the machine's users": "read('/etc/passwd')",
    "read a file of the user": "read(f'{folder}/secret')",
    "read the project's settings": "read(f'{project}/quantumtasks/settings.py')",
    "read the environment of the victim": "read(f'/proc/{victim}/environ')",
    "read the memory map of the victim": "read(f'/proc/{victim}/maps')",
    "open the memory of the victim": "open(f'/proc/{victim}/mem', 'rb')",
    "see the open files of the victim": "os.listdir(f'/proc/{victim}/fd')",
    "read the environment of its parent": "read(f'/proc/{os.getppid()}/environ')",
    "list the root": "os.listdir('/')",
    "list a folder": "os.listdir(folder)",
    "list the processes": "os.listdir('/proc')",
}

WRITING = {
    "write to the memory of the victim": "os.open(f'/proc/{victim}/mem', os.O_RDWR)",
    "write to its own memory as a file": "os.open('/proc/self/mem', os.O_RDWR)",
    "write a file": "open(f'{folder}/new', 'w')",
    "append to a file": "open(f'{folder}/secret', 'a')",
    "write to a module": "os.open(json.__file__, os.O_WRONLY)",
    "write to its own package": "os.open(confine.__file__, os.O_WRONLY)",
    "cut a file": "os.truncate(f'{folder}/secret', 1)",
    "delete a file": "os.unlink(f'{folder}/victim')",
    "rename a file": "os.rename(f'{folder}/secret', f'{folder}/other')",
    "link a file": "os.link(f'{folder}/secret', f'{folder}/link')",
    "link a file by name": "os.symlink(f'{folder}/secret', f'{folder}/symbolic')",
    "make a folder": "os.mkdir(f'{folder}/new folder')",
    "make a pipe with a name": "os.mkfifo(f'{folder}/fifo')",
    "change a file's mode": "os.chmod(f'{folder}/secret', 0o666)",
    "change a file's owner": "os.chown(f'{folder}/secret', os.getuid(), -1)",
    "change a file's times": "os.utime(f'{folder}/secret')",
    "give a file attributes": "os.setxattr(f'{folder}/secret', 'user.x', b'1')",
    "change the folder that it is in": "os.chdir(folder)",
    "write to shared memory": "os.open('/dev/shm', os.O_RDWR | os.O_TMPFILE)",
    "open a terminal": "os.open('/dev/ptmx', os.O_RDWR)",
}

NETWORK = {
    "open a TCP socket": "socket.socket()",
    "open a UDP socket": "socket.socket(type=socket.SOCK_DGRAM)",
    "open a socket for files": "socket.socket(socket.AF_UNIX)",
    "open a socket to the kernel": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "open a pair of sockets": "socket.socketpair()",
    "send a file over its channel": "socket.send_fds(channel, [b'x'], [0])",
    "take a file over its channel": "channel.setblocking(False); socket.recv_fds(channel, 1, 1)",
    "listen on its channel": "channel.listen()",
}

PROCESSES = {
    "fork": "os.fork() or os._exit(0)",
    "fork as libc does": "call('fork') or os._exit(0)",
    "fork by clone": "call('clone', signal.SIGCHLD, 0, 0, 0, 0) or os._exit(0)",
    "fork by clone3": "call('clone3', (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), 64) or os._exit(0)",
    "spawn a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "start a shell": "subprocess.run('true', shell=True, check=True)",
    "become a program": "os.execv('/bin/true', ['true'])",
    "have the loader run a program": "os.execv(loader, [loader, '/bin/true'])",
    "leave its group": "os.setpgid(0, 0)",
    "leave its session": "os.setsid()",
    "outlive its parent": "call('prctl', 1, 0, 0, 0, 0)",
    "let others attach": "call('prctl', 4, 1, 0, 0, 0)",
    "signal the victim": "os.kill(victim, 0)",
    "signal everybody": "os.kill(-1, 0)",
    "signal its group": "os.killpg(0, 0)",
    "signal a thread of the victim": "call('tkill', victim, 0)",
    "signal a thread of the victim, by its group": "call('tgkill', victim, victim, 0)",
    "signal the victim, with words": "call('rt_sigqueueinfo', victim, 0, None)",
    "have a file signal the victim": "fcntl.fcntl(1, fcntl.F_SETOWN, victim)",
    "get a handle of the victim": "call('pidfd_open', victim, 0)",
    "get a file of the victim": "call('pidfd_getfd', 1, 1, 0)",
    "attach to the victim": "call('ptrace', 0x4206, victim, 0, 0)",
    "be traced": "call('ptrace', 0, 0, 0, 0)",
    "read the victim's memory": "call('process_vm_readv', victim, None, 0, None, 0, 0)",
    "change the victim's memory": "call('process_vm_writev', victim, None, 0, None, 0, 0)",
    "advise about the victim's memory": "call('process_madvise', 1, None, 0, 0, 0)",
    "read the victim's limits": "resource.prlimit(victim, resource.RLIMIT_NOFILE)",
    "move the victim to a core": "os.sched_setaffinity(victim, os.sched_getaffinity(0))",
    "slow the victim down": "os.setpriority(os.PRIO_PROCESS, victim, 19)",
    "schedule the victim": "os.sched_setscheduler(victim, 0, os.sched_param(0))",
}

KERNEL = {
    "share memory": "call('shmget', 0, 4096, 0o1600)",
    "send messages": "call('msgget', 0, 0o1600)",
    "make a file in memory": "os.memfd_create('x')",
    "make secret memory": "call('memfd_secret', 0)",
    "set up io_uring": "call('io_uring_setup', 1, ctypes.create_string_buffer(120))",
    "handle page faults": "call('userfaultfd', 1)",
    "load a filter into the kernel": "call('bpf', 0, None, 0)",
    "count events": "call('perf_event_open', ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "use keys": "call('keyctl', 0, -3, 0)",
    "mount": "call('mount', b'x', folder.encode(), b'none', 0, None)",
    "mount, the new way": "call('open_tree', -100, b'/', 1)",
    "change the root": "os.chroot(folder)",
    "leave its namespaces": "call('unshare', 0x10000000)",
    "enter the victim's namespaces": "call('setns', 1, 0)",
    "become another user": "os.setuid(1)",
    "become another group": "os.setgid(1)",
    "change personality": "call('personality', 0x0400000)",
    "raise its hard limits": "call('setrlimit', 1, (ctypes.c_ulong * 2)(1, 1))",
    "make a pipe": "os.pipe()",
    "wait for events": "select.epoll()",
    "make a counter": "os.eventfd(0)",
    "set a timer": "signal.setitimer(signal.ITIMER_REAL, 1000)",
    "watch files": "call('inotify_init1', 0)",
    "lock its memory": "call('mlockall', 1)",
    "fill a pipe from memory": "call('vmsplice', 1, None, 0, 0)",
}

ATTACKS = READING | WRITING | NETWORK | PROCESSES | KERNEL

HARMLESS = {
    # What a child is left with, and needs.
    "read a module": "read(json.__file__)",
    "read its own package": "read(confine.__file__)",
    "read a system library's folder": "os.listdir('/usr/lib')",
    "load a module late": "import decimal, sqlite3; assert decimal.Decimal(1)",
    "draw random numbers": "assert len(os.urandom(8)) == 8; read('/dev/urandom')",
    "start a thread": "import threading; t = threading.Thread(target=int); t.start(); t.join()",
    "take memory": "assert len(mmap.mmap(-1, 1 << 20)) == 1 << 20",
    "set its own soft limits": "resource.setrlimit(resource.RLIMIT_CPU, (900, -1))",
    "know the time and itself": "time.sleep(0.001); os.uname(); os.getpid(); os.times()",
    # What it does not need, and cannot be taken from it.
    "see that a file exists, and its size": "assert os.stat(f'{project}/manage.py').st_size",
    "see that a process exists": "os.stat(f'/proc/{victim}')",
}


def kernel_grants_namespaces() -> bool:
    """None below a chroot, nor where an administrator forbids them."""
    code = "import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x40000000 | 0x10000000))"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
