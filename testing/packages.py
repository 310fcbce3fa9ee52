"""Debian's packages, for what the tests need and the machine lacks."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NO_CHROMIUM = "chromium is not installed (apt-get install chromium), nor google-chrome"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_POLICY = Path("/usr/sbin/policy-rc.d")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quantum-tasks"


class PackageError(RuntimeError):
    """Something could not be installed; the message holds the command's last words."""


def found(program: str) -> str | None:
    """Where a program is that may be for administrators only."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")


def chromium() -> str | None:
    """Where a browser is that Playwright can drive."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*names: str) -> None:
    """Install packages, leaving no service running behind our back. Raises PackageError."""
    with _no_services_started():
        run("apt-get", "-qq", "update")
        run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *names)


def unpacked(program: str, *names: str) -> str:
    """Where a program is: the machine's, or that of the first package which Debian has.

    Nothing is installed. For programs that need no other file. Raises PackageError.
    """
    cached = _CACHE / program
    if there := found(program) or (cached.exists() and str(cached)):
        return there
    if found("apt-get") is None:
        raise PackageError(f"This machine has no {program}, and no apt-get to get it with.")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as temporary:
        folder = Path(temporary)
        for name in names:
            with suppress(PackageError):
                run("apt-get", "-qq", "download", name, folder=folder)
                break
        else:
            raise PackageError(f"Debian has no {' or '.join(names)} here.")
        (archive,) = folder.glob("*.deb")
        run("dpkg", "-x", str(archive), temporary)
        (folder / "usr/bin" / program).rename(cached)
    return str(cached)


def run(*command: str, folder: Path | None = None) -> str:
    """Run a command that must succeed, and asks nothing; what it prints. Raises PackageError."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise PackageError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Debian asks this policy before a package starts its service."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
