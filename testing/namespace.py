"""A network of its own on this machine, as if it were on another host."""

import subprocess
from pathlib import Path

from tasks_app.processes import tethered
from testing.service import eventually


class Namespace:
    """A network namespace, which goes when it is closed or the process that made it ends."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], preexec_fn=tethered()
        )
        self.pid = self._holder.pid
        inside, outside = Path(f"/proc/{self.pid}/ns/net"), Path("/proc/self/ns/net").readlink()
        eventually(lambda: inside.readlink() != outside, what="it has a network")
        self.enter = ("nsenter", f"--net={inside}")
        """What runs a command there, put before it."""

    def run(self, *command: str) -> None:
        """Raises subprocess.CalledProcessError."""
        run(*self.enter, *command)

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


def run(*command: str) -> None:
    """Raises subprocess.CalledProcessError."""
    subprocess.run(command, check=True, capture_output=True)
