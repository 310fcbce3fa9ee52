"""A database without the tables that this code needs: said at once, and not a bug."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import ProgrammingError, connection

from tasks_app.api.errors import as_api_error
from tasks_app.processes import tail
from tasks_app.tests.api.client import CIRCUIT, error, get, post
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.test_migrations import names
from testing.service import ROOT, Process, eventually

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


def told(**options: Any) -> str:
    """What `manage.py check` says."""
    out = io.StringIO()
    call_command("check", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_check_tells_what_does_not_fit() -> None:
    assert "no issues" in told()
    last = names()[-1]
    call_command("migrate", "tasks_app", names()[-2], verbosity=0)
    missing = told()
    assert (
        f"(tasks_app.W001) The database lacks migrations of this code: tasks_app.{last}." in missing
    )
    assert "W002" not in missing
    with pytest.raises(SystemCheckError, match="W001"):
        told(fail_level="WARNING")

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('tasks_app', '9', now()), ('another', '1', now())"
        )
    unknown = told()
    assert "(tasks_app.W002) The database has migrations that this code does not know" in unknown
    assert "know: tasks_app.9.\n" in unknown
    assert "W001" not in unknown


def test_check_does_without_a_database_and_says_so() -> None:
    nowhere = os.environ | {"DATABASE_URL": "postgres://a:b@127.0.0.1:9/nowhere"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=nowhere,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "(tasks_app.I001) PostgreSQL was not asked whether its tables fit" in done.stderr


def test_migrate_is_not_told_to_run_migrate() -> None:
    call_command("migrate", "tasks_app", names()[-2], verbosity=0)
    told()
    out = io.StringIO()
    call_command("migrate", stdout=out, stderr=out, skip_checks=False)
    assert "W001" not in out.getvalue()


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
