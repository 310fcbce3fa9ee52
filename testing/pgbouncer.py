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
"""
TIMEOUTS = (
    "connect_query='SET statement_timeout = ''10s''; SET lock_timeout = ''5s'';"
    " SET idle_in_transaction_session_timeout = ''15s'''"
)


@contextmanager
def pgbouncer(folder: Path, database_url: str, *, pool_size: int) -> Iterator[str]:
    """The URL of this database through a pool of `pool_size` server connections."""
    assert PROGRAM is not None
    folder.mkdir(mode=0o755)
    server, port, password = urlsplit(database_url), free_port(), secrets.token_urlsafe(16)
    settings = SETTINGS.format(
        name=server.path[1:],
        server_port=server.port,
        user=server.username,
        password=server.password,
        timeouts=TIMEOUTS,
        port=port,
        pool_size=pool_size,
    )
    (folder / "pgbouncer.ini").write_text(settings)
    (folder / "users").write_text(f'"{server.username}" "{password}"\n')
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses to run as root
    if nobody:
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    log = folder.with_suffix(".log")
    with log.open("ab") as stream:
        process = subprocess.Popen(
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
    try:
        eventually(lambda: _listens(port) or process.poll() is not None, what="listens")
        assert process.poll() is None, tail(log, 20)
        yield f"postgres://{server.username}:{password}@127.0.0.1:{port}{server.path}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
