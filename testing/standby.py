"""A PostgreSQL that leads, and one that follows it and may take its place."""

import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from embedded.postgres import PostgresServer, cluster_name, write_private
from tasks_app.processes import pids_naming
from testing.arena import kill
from testing.ports import free_port
from testing.servers import postgres_bin_dir
from testing.service import Proxy, eventually

# In the file, where pg_rewind finds it too: hints tell which pages have changed, and the log must
# go back to where the two went different ways. As in docs/operations.md.
SETTINGS = """
wal_log_hints = on
wal_keep_size = 1GB
"""


class Member(PostgresServer):
    """One of the two. Its standby reads from it through `replication`, which may be cut.

    The first one is made as usual, with `leader=None`, the other as a copy of it.
    """

    def __init__(self, data_dir: Path, leader: "Member | None" = None) -> None:
        port = free_port()
        if leader is not None:  # whose users and passwords it has
            data_dir.mkdir()
            place = f"{urlsplit(leader.url).netloc.rpartition(':')[0]}:{port}"
            write_private(data_dir / "database_url", f"postgres://{place}/postgres")
        self._leader = leader
        super().__init__(postgres_bin_dir(), data_dir, port=port, durable=False)
        self.replication = Proxy(self.port)

    def _fill(self, cluster: Path, options: Sequence[str], stdin: int) -> None:
        if self._leader is None:
            super()._fill(cluster, options, stdin)
            with (cluster / "postgresql.conf").open("a") as file:
                file.write(SETTINGS)
            return
        source = f"--dbname={self._leader.source}"
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", cluster, source, *how)

    @property
    def source(self) -> str:
        """Where its standby reads from."""
        return self.replication.url(self.url)

    def url_of(self, database: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> object:
        """What a query for one value answers; None if there is no row."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row and row[0]

    def wait_for_standby(self) -> None:
        """Let each commit wait, from now on, until the standby has it."""
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        self.await_standby()

    def await_standby(self) -> None:
        """Return once commits wait for the standby, and it is there."""
        sync = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        eventually(lambda: self.value(sync) == "sync", what="the standby is synchronous")

    def wait_for_nobody(self) -> None:
        self.sql("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Lead from now on, alone: there is no standby to wait for."""
        self.sql("SELECT pg_promote()")
        self.wait_for_nobody()

    def follow(self, leader: "Member") -> None:
        """Forget what only it knows, take what the leader has, and start as its standby."""
        self._leader = leader
        self._wait_for_predecessor()
        leader.sql("CHECKPOINT")  # until then its files do not tell that it went another way
        options = [f"--source-server={leader.source}", "--write-recovery-conf", "--no-sync"]
        self._run("pg_rewind", self._cluster, *options)
        self.start()

    def processes(self) -> list[int]:
        return pids_naming(cluster_name(self._cluster))

    def die(self) -> None:
        """SIGKILL to all its processes."""
        kill(*self.processes())
        self.kill()

    def pause(self) -> None:
        kill(*self.processes(), signum=signal.SIGSTOP)

    def go_on(self) -> None:
        kill(*self.processes(), signum=signal.SIGCONT)
