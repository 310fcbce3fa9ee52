"""A worker tells which walls stand around simulations, and hides its own memory from them."""

import os
import subprocess
import sys
from typing import Any

import pytest

from tasks_app.tests.api.people import bearer, token, user
from testing.service import LIMIT_S, ROOT, Service, eventually, wait_for_worker

# Runs a command as on a kernel without Landlock: its first call is answered with ENOSYS.
WITHOUT_LANDLOCK = """
import ctypes, errno, os, struct, sys
from tasks_app.circuits.sandbox import seccomp
program = b"".join([
    seccomp._line(seccomp._LOAD, seccomp._NUMBER),
    seccomp._line(seccomp._JUMP_IF_EQUAL, 444, if_not=1),
    seccomp._line(seccomp._RETURN, seccomp._FAIL | errno.ENOSYS),
    seccomp._line(seccomp._RETURN, seccomp._ALLOW),
])
code = ctypes.create_string_buffer(program, len(program))
header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def run_without_landlock(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_worker_that_lacks_a_wall_refuses_to_start_where_all_are_demanded() -> None:
    done = run_without_landlock("manage.py", "rundramatiq", SANDBOX_WALLS="required")
    assert done.returncode == 1
    assert "SANDBOX_WALLS is required, and this machine lacks landlock:" in done.stderr


def test_simulations_run_behind_the_walls_that_there_are() -> None:
    code = "from tasks_app.circuits import *; print(*check_simulator().walls)"
    assert run_without_landlock("-c", code).stdout == "seccomp\n"


def test_a_worker_tells_its_log_and_staff_which_walls_stand(service: Service) -> None:
    service.start_api(processes=1)
    worker = service.start_worker(threads=1, SANDBOX_WALLS="required", RECOVERY_S="0.1")
    (line,) = (line for line in worker.lines() if line["event"] == "sandbox_walls")
    assert (line["standing"], line["missing"]) == (["landlock", "seccomp"], [])

    def health(**who: Any) -> Any:
        headers = bearer(token(user(who["name"], is_staff=who["staff"]))) if who else {}
        return service.request("GET", "/health", headers=headers).body

    eventually(lambda: health(name="root", staff=True)["workers"], what="the worker reports itself")
    (told,) = health(name="root", staff=True)["workers"]
    assert (told["slots"], told["walls"], told["missing_walls"]) == (1, line["standing"], [])
    assert "workers" not in health()
    assert "workers" not in health(name="ada", staff=False)
    assert service.request("GET", "/health", headers=bearer("qt_wrong")).status == 200


POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be without power over its own")
def test_a_worker_hides_its_secrets_from_processes_of_its_user(service: Service) -> None:
    worker = service._start(
        "worker", [*POWERLESS, sys.executable, "manage.py", "rundramatiq", "--threads=1"], {}
    )
    wait_for_worker(worker, 1)
    family = eventually(lambda: worker.descendants()[1:] and worker.descendants(), what="all are")
    for pid in (worker.pid, *family):
        read = subprocess.run([*POWERLESS, "cat", f"/proc/{pid}/environ"], capture_output=True)
        assert b"SECRET_KEY" not in read.stdout, pid
    mine = subprocess.run([*POWERLESS, "cat", "/proc/self/environ"], capture_output=True)
    assert b"SECRET_KEY" in mine.stdout
