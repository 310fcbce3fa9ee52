"""The systemd units of deploy/."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

UNITS = sorted((settings.BASE_DIR / "deploy").glob("*.service"))


def options(unit: Path) -> dict[str, str]:
    lines = (line for line in unit.read_text().splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_there_is_one_for_the_api_and_one_for_a_worker() -> None:
    assert [unit.stem for unit in UNITS] == ["quantum-tasks-api", "quantum-tasks-worker@"]
    api, worker = map(options, UNITS)
    assert api["ExecStart"].endswith("/python -m gunicorn quantumtasks.wsgi")
    assert worker["ExecStart"].endswith("/python manage.py rundramatiq")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_restarted_for_ever_and_stopped_in_order(unit: Path) -> None:
    found = options(unit)
    assert (found["Restart"], found["StartLimitIntervalSec"]) == ("always", "0")
    assert found["KillMode"] == "mixed"  # SIGTERM to the master alone, which tells its processes
    assert found["EnvironmentFile"].startswith("/etc/")


def test_a_worker_has_the_time_to_hand_back_what_it_runs() -> None:
    assert int(options(UNITS[1])["TimeoutStopSec"]) > settings.SHUTDOWN_GRACE_S + 10


def test_a_simulation_that_the_kernel_kills_does_not_stop_its_worker() -> None:
    assert options(UNITS[1])["OOMPolicy"] == "continue"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@", "@1")
    text = unit.read_text().replace("/opt/quantum-tasks/.venv/bin/python", "/bin/true")
    copy.write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
