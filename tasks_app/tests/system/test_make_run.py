"""`make run`, as a person runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from embedded import StartError
from embedded.__main__ import LOG_LIMIT_BYTES
from embedded.demonstration import demonstrate
from testing.checkout import ROOT, Checkout, Running
from testing.service import LIMIT_S, eventually

NOBODY = 65534
BELL = (ROOT / "examples" / "bell.qasm").read_text()
# Half a second on one core.
SLOW = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[19]; creg c[19];'
    + ("rx(0.3) q;" + "".join(f"cx q[{i}], q[{(i + 1) % 19}];" for i in range(19))) * 10
    + "measure q -> c;"
)


def await_end(checkout: Checkout) -> None:
    eventually(lambda: not checkout.processes(), what="the end of all processes")


def await_completed(running: Running, *task_ids: str) -> None:
    def completed() -> bool:
        return all(running.task(task_id)["status"] == "completed" for task_id in task_ids)

    eventually(completed, what="completion of the tasks")


def await_service(running: Running) -> None:
    """Until it completes a task again, however often it answers 503 before."""

    def completes() -> bool:
        try:
            await_completed(running, running.submit(BELL))
        except StartError as error:
            assert " 503: " in str(error)
            return False
        return True

    eventually(completes, what="recovery of the service")


def test_first_start_shows_a_bell_pair_and_leaves_nothing_running(fresh_checkout: Checkout) -> None:
    done = fresh_checkout.run("ONCE=1")

    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^  ([01]+)  [█#]+ +(\d+) ", done.stdout, flags=re.MULTILINE)
    assert [outcome for outcome, _ in rows] == ["00", "11"]
    assert sum(int(count) for _, count in rows) == 1024
    history = re.findall(r"^  (pending|processing|completed) ", done.stdout, flags=re.MULTILINE)
    assert history == ["pending", "processing", "completed"]
    lines = done.stdout.replace(str(fresh_checkout.path), "").splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "user admin, password" in done.stdout
    assert fresh_checkout.processes() == []
    for secret in ("database_url", "secret_key"):
        assert (fresh_checkout.data_dir / secret).stat().st_mode & 0o777 == 0o600


def test_what_the_launcher_logs_stays_off_the_terminal(fresh_checkout: Checkout) -> None:
    settings = fresh_checkout.path / "quantumtasks" / "settings.py"
    text = settings.read_text()
    settings.write_text(text.replace("SLOW_QUERY_S = 0.1", "SLOW_QUERY_S = -1.0"))

    done = fresh_checkout.run("ONCE=1")

    assert (done.returncode, done.stderr) == (0, "")
    assert "slow_query" not in done.stdout
    (log,) = fresh_checkout.data_dir.glob("service-*.log")
    assert "CREATE TABLE" in log.read_text(), "a migration, which the launcher runs itself"


@pytest.mark.parametrize("victim", ["launcher", "make"])
def test_a_kill_leaves_no_orphan_and_the_next_start_finishes_the_tasks(
    checkout: Checkout, victim: str
) -> None:
    with checkout.serve() as running:
        tasks = [running.submit(circuit) for circuit in (SLOW, SLOW, SLOW, BELL, BELL)]
        os.kill(running.launcher_pid if victim == "launcher" else running.make.pid, signal.SIGKILL)
        await_end(checkout)

    with checkout.serve() as again:
        await_completed(again, *tasks)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_order(checkout: Checkout, signum: signal.Signals) -> None:
    with checkout.serve() as running:
        assert "password" not in running.output  # it was shown at the first start
        os.kill(running.launcher_pid, signum)
        assert running.make.wait(LIMIT_S) == 0
        assert checkout.processes() == []
    assert not (checkout.data_dir / "postgres" / "postmaster.pid").exists()


def test_a_long_log_is_put_aside_while_the_service_writes_on(checkout: Checkout) -> None:
    with checkout.serve() as running:
        log = checkout.data_dir / f"service-{urlsplit(running.url).port}.log"
        old = log.with_suffix(".log.old")
        with log.open("a") as stream:
            stream.write("much was said\n" * (LOG_LIMIT_BYTES // 14 + 1))
        eventually(lambda: old.exists() and not log.stat().st_size, what="the log begins anew")
        assert "much was said" in old.read_text()

        task = running.submit(BELL)
        await_completed(running, task)
        eventually(lambda: task in log.read_text(), what="the service writes on")
        assert log.read_text().startswith("{")


def test_a_second_copy_shares_the_data_and_takes_over(checkout: Checkout) -> None:
    with checkout.serve() as first, checkout.serve() as second:
        await_completed(second, first.submit(BELL))

        os.kill(first.launcher_pid, signal.SIGKILL)
        first.make.wait(LIMIT_S)
        await_service(second)
    await_end(checkout)


def test_a_lost_database_server_is_started_again(checkout: Checkout) -> None:
    with checkout.serve() as running:
        pid_file = checkout.data_dir / "postgres" / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        await_service(running)


def test_a_demonstration_behind_many_tasks_says_so_and_leaves_the_service_alone(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    with checkout.serve() as running:
        tasks = [running.submit(SLOW) for _ in range(4 * max(2, os.cpu_count() or 1))]
        circuit = ROOT / "examples" / "bell.qasm"
        assert demonstrate(running.url, circuit, limit_s=0) is False
        assert "tasks submitted earlier run first" in capsys.readouterr().out
        await_completed(running, *tasks)


def test_a_moved_checkout_keeps_its_tasks(checkout: Checkout) -> None:
    with checkout.serve() as running:
        task = running.submit(BELL)
        await_completed(running, task)
    await_end(checkout)

    checkout.move(checkout.path.with_name("moved"))
    with checkout.serve() as running:
        assert running.task(task)["status"] == "completed"


def test_servers_named_in_the_environment_are_used_instead(fresh_checkout: Checkout) -> None:
    named = {name: os.environ[name] for name in ("DATABASE_URL", "RABBITMQ_URL")}
    done = fresh_checkout.run("ONCE=1", **named)

    assert (done.returncode, done.stderr) == (0, "")
    assert not (fresh_checkout.data_dir / "postgres").exists()


def test_a_settings_file_holds_for_it_too(fresh_checkout: Checkout) -> None:
    hosts = "ALLOWED_HOSTS=tasks.example.org"
    (fresh_checkout.path / ".env").write_text(f"API_AUTH=required\nHTTPS_ONLY=true\n{hosts}\n")

    with fresh_checkout.serve() as running:
        assert "completed" in running.output
        with pytest.raises(StartError, match=" 401: "):
            running.submit(BELL)


def test_a_taken_port_is_named_with_the_remedy(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = checkout.run(f"PORT={port}")

    assert done.returncode != 0
    assert f"port {port} is taken" in done.stderr
    assert f"make run PORT={port + 1}" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MAX_ATTEMPTS", "0", "make run: MAX_ATTEMPTS is"),
        ("DATABASE_URL", "postgres://a:b@127.0.0.1:9/c", "Connection refused"),
        ("RABBITMQ_URL", "redis://127.0.0.1", "make run: RABBITMQ_URL "),
    ],
)
def test_a_start_that_fails_says_why_in_a_sentence(
    checkout: Checkout, name: str, value: str, sentence: str
) -> None:
    done = checkout.run("ONCE=1", **{name: value})

    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.processes() == []


def test_a_service_that_dies_at_start_shows_its_last_words(fresh_checkout: Checkout) -> None:
    (fresh_checkout.path / "quantumtasks" / "wsgi.py").write_text("raise RuntimeError('broken')\n")
    done = fresh_checkout.run("ONCE=1")

    assert done.returncode != 0
    assert "the service ended with status" in done.stderr
    assert "broken" in done.stderr
    assert fresh_checkout.processes() == []


def test_an_ordinary_user_needs_no_root(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    home = folder / "home"
    home.mkdir(mode=0o700)
    checkout = Checkout(home / "checkout", uid=NOBODY, python=_python_for(NOBODY))
    os.chown(home, NOBODY, NOBODY)
    done = checkout.run("ONCE=1")

    assert (done.returncode, done.stderr) == (0, "")
    assert (checkout.data_dir / "postgres").stat().st_uid == NOBODY


def _python_for(uid: int) -> str:
    """An interpreter like ours that this user can run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        try:
            subprocess.run([python, "-V"], check=True, capture_output=True, user=uid)
        except OSError:
            continue
        return python
    pytest.skip(f"no {version} that an ordinary user can run")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (None, "needs Python 3.11 or newer, and 'none' is not on the PATH"),
        ('[ "$1" = -V ] && echo Python 3.9.1; exit 1', "and 'none' is Python 3.9.1"),
        ('case "$2" in *venv*) exit 1; esac', "sudo apt-get install python3-venv"),
    ],
    ids=["no python", "old python", "no venv"],
)
def test_a_missing_prerequisite_is_named_with_the_remedy(
    folder: Path, script: str | None, sentence: str
) -> None:
    for name in ("Makefile", "requirements"):
        (folder / name).symlink_to(ROOT / name)
    python = folder / "none"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    done = subprocess.run(
        ["make", "run", "PYTHON=none"],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert sentence in done.stdout
