"""A Slurm of one node, from Debian packages (slurm-wlm, munge), of whoever runs the tests."""

import getpass
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks_app.processes import tail
from testing.ports import free_port
from testing.service import Process, eventually

# Debian's name of each, or one that an installation gives it.
_PROGRAMS = {
    "munged": ("munged",),
    "slurmctld": ("slurmctld", "slurmctld-wlm"),
    "slurmd": ("slurmd", "slurmd-wlm"),
    "slurmstepd": ("slurmstepd", "slurmstepd-wlm"),
    "sbatch": ("sbatch",),
    "sinfo": ("sinfo",),
}
_SETTINGS = """\
ClusterName=one
SlurmctldHost=localhost
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
PluginDir={plugins}
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
NodeName=localhost CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def missing() -> list[str]:
    """What is needed and not installed."""
    return [name for name in _PROGRAMS if _found(name) is None]


def _found(name: str) -> str | None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return next((at for each in _PROGRAMS[name] if (at := shutil.which(each, path=path))), None)


class Slurm:
    """The cluster, as somebody at its shell has it."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env = folder, env

    def run(self, script: str, **env: str) -> str:
        """What a batch job prints, once it has ended well."""
        job, out = self._folder / "job.sh", self._folder / "job.out"
        job.write_text(f"#!/bin/sh\n{script}\n")
        submit = [_program("sbatch"), "--wait", "--export=ALL", f"--output={out}", str(job)]
        told = subprocess.run(submit, env={**self._env, **env}, capture_output=True, text=True)
        assert told.returncode == 0, (told.stderr, out.read_text() if out.exists() else "")
        return out.read_text()

    def is_idle(self) -> bool:
        """Whether the node waits for work."""
        asked = [_program("sinfo"), "--noheader", "--format=%T"]
        told = subprocess.run(asked, env=dict(self._env), capture_output=True, text=True)
        return told.stdout.strip() == "idle"


@contextmanager
def one_node(folder: Path) -> Iterator[Slurm]:
    """munged, the controller and the node, in the foreground and tied to this process."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key, settings = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    settings.write_text(
        _SETTINGS.format(
            user=getpass.getuser(),
            folder=folder,
            plugins=_plugins(),
            controller=free_port(),
            node=free_port(),
        )
    )
    env = {**os.environ, "SLURM_CONF": str(settings)}
    files = {"socket": "munge.sock", "pid-file": "munged.pid", "log-file": "munged.log"}
    munge = [f"--{name}={folder / file}" for name, file in files.items()]
    munge += ["--force", "--foreground", f"--key-file={key}", f"--seed-file={folder / 'seed'}"]
    commands = {
        "munged": munge,
        "slurmctld": ["-D", "-c"],
        "slurmd": ["-D", "-N", "localhost", "-d", _program("slurmstepd")],
    }
    slurm = Slurm(folder, env)
    processes: list[Process] = []
    try:
        for name, options in commands.items():
            command = [_program(name), *options]
            processes.append(Process(name, command, env, folder / f"{name}.out"))
            if name == "munged":
                eventually((folder / "munge.sock").exists, what="munged listens")
        eventually(slurm.is_idle, what="the node waits for work")
        yield slurm
    except BaseException:
        for process in processes:
            print(f"--- {process.name}\n{tail(process.log, 25)}")
        raise
    finally:
        for process in reversed(processes):
            process.stop()


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None, name
    return found


def _plugins() -> Path:
    """Beside the programs, wherever they were unpacked."""
    usr = Path(_program("slurmctld")).parents[1]
    return next(usr.glob("lib/*/slurm-wlm"), Path("/usr/lib/x86_64-linux-gnu/slurm-wlm"))
