"""A copy of this checkout in which tests run `make run`, with the packages installed here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedded.demonstration import call
from embedded.postgres import cluster_name
from tasks_app.processes import pids_naming
from testing.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "*.stamp")


class Running:
    """A `make run` that has shown its circuit and now serves."""

    def __init__(self, make: "subprocess.Popen[str]", port: int, output: str) -> None:
        self.make = make
        self.url = f"http://127.0.0.1:{port}"
        self.output = output
        (self.launcher_pid,) = pids_naming(f"embedded\0--with-parent\0--port\0{port}")

    def submit(self, circuit: str, shots: int = 1) -> str:
        """The id of a new task."""
        task_id: str = call(f"{self.url}/tasks", {"circuit": circuit, "shots": shots})["task_id"]
        return task_id

    def task(self, task_id: str) -> dict[str, Any]:
        """What the service knows about a task."""
        task: dict[str, Any] = call(f"{self.url}/tasks/{task_id}")
        return task


class Checkout:
    """A copy at `path`. `uid` is who runs it, None for ourselves."""

    def __init__(self, path: Path, *, uid: int | None = None, python: str | None = None) -> None:
        self.path = path
        self._uid = uid
        shutil.copytree(ROOT, path, ignore=_NOT_COPIED)
        _link_venv(path / ".venv", python or os.path.realpath(sys.executable), uid)
        if uid is not None:
            for part in (path, *path.rglob("*")):
                os.chown(part, uid, uid, follow_symlinks=False)

    @property
    def data_dir(self) -> Path:
        """Where `make run` keeps its data by default."""
        return self.path / ".data"

    def run(self, *variables: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """`make run` to its end, on a free port unless `variables` name one."""
        with self._start([f"PORT={free_port()}", *variables], environment) as make:
            output, errors = make.communicate()
        return subprocess.CompletedProcess(make.args, make.returncode, output, errors)

    @contextmanager
    def serve(self) -> Iterator[Running]:
        """`make run` from the moment that it serves; ends it if it still runs."""
        port = free_port()
        with self._start([f"PORT={port}"], {}) as make:
            assert make.stdout is not None and make.stderr is not None
            output = ""
            while "Serving until Ctrl-C." not in output:
                line = make.stdout.readline()
                assert line, output + make.stderr.read()
                output += line
            try:
                yield Running(make, port, output)
            finally:
                make.terminate()

    def processes(self) -> list[int]:
        """Everything that still runs because of this checkout."""
        pids = pids_naming(f"{self.path}/")
        if (self.data_dir / "postgres").exists():
            pids += pids_naming(cluster_name(self.data_dir / "postgres"))
        return pids

    def move(self, path: Path) -> None:
        """As `mv` would."""
        self.path.rename(path)
        self.path = path

    def _start(
        self, variables: list[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["make", "run", *variables],
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "HOME": str(self.path), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=self._uid,
            group=self._uid,
            extra_groups=None if self._uid is None else [],
        )


def _link_venv(venv: Path, python: str, uid: int | None) -> None:
    """A virtual environment of `python` with the packages of ours, and nothing to install.

    They are copied if the user cannot reach ours, as in a clone below `/root`.
    """
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(python)
    (venv / "pyvenv.cfg").write_text(f"home = {Path(python).parent}\n")
    packages = Path(sys.prefix) / "lib"
    as_user: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    if subprocess.run(["ls", packages], capture_output=True, check=False, **as_user).returncode:
        shutil.copytree(packages, venv / "lib", symlinks=True)
    else:
        (venv / "lib").symlink_to(packages)
    (venv / "embedded.stamp").touch()
