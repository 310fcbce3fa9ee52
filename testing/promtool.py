"""promtool, which checks alert rules: of the machine, or unpacked from Debian's package."""

import os
import subprocess
import tempfile
from pathlib import Path

from testing import packages

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quantum-tasks"


def promtool() -> str:
    """The program. Raises PackageError where there is none and none can be had."""
    unpacked = _CACHE / "prometheus/usr/bin/promtool"
    program = packages.found("promtool")
    if program is None and not unpacked.exists():
        _unpack("prometheus", unpacked.parents[2])
    return program or str(unpacked)


def _unpack(package: str, folder: Path) -> None:
    """What the package holds, and nothing of it installed. Raises PackageError."""
    if packages.found("apt-get") is None:
        raise packages.PackageError("This machine has no promtool, and no apt-get to get it with.")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as temporary:
        packages.run("apt-get", "-qq", "download", package, folder=Path(temporary))
        (archive,) = Path(temporary).glob("*.deb")
        packages.run("dpkg", "-x", str(archive), f"{temporary}/files")
        Path(temporary, "files").rename(folder)


def checked(*arguments: str) -> str:
    """What promtool says. Raises PackageError, and AssertionError if it is not content."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
