"""A database without the tables that this code needs: said at once, and not a bug."""

import json
import os
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection

from tasks_app.api.errors import as_api_error
from tasks_app.processes import tail
from tasks_app.tests.api.client import CIRCUIT, error, get, post
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.test_migrations import names
from testing.service import Process, eventually

pytestmark = pytest.mark.usefixtures("empty_queue", "own_database")


def everything_is_refused() -> None:
    ready = get("/health/ready")
    assert ready.status_code == 503
    assert json.loads(ready.content) == {"status": "not ready", "reason": "schema_outdated"}
    health = json.loads(get("/health").content)
    assert (health["status"], health["database_status"]) == ("degraded", "connected")
    assert health["schema_status"] == "outdated"
    for answer in (post({"circuit": CIRCUIT}), get("/metrics"), get("/tasks"), get("/queue")):
        error(answer, 503, "schema_outdated")
        assert int(answer["Retry-After"]) >= 1
    assert get("/health/live").status_code == 200


def everything_works() -> None:
    assert get("/health/ready").status_code == 200
    health = json.loads(get("/health").content)
    assert (health["status"], health["schema_status"]) == ("healthy", "current")
    assert post({"circuit": CIRCUIT}).status_code == 202
    assert get("/metrics").status_code == 200


def test_a_database_without_our_tables() -> None:
    everything_works()
    call_command("migrate", "tasks_app", "zero", verbosity=0)
    everything_is_refused()
    call_command("migrate", verbosity=0)
    everything_works()


def test_an_empty_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    everything_is_refused()


def test_one_migration_that_is_missing_is_enough() -> None:
    call_command("migrate", "tasks_app", names()[-2], verbosity=0)
    assert get("/health/ready").status_code == 503


def test_a_database_that_is_ahead_serves_on_while_processes_are_upgraded() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks_app', '9', now())"
        )
    everything_works()


def test_a_statement_that_is_wrong_although_the_schema_fits_is_a_bug() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError) as refused:
        cursor.execute("SELECT nothing_has_this_name FROM tasks_app_task")
    assert as_api_error(refused.value) is None


def test_a_worker_waits_for_the_tables(tmp_path: Path) -> None:
    call_command("migrate", "tasks_app", "zero", verbosity=0)
    command = [sys.executable, "manage.py", "rundramatiq", "--threads", "1"]
    worker = Process(
        "worker", command, os.environ | {"DATABASE_URL": database_url()}, tmp_path / "worker.log"
    )

    def says(event: str) -> None:
        eventually(
            lambda: any(line["event"] == event for line in worker.lines()) or not worker.running,
            what=f"the worker says {event}",
        )
        assert worker.running, tail(worker.log)

    try:
        says("schema_outdated")
        call_command("migrate", verbosity=0)
        says("worker_ready")
    finally:
        worker.stop()
