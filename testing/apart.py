"""The arena with its API and its two workers on hosts of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from embedded.postgres import PostgresServer
from testing.arena import FAST, Arena, Link
from testing.clocks import wrong_clock
from testing.hosts import Host
from testing.ports import free_port
from testing.servers import new_rabbit_server, postgres_bin_dir
from testing.service import Process, Service

CLOCKS_H = {"api": -1, "first": 2, "second": -2}  # how far each host's clock is off
_HOST = "RUNS_ON"


class Apart(Arena):
    """Both servers are here, each host a wire away, and each host's clock wrong in its own way."""

    def __init__(self, folder: Path) -> None:
        self.hosts = {name: Host(folder, name) for name in CLOCKS_H}
        ours = [host.ours for host in self.hosts.values()]
        rabbit = new_rabbit_server(folder / "rabbitmq")
        with (rabbit.data_dir / "rabbitmq.conf").open("a") as file:
            for number, address in enumerate(ours, 2):
                file.write(f"listeners.tcp.{number} = {address}:{rabbit.port}\n")
        super().__init__(folder, postgres=_Postgres(folder / "postgres", ours), rabbit=rabbit)
        api = self.hosts["api"].address
        self.service = _Service(folder, FAST | {"ALLOWED_HOSTS": api}, address=api)
        self.service.hosts = self.hosts
        self.server_ports = frozenset({self.postgres.port, self.rabbit.port})

    def start(self) -> None:
        self.postgres.launch()
        self.rabbit.start()
        self.postgres.wait_ready()
        super().start()

    def stop(self) -> None:
        super().stop()
        self.postgres.stop()
        self.rabbit.remove()
        for host in self.hosts.values():
            host.close()

    def through(self, link: Link) -> dict[str, str]:
        name = list(self.hosts)[self.links.index(link)]
        host = self.hosts[name]

        def seen_there(url: str) -> str:
            parts = urlsplit(url)
            credentials = parts.netloc.rpartition("@")[0]
            return parts._replace(netloc=f"{credentials}@{host.ours}:{parts.port}").geturl()

        database = f"{seen_there(self.database_url)}?application_name={self.name_of(link)}"
        found = {"DATABASE_URL": database, "RABBITMQ_URL": seen_there(self.rabbit.url)}
        return found | {_HOST: name} | wrong_clock(self.service.folder, CLOCKS_H[name])


class _Service(Service):
    """Starts each process on its host."""

    hosts: Mapping[str, Host]

    def _start(self, name: str, command: list[str], env: Mapping[str, str]) -> Process:
        return super()._start(name, self.hosts[env[_HOST]].command(*command), env)


class _Postgres(PostgresServer):
    """One that lets other hosts in."""

    def __init__(self, data_dir: Path, addresses: Sequence[str]) -> None:
        super().__init__(
            postgres_bin_dir(),
            data_dir,
            port=free_port(),
            durable=False,
            settings={"listen_addresses": ",".join(["127.0.0.1", *addresses])},
        )

    def _fill(self, cluster: Path, options: Sequence[str], stdin: int) -> None:
        super()._fill(cluster, options, stdin)
        with (cluster / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.0.0.0/8 scram-sha-256\n")
