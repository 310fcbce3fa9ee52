"""A dump restored into an empty database is the whole service again: every table, every guard."""

import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.db import SessionStore

from tasks_app import pace
from tasks_app.models import OwnerLimits, RuntimeJob, RuntimeSession, Status
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, post
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.tasks import in_state
from testing.pages import commands
from testing.servers import RabbitServer, postgres_bin_dir
from testing.service import Service, Stream

DUMP, RESTORE = commands("docs/operations.md", "Backup and restore")


def named(name: str) -> str:
    """The URL of another database on the tests' server."""
    return urlsplit(database_url())._replace(path=f"/{name}").geturl()


@pytest.fixture
def restored() -> Iterator[str]:
    """The name that a restored database may have; dropped afterwards."""
    name = f"restored_{uuid.uuid4().hex[:8]}"
    yield name
    with psycopg.connect(named("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def run(command: str, folder: Path, restored: str) -> None:
    """A command of the page, with names and paths of our own."""
    ours = {
        "DATABASE restored OWNER quantumtasks": f"DATABASE {restored}",
        "tasks.dump": str(folder / "tasks.dump"),
        ".venv/bin/python": shlex.quote(sys.executable),
    }
    for theirs, our in ours.items():
        command = command.replace(theirs, our)
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {
            "PATH": f"{postgres_bin_dir()}:{os.environ['PATH']}",
            "DATABASE_URL": database_url(),
            "RESTORED_URL": named(restored),
            "ADMIN_URL": named("postgres"),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def contents(url: str) -> dict[str, Any]:
    """Each table's rows, and everything that guards and numbers them."""
    with psycopg.connect(url) as connection:

        def rows(statement: str) -> list[Any]:
            return sorted(connection.execute(statement).fetchall())

        tables = rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found: dict[str, Any] = {
            table: rows(f'SELECT t::text FROM "{table}" t') for (table,) in tables
        }
        found["sequences"] = rows("SELECT sequencename, last_value FROM pg_sequences")
        found["indexes"] = rows("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
        found["triggers"] = rows(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        )
        found["constraints"] = rows(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
        )
        found["functions"] = rows(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'"
        )
        found["options"] = rows(
            "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL"
        )
    return found


def fill_every_table() -> None:
    """Rows in each table there is, by the ways that make them."""
    ada = people.user("ada", is_staff=True, is_superuser=True)
    token = people.bearer(people.token(ada))
    for status in Status:
        in_state(status)
        people.task_of(ada, status, tags=["a", "b c"], name="ein Name, ünïcode")
    batch = people.batch_of(ada, Status.PENDING, Status.COMPLETED, Status.FAILED)
    runtime = RuntimeSession.objects.create(owner=ada, backend="aer", mode="batch")
    fields = {"program": "sampler", "backend": "aer", "params": {}, "parts": []}
    RuntimeJob.objects.create(batch=batch, session=runtime, **fields)
    key = {"Idempotency-Key": "once"}
    assert post({"circuit": CIRCUIT}, **key, **token).status_code == 202
    assert post({"tasks": [{"circuit": CIRCUIT}] * 2}, "/tasks/batch", **token).status_code == 202
    assert post({"label": "laptop"}, "/tokens", **token).status_code == 201  # and its audit
    OwnerLimits.objects.create(owner=ada, pending=7)
    pace.report(slots=2, backends=["aer"])
    session = SessionStore()
    session["what"] = "a login"
    session.save()
    group = Group.objects.create(name="staff")
    group.permissions.add(Permission.objects.all()[0])
    ada.groups.add(group)
    ada.user_permissions.add(Permission.objects.all()[1])
    LogEntry.objects.log_actions(ada.pk, [ada], 2)


@pytest.mark.usefixtures("empty_queue", "own_database")
def test_a_restored_database_has_every_row_and_every_guard(tmp_path: Path, restored: str) -> None:
    fill_every_table()
    before = contents(database_url())
    empty = {name for name, rows in before.items() if not rows}
    assert empty == {"django_dramatiq_task"}, "that library's own, which nothing here writes"

    run(DUMP, tmp_path, restored)
    run(RESTORE, tmp_path, restored)

    after = contents(named(restored))
    assert after.keys() == before.keys()
    for name, rows in before.items():
        assert after[name] == rows, name


def test_a_dump_of_the_running_service_is_a_service(
    service: Service, tmp_path: Path, restored: str, rabbit_server: RabbitServer
) -> None:
    service.start_api(processes=1)
    service.start_worker()
    service.accepted()
    with Stream(service) as stream:
        stream.await_round()
        run(DUMP, tmp_path, restored)
        stream.await_round()
    run(RESTORE, tmp_path, restored)

    rabbit_server.ctl("add_vhost", restored)
    try:
        user = urlsplit(os.environ["RABBITMQ_URL"]).username or ""
        rabbit_server.ctl("set_permissions", "--vhost", restored, user, ".*", ".*", ".*")
        queue = urlsplit(os.environ["RABBITMQ_URL"])._replace(path=f"/{restored}").geturl()
        (tmp_path / "copy").mkdir()
        env = {"DATABASE_URL": named(restored), "RABBITMQ_URL": queue}
        with Service(tmp_path / "copy", env=env) as copy:
            copy.start_api(processes=1)
            copy.start_worker()
            copied = copy.get("/tasks").body["results"]
            assert copied
            for task in copied:
                assert copy.finished(task["task_id"])["status"] == "completed"
            assert copy.finished(copy.accepted())["status"] == "completed"
    finally:
        rabbit_server.ctl("delete_vhost", restored)
