"""The arena on a PostgreSQL that may lead, with a standby that may take its place."""

from pathlib import Path
from urllib.parse import urlsplit

from testing.arena import DATABASE, Arena, Link
from testing.servers import RabbitServer
from testing.standby import Member

VHOST = "failover"  # else the workers of the other arena would take what is submitted here


class Failover(Arena):
    """API and workers know both servers, and find out which one leads."""

    def __init__(self, folder: Path, *, rabbit: RabbitServer) -> None:
        self.leading = Member(folder / "first")
        self.leading.start()
        super().__init__(folder, postgres=self.leading, rabbit=rabbit)
        self.standby = Member(folder / "second", self.leading)

    def start(self) -> None:
        self.standby.start()
        self.leading.wait_for_standby()
        self.rabbit.ctl("add_vhost", VHOST)
        self.rabbit.ctl("set_permissions", "-p", VHOST, "quantumtasks", ".*", ".*", ".*")
        super().start()

    def stop(self) -> None:
        super().stop()
        for server in (self.leading, self.standby):
            server.die()
            server.replication.close()
        self.rabbit.ctl("delete_vhost", VHOST)

    def _drop_database(self) -> None:
        """It goes with its servers."""

    def through(self, link: Link) -> dict[str, str]:
        """What the process is told: both servers, and the name by which they know it."""
        queue = urlsplit(super().through(link)["RABBITMQ_URL"])._replace(path=f"/{VHOST}")
        return {
            "DATABASE_URL": self.url_of_both(self.name_of(link)),
            "RABBITMQ_URL": queue.geturl(),
        }

    def url_of_both(self, application_name: str) -> str:
        """The first is always the same one, whichever leads."""
        servers = sorted((self.leading, self.standby), key=lambda each: each.data_dir)
        places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        user = urlsplit(self.leading.url).netloc.rpartition("@")[0]
        return f"postgres://{user}@{places}/{DATABASE}?application_name={application_name}"

    # -- failing over --------------------------------------------------------------------------

    def promote(self) -> None:
        """What leads is dead, or should be: its standby leads from now on."""
        self.leading, self.standby = self.standby, self.leading
        self.leading.promote()
        self.postgres = self.leading
        self.database_url = urlsplit(self.leading.url)._replace(path=f"/{DATABASE}").geturl()

    def rejoin(self) -> None:
        """The one that led becomes the standby, and commits wait for it."""
        self.standby.follow(self.leading)
        self.leading.wait_for_standby()
