"""What docs/operations.md tells an operator to do, done in that order, with its own commands."""

import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from testing import packages
from testing.pages import commands
from testing.servers import RabbitServer, postgres_bin_dir
from testing.service import BELL, Process, Service, Stream

PAGE = "docs/operations.md"
PASSWORDS = {"POSTGRES_PASSWORD": "only-here_1", "RABBITMQ_PASSWORD": "only-here_2"}
# What stands for a machine that we do not have, or is somebody else's to test.
ELSEWHERE = ("git ", "systemctl ", ".venv/bin/python -m pip ")


class Operator:
    """Somebody with the page, a PostgreSQL and a RabbitMQ; `name` for the page's `quantumtasks`."""

    def __init__(self, name: str, folder: Path, rabbit: RabbitServer) -> None:
        self.name, self._folder, self._rabbit = name, folder, rabbit
        self._admin_url = os.environ["DATABASE_URL"]
        self.env = {
            "DATABASE_URL": self._url("DATABASE_URL", PASSWORDS["POSTGRES_PASSWORD"], name),
            "RABBITMQ_URL": self._url("RABBITMQ_URL", PASSWORDS["RABBITMQ_PASSWORD"], name),
            "RESTORED_URL": self._url(
                "DATABASE_URL", PASSWORDS["POSTGRES_PASSWORD"], f"{name}_restored"
            ),
        }

    def _url(self, variable: str, password: str, place: str) -> str:
        server = urlsplit(os.environ[variable])
        netloc = f"{self.name}:{password}@127.0.0.1:{server.port}"
        return server._replace(netloc=netloc, path=f"/{place}").geturl()

    def types(self, text: str, **env: str) -> str:
        """Run commands of the page, one after the other; what they print."""
        ours = {
            r"\bquantumtasks\b": self.name,
            r"\brestored\b": f"{self.name}_restored",
            r"tasks\.dump": str(self._folder / "tasks.dump"),
            r"\.venv/bin/python": shlex.quote(sys.executable),
            r"journalctl -u '[^']*' -o cat": f"cat {self._folder}/*.log",
        }
        lines = [line for line in text.splitlines() if not line.startswith(ELSEWHERE)]
        printed = ""
        for line in lines:
            for theirs, our in ours.items():
                line = re.sub(theirs, our, line)
            printed += self._run(line, env)
        return printed

    def _run(self, line: str, env: dict[str, str]) -> str:
        environment = os.environ | PASSWORDS | {"ADMIN_URL": self._admin_url} | self.env | env
        if line.startswith("rabbitmqctl "):
            words = shlex.split(
                line.replace('"$RABBITMQ_PASSWORD"', PASSWORDS["RABBITMQ_PASSWORD"])
            )
            return self._rabbit.ctl(*words[1:])
        path = f"{postgres_bin_dir()}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=settings.BASE_DIR,
            env=environment | {"PATH": path},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    def remove(self) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            for database in (self.name, f"{self.name}_restored"):
                admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            admin.execute(f"DROP ROLE IF EXISTS {self.name}")
        for kind, name in (
            ("vhost", self.name),
            ("vhost", f"{self.name}_restored"),
            ("user", self.name),
        ):
            with suppress(subprocess.CalledProcessError):
                self._rabbit.ctl(f"delete_{kind}", name)


@pytest.fixture
def operator(tmp_path: Path, rabbit_server: RabbitServer) -> Iterator[Operator]:
    operator = Operator(f"qt_{uuid.uuid4().hex[:8]}", tmp_path, rabbit_server)
    yield operator
    operator.remove()


def upgrade(operator: Operator, service: Service, api: Process, workers: list[Process]) -> None:
    """The page's steps, its `systemctl` done by hand."""
    (block,) = commands(PAGE, "Upgrading")
    done = []
    for line in block.splitlines():
        match shlex.split(line):
            case ["systemctl", "stop", "quantum-tasks-worker@*"]:
                for worker in workers:
                    worker.stop()
                    assert worker.wait() == 0
            case ["systemctl", "restart", "quantum-tasks-api"]:
                api.stop()
                assert api.wait() == 0
                service.start_api(processes=1)
            case ["systemctl", "start", *units]:
                for _ in units:
                    service.start_worker()
            case _:
                operator.types(line)
        done.append(line.split()[0])
    assert done.count("systemctl") == 3


@pytest.mark.skipif(packages.found("curl") is None, reason="curl is not installed")
def test_from_an_empty_machine_to_another_one(operator: Operator, tmp_path: Path) -> None:
    (create,) = commands(PAGE, "Database, role and vhost")
    operator.types(create)
    operator.types(".venv/bin/python manage.py migrate")
    operator.types(
        ".venv/bin/python manage.py createsuperuser --noinput --username ada --email a@example.org"
    )
    token = operator.types(".venv/bin/python manage.py create_token ada --label laptop").strip()

    with Service(tmp_path, env=operator.env) as service:
        api = service.start_api(processes=1)
        workers = [service.start_worker(), service.start_worker()]
        with Stream(service) as stream:
            stream.await_round()
            upgrade(operator, service, api, workers)
            stream.await_round()
        assert {answer.status for answer in stream.answers} <= {202, 503, 0}
        for task_id in stream.accepted:
            assert service.finished(task_id)["status"] == "completed"

        failed = service.finished(service.accepted("OPENQASM 3.0; nonsense q;"))
        (look,) = commands(PAGE, "Why a task failed")
        seen = operator.types(
            look,
            API=f"http://127.0.0.1:{service.port}",
            TOKEN=token,
            TASK_ID=failed["task_id"],
            CORRELATION_ID=failed["correlation_id"],
        )
        assert seen.count(failed["task_id"]) >= 2
        assert failed["error_message"] in seen
        events = set(re.findall(r'"event": "(\w+)"', seen))
        assert {"task_submitted", "message_received", "task_transition"} <= events
        assert re.search(rf"{failed['error_code']} +\| +1", seen)

    left = Service(tmp_path, env=operator.env)
    left.start_api(processes=1)
    waiting = left.accepted(BELL)
    left.stop()  # with a task that nobody has begun

    for block in commands(PAGE, "Backup and restore"):
        operator.types(block)
    moved = create.splitlines()[3:]  # its vhost, not its user
    operator.types("\n".join(line.replace("quantumtasks", "restored", 1) for line in moved))
    env = {
        "DATABASE_URL": operator.env["RESTORED_URL"],
        "RABBITMQ_URL": f"{operator.env['RABBITMQ_URL']}_restored",
    }
    (tmp_path / "elsewhere").mkdir()
    with Service(tmp_path / "elsewhere", env=env) as there:
        there.start_api(processes=1)
        there.start_worker()
        assert there.finished(waiting)["status"] == "completed"
        assert there.task(failed["task_id"])["error_code"] == failed["error_code"]
        for task_id in stream.accepted[-3:]:
            assert there.task(task_id)["result"] is not None
