"""A private PgBouncer in transaction mode, where the program is installed."""

import os
import pwd
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tasks_app.processes import tail, tethered
from testing import packages
from testing.ports import free_port
from testing.service import eventually

PROGRAM = packages.found("pgbouncer")
# As in docs/operations.md.
SETTINGS = """
[databases]
{name} = host=127.0.0.1 port={server_port} user={user} password={password} {timeouts}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 2000
query_wait_timeout = 3
server_login_retry = 1
"""
TIMEOUTS = (
    "connect_query='SET statement_timeout = ''10s''; SET lock_timeout = ''5s'';"
    " SET idle_in_transaction_session_timeout = ''15s'''"
)


class Pool:
    """A PgBouncer of `size` server connections; `url` is that of the database through it."""

    def __init__(self, folder: Path, database_url: str, size: int) -> None:
        assert PROGRAM is not None
        folder.mkdir(mode=0o755)
        self._folder, self._size = folder, size
        self._port, self._password = free_port(), secrets.token_urlsafe(16)
        server = urlsplit(database_url)
        at = f"{server.username}:{self._password}@127.0.0.1:{self._port}"
        self.url = f"postgres://{at}{server.path}"
        (folder / "users").write_text(f'"{server.username}" "{self._password}"\n')
        self._write_settings(database_url)
        nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses to run as root
        if nobody:
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        log = folder.with_suffix(".log")
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [PROGRAM, "pgbouncer.ini"],
                cwd=folder,  # which its parent folders may keep from others
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                user=nobody and nobody.pw_uid,
                group=nobody and nobody.pw_gid,
                extra_groups=[] if nobody else None,
                preexec_fn=tethered(signal.SIGKILL),
            )
        eventually(lambda: _listens(self._port) or not self._running, what="listens")
        assert self._running, tail(log, 20)

    @property
    def _running(self) -> bool:
        return self._process.poll() is None

    def _write_settings(self, database_url: str) -> None:
        server = urlsplit(database_url)
        settings = SETTINGS.format(
            name=server.path[1:],
            server_port=server.port,
            user=server.username,
            password=server.password,
            timeouts=TIMEOUTS,
            port=self._port,
            pool_size=self._size,
        )
        (self._folder / "pgbouncer.ini").write_text(settings)

    def serve(self, database_url: str) -> None:
        """Lead to another server from now on, as an operator does who edits the file."""
        self._write_settings(database_url)
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def pgbouncer(folder: Path, database_url: str, *, pool_size: int) -> Iterator[Pool]:
    """A pool before this database, ended afterwards."""
    pool = Pool(folder, database_url, pool_size)
    try:
        yield pool
    finally:
        pool.stop()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
