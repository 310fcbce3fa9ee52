"""What somebody gets who installs the client."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from testing.service import ROOT

BUILD = "import sys; from flit_core import buildapi as b; b.build_wheel(sys.argv[1]); "
BUILD += "b.build_sdist(sys.argv[1])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT / "client", check=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """A folder with the wheel alone; what it needs is where the tests' packages are."""
    (wheel,) = built.glob("*.whl")
    folder = built / "installed"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--target", str(folder), str(wheel)], check=True
    )
    return folder


def test_the_packages_hold_what_they_should(built: Path) -> None:
    (wheel,) = built.glob("quantumtasks_client-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "quantumtasks_client/py.typed" in names
    assert "quantumtasks_client/cli/app.py" in names
    assert not [name for name in names if "test" in name]
    (sdist,) = built.glob("quantumtasks_client-*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "quantumtasks_client/py.typed"} <= held
    assert (ROOT / "client/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_command_is_there_and_completes_itself(installed: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = installed / "bin/qtasks"
    told = subprocess.run([command, "--help"], env=env, capture_output=True, text=True, check=True)
    assert "Usage: qtasks" in told.stdout
    told = subprocess.run(
        [command, "--version"], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout == "qtasks 1.0.0\n"
    completing = {
        "_QTASKS_COMPLETE": "complete_bash",
        "COMP_WORDS": "qtasks sub",
        "COMP_CWORD": "1",
    }
    told = subprocess.run(
        [command], env=env | completing, capture_output=True, text=True, check=False
    )
    assert told.stdout.split() == ["submit"]


def test_without_its_packages_the_command_says_what_to_install(installed: Path) -> None:
    script = (
        "import sys; sys.modules['typer'] = None; import quantumtasks_client.cli as c; c.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "qtasks needs more packages: pip install 'quantumtasks-client[cli]'\n"
