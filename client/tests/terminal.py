"""`qtasks` as a process of its own, with pipes or on a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from testing.service import LIMIT_S, ROOT

COMMAND = [sys.executable, "-m", "quantumtasks_client"]


class Shell:
    """Runs `qtasks` in a folder, with an environment that names a service or not."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "client"),
            "PYTHONUTF8": "1",
            "XDG_CONFIG_HOME": str(folder / "config"),
            "HOME": str(folder),
            "TZ": "UTC",
            **env,
        }

    def run(
        self, *arguments: str, stdin: str = "", encoding: str = "utf-8", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """What it prints, and its status; without a traceback in any case."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            encoding=encoding,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def out(self, *arguments: str, stdin: str = "") -> str:
        """What it prints when all is well."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    @contextmanager
    def on_terminal(self, *arguments: str, **env: str) -> Iterator["Terminal"]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={**self.env, "TERM": "xterm", "COLUMNS": "100", **env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Whoever runs the tests in the background has had Ctrl-C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            process.wait()
            os.close(ours)


class Terminal:
    """What a person sees of a command that runs, and does to it."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self._process, self._ours = process, ours
        self.seen = ""

    def until(self, text: str | None) -> str:
        """All that was shown once it has this text, or, with None, once the command has ended."""
        deadline = time.monotonic() + LIMIT_S
        while text is None or text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not select.select([self._ours], [], [], 1)[0]:
                continue
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # the other end is closed
                piece = b""
            if not piece:
                assert text is None, self.seen
                break
            self.seen += piece.decode(errors="replace")
        return self.seen

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def status(self) -> int:
        self.until(None)
        return self._process.wait(LIMIT_S)
