"""The arena on a PostgreSQL that may lead, with a standby that may take its place."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from testing.arena import DATABASE, Arena, Link
from testing.patroni import Patroni
from testing.pgbouncer import Pool
from testing.servers import RabbitServer
from testing.standby import Member


class Failover(Arena):
    """API and workers know both servers, and find out which one leads."""

    def __init__(self, folder: Path, *, rabbit: RabbitServer) -> None:
        self.leading, self.standby = self._two_servers(folder)
        super().__init__(folder, postgres=self.leading, rabbit=rabbit)
        # Else the workers of the other arena would take what is submitted here.
        self._vhost = f"failover-{secrets.token_hex(4)}"

    def _two_servers(self, folder: Path) -> tuple[Member, Member]:
        """Running, and the second follows the first, which waits for it."""
        leading = Member(folder / "first")
        leading.start()
        standby = Member(folder / "second", leading)
        standby.start()
        leading.wait_for_standby()
        return leading, standby

    def start(self) -> None:
        self.rabbit.ctl("add_vhost", self._vhost)
        self.rabbit.ctl("set_permissions", "-p", self._vhost, "quantumtasks", ".*", ".*", ".*")
        super().start()

    def stop(self) -> None:
        super().stop()
        for server in (self.leading, self.standby):
            server.die()
            server.replication.close()
        self.rabbit.ctl("delete_vhost", self._vhost)

    def _drop_database(self) -> None:
        """It goes with its servers."""

    def through(self, link: Link) -> dict[str, str]:
        """What the process is told: both servers, and the name by which they know it."""
        queue = urlsplit(super().through(link)["RABBITMQ_URL"])._replace(path=f"/{self._vhost}")
        return {
            "DATABASE_URL": self.url_of_both(self.name_of(link)),
            "RABBITMQ_URL": queue.geturl(),
        }

    def url_of_both(self, application_name: str, *, first: Member | None = None) -> str:
        """What leads now is the first of the two, unless another is named."""
        servers = sorted((self.leading, self.standby), key=lambda each: each is not first)
        places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        user = urlsplit(self.leading.url).netloc.rpartition("@")[0]
        return f"postgres://{user}@{places}/{DATABASE}?application_name={application_name}"

    # -- failing over --------------------------------------------------------------------------

    def promote(self) -> None:
        """What leads is dead, or should be: its standby leads from now on."""
        self.standby.promote()
        self.leading, self.standby = self.standby, self.leading
        self.postgres = self.leading
        self.database_url = self.leading.url_of(DATABASE)

    def rejoin(self) -> None:
        """The one that led becomes the standby, and commits wait for it."""
        self.standby.follow(self.leading)
        self.leading.wait_for_standby()


class Pooled(Failover):
    """The same through PgBouncer, which is told what leads."""

    def start(self) -> None:
        self.pool = Pool(self.service.folder / "pool", self.database_url, 20)
        super().start()

    def stop(self) -> None:
        super().stop()
        self.pool.stop()

    def through(self, link: Link) -> dict[str, str]:
        direct = super().through(link)
        return direct | {
            "DATABASE_URL": self.pool.url,
            "DATABASE_DIRECT_URL": direct["DATABASE_URL"],
        }

    def promote(self) -> None:
        super().promote()
        self.pool.serve(self.database_url)


class Managed(Failover):
    """The same with Patroni, which promotes and rewinds by itself."""

    def _two_servers(self, folder: Path) -> tuple[Member, Member]:
        self.patroni = Patroni()
        return self.patroni.first, self.patroni.second

    def stop(self) -> None:
        super().stop()
        self.patroni.stop()
