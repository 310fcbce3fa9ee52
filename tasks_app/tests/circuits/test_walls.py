"""A simulation that was taken over gets nowhere: attacks from inside, as root and as a user."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks_app.circuits.sandbox import confine
from tasks_app.tests.circuits.attacks import (
    ATTACKS,
    HARMLESS,
    PRELUDE,
    READING,
    kernel_grants_namespaces,
)

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
REFUSED = {"EACCES", "EPERM", "ENOSYS"}

# A process as the sandbox makes it, which then runs what it is told instead of a simulation.
INSIDE = f"""
import json, os, sys
paths = sys.path[:] = json.loads(sys.argv[1])
from tasks_app.circuits.sandbox import confine, landlock, seccomp
{PRELUDE}
scene = json.loads(sys.argv[2])
user, victim, folder, project = (scene[name] for name in ("user", "victim", "folder", "project"))
channel = socket.socket(fileno=os.dup(0))
if user != os.getuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
if scene["walls"] == "all":
    confine.limit_resources(512, confine.Memory().address_space_bytes())
    print("walls", *confine.raise_walls(paths), sep="\\t", flush=True)
elif scene["walls"]:
    call("prctl", 38, 1, 0, 0, 0)
    exec(scene["walls"])
for name, code in scene["attacks"].items():
    try:
        exec(code)
        what = "done"
    except OSError as error:
        what = errno.errorcode[error.errno]
    print(name, what, sep="\\t", flush=True)
"""
VICTIM = """
import ctypes, os, sys
user = int(sys.argv[1])
if user != os.getuid():
    os.setgroups([]), os.setgid(user), os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # what changes its user is hidden from others
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Scene:
    user: int
    victim: int
    folder: Path

    def run(self, attacks: Mapping[str, str], *, walls: str = "all") -> dict[str, str]:
        """What came of each, one after another in one process: `done`, or an error's name.

        Without what came after one that ended the process. `walls`: all, or how to raise some.
        """
        paths = [str(ROOT), *(path for path in sys.path if os.path.isabs(path))]
        scene = {"user": self.user, "victim": self.victim, "folder": str(self.folder)}
        scene |= {"project": str(ROOT), "walls": walls, "attacks": attacks}
        command = [sys.executable, "-I", "-S", "-c", INSIDE, json.dumps(paths), json.dumps(scene)]
        ours, theirs = socket.socketpair()
        with ours, theirs:
            done = subprocess.run(
                command, stdin=theirs.fileno(), stdout=subprocess.PIPE, text=True, check=False
            )
        lines = (line.split("\t", 1) for line in done.stdout.splitlines())
        return {line[0]: line[1] for line in lines if len(line) == 2}


@contextmanager
def set_scene(user: int, folder: Path) -> Iterator[Scene]:
    command, pipe = [sys.executable, "-c", VICTIM, str(user)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={"SECRET": "x"}) as victim:
        assert victim.stdout is not None
        for name in ("secret", "victim"):
            (folder / name).write_text("secret")
            os.chown(folder / name, user, -1)
        os.chown(folder, user, -1)
        yield Scene(user, int(victim.stdout.readline()), folder)
        victim.kill()


@pytest.fixture
def own_scene(tmp_path: Path) -> Iterator[Scene]:
    with set_scene(os.getuid(), tmp_path) as scene:
        yield scene


@pytest.mark.parametrize("user", [0, NOBODY] if os.getuid() == 0 else [os.getuid()])
def test_behind_all_walls_every_attack_fails(user: int, tmp_path: Path) -> None:
    with set_scene(user, tmp_path) as scene:
        outcome = scene.run(ATTACKS)
    assert outcome.pop("walls").split("\t") == list(confine.WALLS)
    assert outcome.keys() == ATTACKS.keys()
    assert {name: what for name, what in outcome.items() if what not in REFUSED} == {}


def test_landlock_alone_lets_nothing_be_read_or_written(own_scene: Scene) -> None:
    files = READING | {name: code for name, code in ATTACKS.items() if name.startswith("write")}
    outcome = own_scene.run(files, walls="landlock.restrict_to_reading(['/usr/lib'])")
    assert {name: outcome.get(name) in REFUSED for name in files} == dict.fromkeys(files, True)


def test_seccomp_alone_stops_all_but_reading(own_scene: Scene) -> None:
    calls = {name: code for name, code in ATTACKS.items() if name not in READING}
    del calls["raise its hard limits"]  # That takes a capability.
    outcome = own_scene.run(calls, walls="seccomp.allow_simulation_only()")
    assert {name: outcome.get(name) in REFUSED for name in calls} == dict.fromkeys(calls, True)


@pytest.mark.skipif(os.getuid() != 0, reason="the kernel keeps some of them for root")
@pytest.mark.parametrize("attack", ATTACKS)
def test_without_walls_an_attack_gets_through(own_scene: Scene, attack: str) -> None:
    if attack == "leave its namespaces" and not kernel_grants_namespaces():
        pytest.skip("the kernel grants no namespace")
    assert own_scene.run({attack: ATTACKS[attack]}, walls="").get(attack) not in REFUSED


def test_what_a_simulation_needs_works(own_scene: Scene) -> None:
    outcome = own_scene.run(HARMLESS)
    del outcome["walls"]
    assert outcome == dict.fromkeys(HARMLESS, "done")
