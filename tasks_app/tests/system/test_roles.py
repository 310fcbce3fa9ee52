"""A worker's database role: it runs tasks, and nothing else is open to it."""

import secrets
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from psycopg import sql

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Batch, Status, Task, Worker
from tasks_app.tests.api import people
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.tasks import age_lease, age_ring, claimed, pending
from testing.service import Service, eventually

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a password: with/strange?parts"


@pytest.fixture
def worker_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test database as a worker's role sees it."""
    role = f"worker_{secrets.token_hex(4)}"
    parts = urlsplit(database_url())
    netloc = f"{role}:{quote(PASSWORD, safe='')}@{parts.hostname}:{parts.port}"
    url = parts._replace(netloc=netloc).geturl()
    monkeypatch.setattr(settings, "WORKER_DATABASE_URL", url)
    call_command("grant_roles")
    yield url
    with connection.cursor() as cursor:
        for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
            cursor.execute(sql.SQL(statement).format(sql.Identifier(role)))


def test_a_worker_runs_recovers_and_purges_tasks_with_it(service: Service, worker_url: str) -> None:
    old = people.task_of(None, Status.COMPLETED, submitted_at=people.ago(days=9))
    people.rewrite(old, completed_at=people.ago(days=9))
    lost, silent, exhausted = (pending(backend=DEFAULT_BACKEND) for _ in range(3))
    claimed(lost)
    for _ in range(settings.MAX_ATTEMPTS):
        claimed(exhausted)
        age_lease(exhausted)
    age_lease(lost)
    age_ring(lost, silent, exhausted)
    Batch.objects.create(size=1, submitted_at=people.ago(days=9))
    service.start_api(processes=1)
    new = service.accepted()

    service.start_worker(threads=1, DATABASE_URL=worker_url, RECOVERY_S="0.1", RETENTION_DAYS="3")

    for task_id in (new, str(lost), str(silent)):
        assert service.finished(task_id)["status"] == "completed"
    assert service.finished(str(exhausted))["error_code"] == "attempts_exhausted"
    eventually(lambda: not Task.objects.filter(task_id=old.task_id).exists(), what="it is purged")
    eventually(lambda: not Batch.objects.exists(), what="the batch is purged")
    assert Worker.objects.get().walls


REFUSED = {
    "read tokens": "SELECT * FROM tasks_app_apitoken",
    "read users": "SELECT * FROM auth_user",
    "read sessions": "SELECT * FROM django_session",
    "read limits": "SELECT * FROM tasks_app_ownerlimits",
    "read the audit": "SELECT * FROM tasks_app_auditentry",
    "read keys": "SELECT * FROM tasks_app_idempotencykey",
    "make a token": "INSERT INTO tasks_app_apitoken (label) VALUES ('x')",
    "make a user": "INSERT INTO auth_user (username) VALUES ('x')",
    "become staff": "UPDATE auth_user SET is_staff = true",
    "hide what it did": "DELETE FROM tasks_app_auditentry",
    "submit a task": "INSERT INTO tasks_app_task (circuit) VALUES ('x')",
    "change a program": "UPDATE tasks_app_task SET circuit = 'x'",
    "change an owner": "UPDATE tasks_app_task SET owner_id = 1",
    "change a time of submission": "UPDATE tasks_app_task SET submitted_at = now()",
    "change history": "UPDATE tasks_app_statushistory SET notes = 'x'",
    "delete history": "DELETE FROM tasks_app_statushistory",
    "empty a table": "TRUNCATE tasks_app_task CASCADE",
    "switch triggers off": "ALTER TABLE tasks_app_task DISABLE TRIGGER ALL",
    "skip triggers": "SET session_replication_role = replica",
    "drop a table": "DROP TABLE tasks_app_worker",
    "make a table": "CREATE TABLE x (y int)",
    "pretend a migration": "DELETE FROM django_migrations",
    "become the owner": "SET ROLE {owner}",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
}


def test_all_else_is_refused_to_it(worker_url: str) -> None:
    people.token(people.user("ada"))
    owner = sql.Identifier(connection.settings_dict["USER"]).as_string()
    got_through = []
    with psycopg.connect(worker_url, autocommit=True) as worker:
        assert worker.execute("SELECT count(*) FROM tasks_app_task").fetchone() == (0,)
        for what, statement in REFUSED.items():
            try:
                worker.execute(statement.replace("{owner}", owner))
                got_through.append(what)
            except psycopg.errors.InsufficientPrivilege:
                continue
    assert got_through == []


def test_granting_again_takes_back_what_was_granted_meanwhile(worker_url: str) -> None:
    role = urlsplit(worker_url).username
    assert role is not None
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("GRANT SELECT ON auth_user TO {}").format(sql.Identifier(role)))
    call_command("grant_roles")
    with psycopg.connect(worker_url) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute("SELECT * FROM auth_user")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "names no role"),
        ("postgres://worker@localhost/x", "names no role"),
        ("owner", "another role than DATABASE_URL"),
    ],
)
def test_a_useless_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, words: str) -> None:
    if url == "owner":
        url = f"postgres://{connection.settings_dict['USER']}:x@localhost/x"
    monkeypatch.setattr(settings, "WORKER_DATABASE_URL", url)
    with pytest.raises(CommandError, match=words):
        call_command("grant_roles")


def test_a_role_with_power_is_refused(worker_url: str) -> None:
    role = urlsplit(worker_url).username
    assert role is not None
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(role)))
    with pytest.raises(CommandError, match="nothing would be kept from it"):
        call_command("grant_roles")
