"""The image of the Dockerfile, built by buildah without a daemon, and containers of it."""

import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from testing import packages
from testing.servers import debian_mirror
from testing.service import ROOT, Process

# A minimal Debian with Python stands for the image that the Dockerfile begins with.
_BASE = Path("/var/cache/quantum-tasks/python-slim-bookworm")
_BASE_PACKAGES = ("python-is-python3", "python3-venv", "python3-distutils")
_PLACE, _ROOM = "/var/tmp", 20e9  # a store that copies every layer takes 5 GB
NEEDS_ROOT = "building the image needs root on Debian, for buildah and debootstrap"


class Image:
    """An image in a store of buildah's own."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def buildah(self, *arguments: str) -> str:
        """What a command of buildah's prints. Raises PackageError."""
        return packages.run(*self._command(*arguments))

    def _command(self, *arguments: str) -> list[str]:
        place = [f"--root={self._store}/images", f"--runroot={self._store}/run"]
        return ["buildah", *place, *arguments]

    def make_base(self) -> None:
        """What stands for the image that the Dockerfile begins with; something has run in it."""
        container = self.buildah("from", "scratch")
        packages.run("cp", "--archive", f"{_BASE}/.", self.buildah("mount", container))
        self.buildah("run", "--isolation=chroot", container, "--", "python", "--version")
        self.buildah("commit", "--quiet", "--rm", container, "base")

    def build(self) -> None:
        """As `docker build` would, on `make_base`'s."""
        options = [*_volumes_for_pip(self._store), "--from=localhost/base", "--pull-never"]
        options += ["--isolation=chroot", "--layers=false", "--quiet", "--tag=quantum-tasks"]
        self.buildah("build", *options, str(ROOT))

    @contextmanager
    def container(self) -> Iterator["Container"]:
        name = self.buildah("from", "--pull-never", "localhost/quantum-tasks")
        yield Container(self, name)
        self.buildah("rm", name)


class Container:
    """A root of its own, in which several processes may run one after the other."""

    def __init__(self, image: Image, name: str) -> None:
        self._image, self._name = image, name
        self.root = Path(image.buildah("mount", name))
        config = json.loads(image.buildah("inspect", name))["OCIv1"]["config"]
        self.command: list[str] = config["Cmd"]
        self._entrypoint: list[str] = config["Entrypoint"]

    def start(self, log: Path, command: Sequence[str], env: Mapping[str, str]) -> Process:
        """The image's entry point with this command, as a pod of deploy/kubernetes has it: /tmp in
        memory, no capabilities, a profile of seccomp around it."""
        options = ["--isolation=chroot", "--cap-drop=all", "--mount=type=tmpfs,destination=/tmp"]
        options += [f"--env={name}={value}" for name, value in env.items()]
        words = ["run", *options, self._name, "--", *self._entrypoint, *command]
        return Process(log.stem, self._image._command(*words), os.environ, log)

    def files(self) -> dict[str, tuple[int, int]]:
        """Everything below the root, files with their size and time of change."""
        found = {}
        for path in self.root.rglob("*"):
            status = path.lstat()
            what = (0, 0) if stat.S_ISDIR(status.st_mode) else (status.st_size, status.st_mtime_ns)
            found[str(path.relative_to(self.root))] = what
        return found


@contextmanager
def store() -> Iterator[Image]:
    """An image to build, in a store that is gone afterwards. Raises PackageError if there is no
    room, or buildah cannot be had or cannot run here."""
    if shutil.disk_usage(_PLACE).free < _ROOM:
        raise packages.PackageError(f"{_PLACE} has less than {_ROOM / 1e9:.0f} GB free")
    for package in ("buildah", "debootstrap"):
        if packages.found(package) is None:
            packages.install(package)
    if not _BASE.exists():
        begun = _BASE.with_name(f"{_BASE.name}.{secrets.token_hex(4)}")
        begun.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        options = ["--variant=minbase", f"--include={','.join(_BASE_PACKAGES)}"]
        packages.run("debootstrap", *options, "bookworm", str(begun), debian_mirror())
        begun.rename(_BASE)
    folder = Path(tempfile.mkdtemp(prefix="quantum-tasks-image-", dir=_PLACE))
    image = Image(folder)
    try:
        image.make_base()
        yield image
    finally:
        image.buildah("rm", "--all")  # and what is mounted
        shutil.rmtree(folder)


def _volumes_for_pip(folder: Path) -> list[str]:
    """pip's settings on this machine, and the files that they name, for the build."""
    listed = packages.run(sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^[\w:]+\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    words = [word for value in settings.values() for word in value.split()]
    named = {word for word in words if word.startswith("/")}
    # An index has its files beside it.
    named |= {str(Path(word[7:]).parent) for word in words if word.startswith("file:///")}
    there = sorted(path for path in named if Path(path).exists())
    files = {str(folder / "pip.conf"): "/etc/pip.conf"} | {path: path for path in there}
    return [f"--volume={source}:{target}:ro" for source, target in files.items()]
