"""Settings hold for gunicorn and workers as they do for Django, from `.env` or the environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

from testing.checkout import Checkout
from testing.service import Process, Service, wait_for_worker

SOUND = """\
SECRET_KEY=kJ8sR2vXq0ZtY5wB7nL3mP9cD1fG4hA6
DATABASE_URL=postgres://user:password@127.0.0.1:1/tasks
RABBITMQ_URL=amqp://user:password@127.0.0.1:1/%2F
"""


def gunicorn(checkout: Checkout, settings: str) -> subprocess.CompletedProcess[str]:
    """What gunicorn would do with these settings, and nothing in its environment."""
    (checkout.path / ".env").write_text(settings)
    return subprocess.run(
        [".venv/bin/python", "-m", "gunicorn", "--print-config", "quantumtasks.wsgi"],
        cwd=checkout.path,
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
    )


def shape(printed: str) -> dict[str, str]:
    return dict(re.findall(r"^(bind|workers|threads) += (.+)$", printed, re.MULTILINE))


def test_gunicorn_listens_on_loopback_unless_told_otherwise(fresh_checkout: Checkout) -> None:
    done = gunicorn(fresh_checkout, SOUND)
    assert shape(done.stdout) == {"bind": "['127.0.0.1:8001']", "workers": "2", "threads": "8"}


def test_gunicorn_takes_what_the_file_says(fresh_checkout: Checkout) -> None:
    told = "BIND=127.0.0.1:8131\nWEB_CONCURRENCY=3\nWEB_THREADS=5\n"
    done = gunicorn(fresh_checkout, SOUND + told)
    assert shape(done.stdout) == {"bind": "['127.0.0.1:8131']", "workers": "3", "threads": "5"}


def test_gunicorn_too_names_what_is_wrong(fresh_checkout: Checkout) -> None:
    done = gunicorn(fresh_checkout, f"{SOUND}BIND=8131\n")
    assert done.returncode != 0
    assert done.stderr.startswith("Configuration error: BIND is '8131'")
    assert "Traceback" not in done.stderr


def test_a_worker_has_the_threads_that_the_settings_say(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "rundramatiq"]
    environment = service.env | {"WORKER_THREADS": "3"}
    worker = Process("worker", command, environment, tmp_path / "worker.log")
    service.processes.append(worker)
    wait_for_worker(worker, 1)
    (ready,) = [line for line in worker.lines() if line["event"] == "worker_ready"]
    assert ready["threads"] == 3
