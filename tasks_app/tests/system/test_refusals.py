"""What is missing or unsafe stops the process at boot, with its name and the remedy."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

KEY = "kJ8sR2vXq0ZtY5wB7nL3mP9cD1fG4hA6"
SOUND = {
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "tasks.example.org",
    "DATABASE_URL": "postgres://user:password@127.0.0.1:1/tasks",
    "RABBITMQ_URL": "amqp://user:password@127.0.0.1:1/%2F",
}


def boot(**changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` with a sound production environment and these changes.

    An empty value stands for a variable that is not set: it also hides one in a developer's .env.
    """
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"]} | SOUND | changes,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_sound_environment_boots() -> None:
    done = boot()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SECRET_KEY", "", "Make one"),
        ("SECRET_KEY", "short", "Make one"),
        ("SECRET_KEY", "a" * 50, "Make one"),
        ("SECRET_KEY", f"change-me-{KEY}", "Make one"),
        ("ALLOWED_HOSTS", "*", "Name the hosts"),
        ("ALLOWED_HOSTS", "example.org,*", "Name the hosts"),
        ("DATABASE_URL", "", "postgres://"),
        ("DATABASE_URL", "sqlite:///db.sqlite3", "postgres://"),
        ("DATABASE_URL", "mysql://user:password@localhost/tasks", "postgres://"),
        ("RABBITMQ_URL", "", "amqp://"),
        ("RABBITMQ_URL", "http://localhost:15672", "amqp://"),
        ("QUEUE_DOWN_POLICY", "shrug", "reject"),
        ("HEARTBEAT_S", "10", "LEASE_S"),
        ("HEARTBEAT_S", "0", "at least 0.1"),
        ("LEASE_S", "-1", "at least 0.1"),
        ("TASK_DEADLINE_S", "1000", "RABBITMQ_CONSUMER_TIMEOUT_S"),
        ("LEASE_S", "soon", "a number"),
        ("LEASE_S", "1e400", "a number"),
        ("TASK_DEADLINE_S", "nan", "a number"),
        ("MAX_ATTEMPTS", "0", "at least 1"),
        ("MAX_ATTEMPTS", "2.5", "whole number"),
        ("MAX_CIRCUIT_BYTES", "0", "at least 1"),
        ("AUDIT_DAYS", "29", "at least 30"),
        ("DB_STATEMENT_TIMEOUT_S", "-1", "at least 0"),
        ("DB_CONN_MAX_AGE", "x", "a number"),
        ("HTTPS_ONLY", "maybe", "true"),
        ("HSTS_INCLUDE_SUBDOMAINS", "true", "HTTPS_ONLY=true"),
        ("HSTS_PRELOAD", "true", "HSTS_INCLUDE_SUBDOMAINS=true"),
        ("URL_PREFIX", "quantum", "for example URL_PREFIX=/quantum"),
        ("URL_PREFIX", "/quantum/", "for example URL_PREFIX=/quantum"),
        ("URL_PREFIX", "/health", "for example URL_PREFIX=/quantum"),
        ("SCRIPT_NAME", "/quantum", "URL_PREFIX"),
        ("LOG_LEVEL", "LOUD", "INFO"),
        ("API_AUTH", "none", "open"),
        ("BIND", "8001", "an address and a port"),
        ("BIND", "unix:/run/quantumtasks.sock", "an address and a port"),
        ("TRUSTED_PROXIES", "10.0.0.0/8", "each proxy's address"),
        ("TRUSTED_PROXIES", "127.0.0.1,nginx", "each proxy's address"),
        ("WORKER_METRICS_BIND", "9108", "an address and a port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "the address of a receiver"),
        ("WEB_CONCURRENCY", "0", "at least 1"),
        ("WEB_THREADS", "many", "a number"),
        ("WORKER_THREADS", "0", "at least 1"),
        ("DATABASE_URL", "foo", "postgres://"),
        ("DATABASE_URL", "postgres://user:password@localhost:port/tasks", "postgres://"),
        ("DATABASE_URL", "postgres://user:password@a:1,b:port/tasks", "postgres://"),
        ("DATABASE_URL", "postgres://user:password@a,b,c/tasks?port=1,2", "postgres://"),
        ("DATABASE_URL", "postgres://user:password@localhost", "postgres://"),
        ("DATABASE_URL", "postgres://user:pass%zzword@localhost/tasks", "postgres://"),
        ("DATABASE_URL", "postgres://user:password@localhost/tasks?sslmood=require", "postgres://"),
        ("RABBITMQ_URL", "amqp://", "amqp://host"),
        ("RABBITMQ_URL", "amqp://user:password@one,two", "URL 1 of it"),
        ("RABBITMQ_URL", "amqp://one,amqp://two/tasks", "names several vhosts"),
        ("ALLOWED_HOSTS", ".example.org", "Name the hosts"),
        ("SECRET_KEY", "changeme" * 8, "Make one"),
    ],
)
def test_an_unsafe_environment_is_refused(name: str, value: str, remedy: str) -> None:
    done = boot(**{name: value})
    assert done.returncode != 0
    assert done.stderr.startswith("Configuration error: ")
    assert name in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr


def setting(name: str, **changes: str) -> Any:
    """What Django is given."""
    code = f"import json, quantumtasks.settings as s; print(json.dumps(s.{name}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"]} | SOUND | changes,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def database_of(url: str) -> Any:
    """What Django connects with."""
    return setting("DATABASES", DATABASE_URL=url)["default"]


def test_spaces_in_a_list_mean_nothing() -> None:
    names = setting("ALLOWED_HOSTS", ALLOWED_HOSTS=" one.example.org , two.example.org,")
    assert names == ["one.example.org", "two.example.org"]


def test_a_database_may_have_several_hosts_of_which_the_primary_is_wanted() -> None:
    database = database_of("postgres://user:pass%2Fword@db1:5433,[::1],db3:1/tasks")
    assert (database["HOST"], database["PORT"]) == ("db1,::1,db3", "5433,,1")
    assert (database["USER"], database["PASSWORD"]) == ("user", "pass/word")
    assert database["NAME"] == "tasks"
    assert database["OPTIONS"]["target_session_attrs"] == "read-write"
    assert "target_session_attrs" not in database_of(SOUND["DATABASE_URL"])["OPTIONS"]


def test_the_options_of_a_database_url_are_kept_beside_ours() -> None:
    url = "postgres://user:password@db/tasks?sslmode=require&options=-c%20search_path%3Dours"
    options = database_of(url)["OPTIONS"]
    assert (options["sslmode"], options["connect_timeout"]) == ("require", 2)
    assert options["options"].startswith("-c statement_timeout=10s")
    assert options["options"].endswith(" -c search_path=ours")


def test_debug_relaxes_the_key_and_the_hosts_only() -> None:
    relaxed = {"DEBUG": "true", "SECRET_KEY": "short", "ALLOWED_HOSTS": "*"}
    assert boot(**relaxed).returncode == 0
    for missing in ("SECRET_KEY", "DATABASE_URL", "RABBITMQ_URL"):
        done = boot(**relaxed | {missing: ""})
        assert done.returncode != 0
        assert f"{missing} is not set" in done.stderr


def test_a_python_without_our_packages_is_told_which_one_has_them() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "manage.py", "check"],  # -S: without what is installed
        cwd=settings.BASE_DIR,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "No module named 'django'" in done.stderr
    assert ".venv/bin/python manage.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_traces_without_what_makes_them_are_refused() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import quantumtasks.settings"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"} | SOUND,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "requirements/tracing-locked.txt" in done.stderr
