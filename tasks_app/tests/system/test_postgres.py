"""The private PostgreSQL: what it survives."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from embedded import postgres
from embedded.postgres import PostgresServer, cluster_name, wheel_bin_dir
from tasks_app.processes import pids_naming
from tasks_app.tests.system.conftest import public_folder
from testing.checkout import ROOT
from testing.service import eventually


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Holds one cluster for all tests of this module, with a table `memory`."""
    with public_folder() as path:
        with PostgresServer(wheel_bin_dir(), path) as server:
            execute(server, "CREATE TABLE memory (word text)")
        yield path


@pytest.fixture
def server(data_dir: Path) -> Iterator[PostgresServer]:
    """A server on `data_dir` that does not run yet."""
    server = PostgresServer(wheel_bin_dir(), data_dir)
    yield server
    server.stop()


def execute(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute(statement)


def words(server: PostgresServer) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM memory").fetchall()]


def processes(server: PostgresServer) -> list[int]:
    return pids_naming(cluster_name(server.data_dir / "postgres"))


def test_it_listens_on_loopback_only_and_flushes_to_disk(server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.url) as connection:
        rows = connection.execute("SELECT name, setting FROM pg_settings").fetchall()
    settings: dict[str, str] = dict(rows)
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert (settings["fsync"], settings["synchronous_commit"]) == ("on", "on")


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(":", ":wrong", 2).replace(":wrong", ":", 1))


def test_a_kill_loses_nothing(server: PostgresServer) -> None:
    server.start()
    execute(server, "INSERT INTO memory VALUES ('kept')")
    server.kill()
    server.start()
    assert "kept" in words(server)


def test_a_pid_file_that_names_a_living_stranger_is_stale(server: PostgresServer) -> None:
    server.start()
    server.kill()
    pid_file = server.data_dir / "postgres" / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *rest]))
    server.start()
    assert server.running


def test_a_server_whose_owner_was_killed_ends_and_the_next_start_waits_for_it(
    server: PostgresServer,
) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path\n"
            "from embedded.postgres import *\n"
            "PostgresServer(wheel_bin_dir(), Path(sys.argv[1])).start()\n"
            "print('started', flush=True)\n"
            "time.sleep(600)",
            str(server.data_dir),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None and owner.stdout.readline() == b"started\n"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    server.start()
    execute(server, "INSERT INTO memory VALUES ('after')")
    server.stop()
    eventually(lambda: not processes(server), what="the end of both servers")


def test_an_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    (folder / "postgres.new").mkdir(parents=True)
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    with PostgresServer(wheel_bin_dir(), folder, durable=False) as server:
        execute(server, "SELECT 1")


def test_port_and_password_are_kept_unless_another_program_has_the_port(
    server: PostgresServer,
) -> None:
    again = PostgresServer(wheel_bin_dir(), server.data_dir)
    assert again.url == server.url
    with socket.create_server(("127.0.0.1", server.port)):
        elsewhere = PostgresServer(wheel_bin_dir(), server.data_dir)
    assert elsewhere.port != server.port
    elsewhere.start()
    execute(elsewhere, "SELECT 1")
    elsewhere.stop()


def test_root_runs_it_below_folders_that_nobody_else_can_enter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs the server as somebody else")
    monkeypatch.setattr(postgres, "BINARIES_CACHE", folder / "cache")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = wheel_bin_dir().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, closed / part.name)
    bin_dir = closed / wheel_bin_dir().relative_to(package.parent)

    umask = os.umask(0o077)
    try:
        with PostgresServer(bin_dir, closed / "data", durable=False) as server:
            execute(server, "SELECT 1")
    finally:
        os.umask(umask)

    assert (closed / "data" / "postgres").stat().st_uid != 0
    assert closed.stat().st_mode & 0o777 == 0o700
