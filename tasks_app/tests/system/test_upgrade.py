"""One version after the other in the place of the one before, and back, with nobody noticing.

The newer version is this code with a column more, and the migration that adds it: what a release
that only expands looks like to the one before it.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.test_migrations import names
from testing.ledger import Ledger, account, logged, read_rows
from testing.service import PATIENT, Process, Proxy, Reader, Service, Stream, eventually

pytestmark = pytest.mark.cluster

MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("tasks_app", "{last}")]
    operations = [
        migrations.AddField("task", "site", models.CharField(max_length=32, db_default="here"))
    ]
"""
FIRST_FIELD = "    task_id = models."
SITE = '    site = models.CharField(max_length=32, db_default="here")\n'


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A checkout of the version to come."""
    root = tmp_path / "newer"
    root.mkdir()
    for name in ("manage.py", "gunicorn.conf.py"):
        shutil.copy(settings.BASE_DIR / name, root)
    for name in ("quantumtasks", "tasks_app", "testing"):
        shutil.copytree(
            settings.BASE_DIR / name, root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    models = root / "tasks_app" / "models" / "tasks.py"
    before, of_task = models.read_text().split("class Task(models.Model):\n")
    models.write_text(
        f"{before}class Task(models.Model):\n" + of_task.replace(FIRST_FIELD, SITE + FIRST_FIELD, 1)
    )
    last = names()[-1]
    migration = root / "tasks_app" / "migrations" / f"{int(last[:4]) + 1:04}_site.py"
    migration.write_text(MIGRATION.format(last=last))
    return root


def manage(root: Path, *words: str) -> str:
    """What `manage.py` of a checkout says."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=root,
        env=os.environ | {"DATABASE_URL": database_url()},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def exchange(api: Process, old: Service, new: Service, front: Proxy, stream: Stream) -> None:
    """New in place of old, one process after the other: first the API, which is ready by now."""
    front.lead_to(new.port)
    stream.await_round()
    api.stop()
    assert api.wait() == 0
    for worker in [each for each in old.processes if each.name == "worker" and each.running]:
        new.start_worker(threads=1)
        worker.stop()
        assert worker.wait() == 0
    stream.await_round()


@pytest.mark.usefixtures("own_database", "empty_queue")
def test_versions_take_turns_under_load_and_no_client_notices(
    newer: Path, tmp_path: Path, ledgers: list[Ledger]
) -> None:
    env = {"DATABASE_URL": database_url(), "GUNICORN_CMD_ARGS": PATIENT}
    last = names()[-1]
    with (
        Service(tmp_path, env) as clients,
        Service(make(tmp_path / "old"), env) as old,
        Service(make(tmp_path / "new"), env, root=newer) as new,
        Proxy(old.port) as front,
    ):
        clients.port = front.port
        api = old.start_api(processes=1)
        for _ in range(2):
            old.start_worker(threads=1)
        with Stream(clients, every_s=0.3) as stream, Reader(stream) as reader:
            stream.await_round()

            assert "tasks_app.W001" in manage(newer, "check")
            newer_api = new.start_api(processes=1)
            assert new.get("/health/ready").body["reason"] == "schema_outdated"
            manage(newer, "migrate", "--noinput")
            stream.await_round()
            assert "tasks_app.W002" in manage(old.root, "check")
            assert "no issues" in manage(newer, "check")
            eventually(lambda: new.get("/health/ready").status == 200, what="it is ready")
            exchange(api, old, new, front, stream)

            api = old.start_api(processes=1)  # the older version again, on the newer tables
            assert old.get("/health/ready").status == 200
            exchange(newer_api, new, old, front, stream)
            manage(newer, "migrate", "tasks_app", last)
            stream.await_round()
            assert "no issues" in manage(old.root, "check")

        back = time.monotonic()
        last = old.accepted()
        old.finished(last)
        healthy_s = time.monotonic() - back
        for task_id in stream.accepted:
            assert old.finished(task_id)["status"] == "completed"
    assert {answer.status for answer in stream.answers} == {202}
    assert {answer.status for answer in reader.answers} == {200}
    rows = {row.task_id: row for row in read_rows(database_url(), since="-infinity")}
    assert rows.keys() == {last, *stream.accepted}
    name, of = "A rolling upgrade under load, and back", (rows.values(), logged(tmp_path))
    ledger = account(name, stream.answers, reader.answers, *of, healthy_s=healthy_s)
    ledgers.append(ledger)
    ledger.check()


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
