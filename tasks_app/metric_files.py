"""Where the processes of one gunicorn or one worker keep their counters: a folder in memory.

Each process has files of its own there, and whoever is asked adds them all up. Those of a process
that has died stay, so that no sum goes back. prometheus-client finds the folder by an environment
variable when it is imported: whatever starts processes calls `begin` before.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY = Path("/dev/shm")  # noqa: S108  # mapped files: never on a slow disk
_PREFIX = "quantumtasks-metrics-"
_YOUNG_S = 60  # such a folder may be about to be locked


@cache
def begin() -> Path:
    """Make the folder of this process and of those that it will fork; it goes with this process.

    A folder is locked for as long as one of them lives. What nobody locks was left by processes
    that were killed, and is removed here.
    """
    for left in _MEMORY.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, in use, or just removed
            if time.time() - left.stat().st_mtime > _YOUNG_S:
                os.close(_lock(left))
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY))
    _lock(folder)
    os.environ[VARIABLE] = str(folder)
    atexit.register(_end, folder, os.getpid())
    return folder


def _lock(folder: Path) -> int:
    """Until the descriptor is closed, by the end of this process and its forks at the latest.

    Raises OSError if somebody else has the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _end(folder: Path, master: int) -> None:
    if os.getpid() == master:  # not a fork, which has inherited this
        shutil.rmtree(folder, ignore_errors=True)
