"""Two PostgreSQL servers under Patroni, which keeps its mind in an etcd: Debian's packages."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tasks_app.processes import tail, tethered
from testing import packages
from testing.ports import free_port
from testing.servers import postgres_bin_dir
from testing.service import eventually
from testing.standby import Member

PACKAGES = ("patroni", "etcd-server")
# As in docs/operations.md, where the time-outs are Patroni's own.
SETTINGS = """
scope: tasks
name: {name}
etcd3:
  hosts: 127.0.0.1:{etcd}
restapi:
  listen: 127.0.0.1:{rest}
  connect_address: 127.0.0.1:{rest}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        wal_log_hints: on
        wal_keep_size: 1GB
  initdb:
    - encoding: UTF8
    - no-locale
postgresql:
  listen: 127.0.0.1:{port}
  connect_address: 127.0.0.1:{port}
  data_dir: {folder}/postgres
  bin_dir: {programs}
  pgpass: {folder}/pgpass
  authentication:
    superuser: {{username: quantumtasks, password: '{password}'}}
    replication: {{username: replicator, password: '{password}'}}
  parameters:
    unix_socket_directories: ''
    fsync: off
  pg_hba:
    - host all all 127.0.0.1/32 scram-sha-256
    - host replication replicator 127.0.0.1/32 scram-sha-256
"""


def missing() -> str | None:
    """What this machine lacks for it, after installing what can be; None if it lacks nothing."""
    if shutil.which("patroni") and shutil.which("etcd") and os.geteuid() == 0:
        return None
    if not packages.can_install():
        return f"needs root on Debian, and the packages {' and '.join(PACKAGES)}"
    try:
        packages.install(*PACKAGES)
    except packages.PackageError as error:
        return str(error)
    return None


class Patroni:
    """The two servers, and what keeps them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="quantum-tasks-patroni-"))
        self._folder.chmod(0o755)
        etcd = free_port()
        self._etcd = self._start_etcd(etcd)
        # Not named "first", a word of synchronous_standby_names that Patroni 3.0.2 does not quote:
        # commits would wait for nobody.
        self.first = Node(self._folder / "db1", etcd)
        self.first.start()
        self.second = Node(self._folder / "db2", etcd, self.first)
        self.second.start()
        self.first.await_standby()

    def _start_etcd(self, port: int) -> subprocess.Popen[bytes]:
        ours, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        command = ["etcd", "--data-dir", "etcd", "--unsafe-no-fsync"]
        command += ["--listen-client-urls", ours, "--advertise-client-urls", ours]
        command += ["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers]
        command += ["--initial-cluster", f"default={peers}"]
        with (self._folder / "etcd.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, preexec_fn=tethered()
            )

    def stop(self) -> None:
        self._etcd.kill()
        self._etcd.wait()
        shutil.rmtree(self._folder)


class Node(Member):
    """A server and its Patroni, in one process-id namespace: they end together, as with a host."""

    def __init__(self, data_dir: Path, etcd_port: int, leader: "Node | None" = None) -> None:
        super().__init__(data_dir, leader)
        nobody = pwd.getpwnam("nobody")
        os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
        self._settings_path = data_dir / "patroni.yml"
        self._settings_path.write_text(
            SETTINGS.format(
                name=data_dir.name,
                etcd=etcd_port,
                rest=free_port(),
                port=self.port,
                folder=data_dir,
                programs=postgres_bin_dir(),
                password=self._password,
            )
        )

    def launch(self) -> None:
        # The first process stays root's, to end with us: a change of user forgets that.
        namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        namespace += ["sh", "-c", '"$@" & wait', "sh"]
        nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*namespace, *nobody, "patroni", str(self._settings_path)],
                cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": str(self.data_dir), "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=tethered(),
            )

    def die(self) -> None:
        """Server and Patroni, as with their host."""
        self.kill()

    def promote(self) -> None:
        """Wait until Patroni has."""
        eventually(
            lambda: self.value("SELECT pg_is_in_recovery()") is False,
            what=f"Patroni promotes it: {tail(self.log_path)}",
        )

    def follow(self, leader: Member) -> None:
        """Patroni rewinds it."""
        self._wait_for_predecessor()
        self.start()

    def wait_for_standby(self) -> None:
        """Patroni tells it to."""
        self.await_standby()
