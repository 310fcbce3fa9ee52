"""A pytest plugin: a private PostgreSQL and a private RabbitMQ for the whole session.

Loaded with `-p testing.servers`, before pytest-django reads the settings, it names both
servers in the environment; they start, side by side, only when tests are really going to run.
`TEST_DATABASE_URL` and `TEST_RABBITMQ_URL` name servers to use instead; `RABBITMQ=4` asks for
RabbitMQ 4, which Debian 12 does not have.

Fault tests may stop, kill and start the servers of the fixtures `postgres_server` and
`rabbit_server` as long as they leave them running, or make servers of their own.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from embedded import StartError
from embedded.postgres import PostgresServer, wheel_bin_dir
from tasks_app.processes import tail, tethered
from testing import packages
from testing.ports import free_port

START_LIMIT_S = 300.0
STOP_LIMIT_S = 120.0
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
_DEBIAN_RABBITMQ = Path("/usr/lib/rabbitmq/bin")
_RABBITMQ_4 = Path("/var/cache/quantum-tasks/rabbitmq-4")  # a Debian 13, and nothing runs there
_COMPOSE = Path(__file__).parents[1] / "docker-compose.yml"
_INSTALL_RABBITMQ = """\
The tests talk to a real RabbitMQ, and this machine has neither rabbitmq-server nor a Docker
engine that answers. Do one of these and run the tests again:
  - Debian, Ubuntu: sudo apt-get install --no-install-recommends rabbitmq-server
  - Fedora: sudo dnf install rabbitmq-server
  - start Docker
  - name a broker for tests: TEST_RABBITMQ_URL=amqp://user:password@host/"""


class RabbitError(RuntimeError):
    """RabbitMQ could not be found, installed or started; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is: here, or on what is another host to it."""

    host: str = "localhost"
    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()  # runs a command there


HERE = Place()


class RabbitServer:
    """A RabbitMQ node of our own: own folder, name, ports and epmd, all on loopback.

    `start`, `stop` and `kill` may follow each other in any order; queues and messages stay in
    `data_dir`. The node ends with the process that started it.
    """

    def __init__(
        self, data_dir: Path, *, port: int | None = None, place: Place = HERE, password: str = ""
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = self.data_dir / "rabbitmq.log"
        self.place, self.port = place, port or free_port()
        password = password or secrets.token_hex(20)  # no "-" first: an option to rabbitmqctl
        self.url = f"amqp://quantumtasks:{password}@{place.address}:{self.port}/%2F"
        self.node = f"quantum-tasks-{secrets.token_hex(4)}@{place.host}"
        self.epmd_port, self._distribution_port = free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "enabled_plugins").write_text("[].\n")
        (self.data_dir / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {place.address}:{self.port}\n"
            f"default_user = quantumtasks\n"
            "default_user_tags.administrator = false\n"  # as in docker-compose.yml
            "default_user_tags.monitoring = true\n"
            f"default_pass = {password}\n"
            "disk_free_limit.absolute = 1MB\n"
            "raft.wal_max_size_bytes = 16777216\n"  # else the first queue reserves 512 MB
        )

    @property
    def running(self) -> bool:
        """Whether the node's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the node and wait until it speaks AMQP."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """The first half of `start`: return as soon as the processes exist."""
        if self.running:
            return
        if self._epmd is None or self._epmd.poll() is not None:
            self._epmd = self._spawn("epmd", "-port", str(self.epmd_port))
        self._process = self._spawn(self._script("rabbitmq-server"))

    def wait_ready(self) -> None:
        """The second half of `start`: wait until the node speaks AMQP."""
        deadline = time.monotonic() + START_LIMIT_S
        while not self.speaks_amqp():
            if not self.running:
                raise RabbitError(f"RabbitMQ did not start:\n{tail(self.log_path, 40)}")
            if time.monotonic() > deadline:
                self.kill()
                raise RabbitError(f"RabbitMQ is not ready after {START_LIMIT_S:.0f} s")
            time.sleep(0.05)

    def speaks_amqp(self) -> bool:
        """Whether it greets who connects."""
        try:
            with socket.create_connection((self.place.address, self.port), timeout=1) as sock:
                sock.settimeout(5)
                sock.sendall(b"AMQP\x00\x00\x09\x01")
                return sock.recv(1) == b"\x01"  # the method frame of Connection.Start
        except OSError:
            return False

    def stop(self) -> None:
        """Shut the node down as an operator would."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Let the node die as by `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let the node stand still, its connections open, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, signum: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signum)

    def remove(self) -> None:
        """Kill the node and end everything else that was started for it."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def change_password(self, password: str = "") -> None:
        """What its user must give from now on; that of `url` again without one."""
        user, own = self.url.removeprefix("amqp://").partition("@")[0].split(":")
        self.ctl("change_password", user, password or own)

    def ctl(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        """Run `rabbitmqctl`, or its like, against the node and return what it printed.

        Raises subprocess.CalledProcessError, with the output, when it fails.
        """
        command = self._command(self._script(program), "--quiet", *arguments)
        return subprocess.run(
            command, env=self._environment(), check=True, capture_output=True, text=True
        ).stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    @staticmethod
    def ensure_installed() -> None:
        """Install RabbitMQ if this machine has none. Raises RabbitError if that cannot be done."""
        if _rabbitmq_bin_dir() is None:
            if not packages.can_install():
                raise RabbitError(_INSTALL_RABBITMQ)
            packages.install("rabbitmq-server")

    @property
    def _folder(self) -> str:
        """The data's folder, as the node sees it."""
        return str(self.data_dir)

    def _script(self, name: str) -> str:
        folder = _rabbitmq_bin_dir()
        if folder is None:
            raise RabbitError(_INSTALL_RABBITMQ)
        return str(folder / name)

    def _command(self, *command: str) -> Sequence[str]:
        return [*self.place.enter, *command]

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                self._command(*command),
                cwd=self.data_dir,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tethered(),
            )

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        other_host = {"ERL_INETRC": f"{folder}/hosts"} if self.place.enter else {}
        return other_host | {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": folder,  # the Erlang cookie
            "ERL_EPMD_ADDRESS": self.place.address,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            # The node starts by loading every module there is, handing each file operation from
            # thread to thread: with threads that spin briefly instead of sleeping, 2 s, not 5.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 2:2 +sbwt short +sbwtdio medium -kernel inet_dist_use_interface "
                f"{{{self.place.address.replace('.', ',')}}}"
            ),
            # Makes the script exec the node instead of staying between it and us.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def _rabbitmq_bin_dir() -> Path | None:
    """The folder of the real scripts: Debian's wrapper insists on its own system user."""
    if (_DEBIAN_RABBITMQ / "rabbitmq-server").exists():
        return _DEBIAN_RABBITMQ
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


class DockerRabbitServer(RabbitServer):
    """The same from the image of the deployment, for machines with Docker but no RabbitMQ."""

    @staticmethod
    def ensure_installed() -> None:
        pass

    def __init__(
        self, data_dir: Path, *, port: int | None = None, place: Place = HERE, password: str = ""
    ) -> None:
        super().__init__(data_dir, port=port, place=place, password=password)
        self._container = self.node.partition("@")[0]

    def launch(self) -> None:
        if self.running:
            return
        user, password = self.url.removeprefix("amqp://").partition("@")[0].split(":")
        # Killing the client would leave the container behind. Its standard input ends with us,
        # and then so does the shell in the container that waits for it.
        script = "docker-entrypoint.sh rabbitmq-server </dev/null & cat; kill -TERM $!; wait"
        options = [f"--name={self._container}", f"--hostname={self._container}", "--interactive"]
        options += [f"--publish=127.0.0.1:{self.port}:5672", "--rm"]
        options += [f"--volume={self._container}:/var/lib/rabbitmq"]
        options += [
            f"--env=RABBITMQ_DEFAULT_USER={user}",
            f"--env=RABBITMQ_DEFAULT_PASS={password}",
        ]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["docker", "run", *options, rabbitmq_image(), "sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ctl(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        command = ["docker", "exec", self._container, program, "--quiet", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()

    def kill(self) -> None:
        subprocess.run(["docker", "kill", self._container], check=False, capture_output=True)
        if self._process is not None:
            self._process.wait()

    def remove(self) -> None:
        super().remove()
        subprocess.run(
            ["docker", "volume", "rm", self._container], check=False, capture_output=True
        )


class Rabbit4Server(RabbitServer):
    """The same, from Debian 13: a tree of its own, entered by chroot, in `_RABBITMQ_4`.

    Each process has mounts of its own, which end with it: /proc, and the data at /srv.
    """

    @staticmethod
    def ensure_installed() -> None:
        if (_RABBITMQ_4 / "complete").exists():
            return
        if not packages.can_install():
            raise RabbitError("RABBITMQ=4 needs root on Debian, to make a Debian 13 in a folder.")
        if shutil.which("debootstrap") is None:
            packages.install("debootstrap")
        shutil.rmtree(_RABBITMQ_4, ignore_errors=True)
        _RABBITMQ_4.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        options = ["--variant=minbase", "--include=rabbitmq-server"]
        packages.run("debootstrap", *options, "trixie", str(_RABBITMQ_4), debian_mirror())
        (_RABBITMQ_4 / "complete").touch()

    @property
    def _folder(self) -> str:
        return "/srv"

    def _script(self, name: str) -> str:
        return str(_DEBIAN_RABBITMQ / name)

    def _command(self, *command: str) -> Sequence[str]:
        enter = 'mount -t proc proc "$0/proc" && mount --bind "$1" "$0/srv" && shift && '
        enter += 'exec chroot "$0" "$@"'
        mounts = ["unshare", "--mount", "sh", "-c", enter, str(_RABBITMQ_4), str(self.data_dir)]
        return super()._command(*mounts, *command)


def debian_mirror() -> str:
    """Where apt gets this machine's packages."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.split()
    mirrors = [site for site in found if not site.rstrip("/").endswith("-security")]
    return mirrors[0] if mirrors else "http://deb.debian.org/debian"


def rabbitmq_image() -> str:
    """The one of docker-compose.yml."""
    (image,) = re.findall(r"image: (rabbitmq:\S+)", _COMPOSE.read_text())
    return str(image)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], check=False, capture_output=True).returncode == 0


def new_rabbit_server(data_dir: Path, *, place: Place = HERE, password: str = "") -> RabbitServer:
    """A node, not started, of whatever RabbitMQ this machine offers, or of the one asked for."""
    kind, is_4 = RabbitServer, any(_DEBIAN_RABBITMQ.parent.glob("lib/rabbitmq_server-4*"))
    if os.environ.get("RABBITMQ") == "4" and not is_4:
        kind = Rabbit4Server
    elif _rabbitmq_bin_dir() is None and not packages.can_install() and _docker_answers():
        kind = DockerRabbitServer
    return kind(data_dir, place=place, password=password)


def new_postgres_server(data_dir: Path, *, durable: bool = False) -> PostgresServer:
    """A server, not started, of `postgres_bin_dir`."""
    return PostgresServer(postgres_bin_dir(), data_dir, port=free_port(), durable=durable)


def postgres_bin_dir() -> Path:
    """The programs of Debian's newest PostgreSQL, else those of the embedded wheel."""
    debian = sorted(_DEBIAN_POSTGRES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return debian[-1].parent if debian else wheel_bin_dir()


class Servers:
    """The session's two servers, each None when the caller named another one to use."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="quantum-tasks-tests-"))
        self.postgres: PostgresServer | None = None
        self.rabbit: RabbitServer | None = None
        if "TEST_DATABASE_URL" not in os.environ:
            self.postgres = new_postgres_server(self._root / "postgres")
        if "TEST_RABBITMQ_URL" not in os.environ:
            self.rabbit = new_rabbit_server(self._root / "rabbitmq")
        os.environ |= {
            "DATABASE_URL": self.postgres.url if self.postgres else os.environ["TEST_DATABASE_URL"],
            "RABBITMQ_URL": self.rabbit.url if self.rabbit else os.environ["TEST_RABBITMQ_URL"],
            "API_AUTH": "open",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        }

    def start(self) -> None:
        """Start both, side by side, after installing what is missing."""
        if self.postgres:
            self.postgres.launch()
        if self.rabbit:
            self.rabbit.ensure_installed()
            self.rabbit.launch()
        if self.postgres:
            self.postgres.wait_ready()
        if self.rabbit:
            self.rabbit.wait_ready()

    def stop(self) -> None:
        """End both; a PostgreSQL that is killed would leave the machine shared memory for ever."""
        if self.postgres:
            self.postgres.stop()
        if self.rabbit:
            self.rabbit.remove()
        shutil.rmtree(self._root, ignore_errors=True)


_servers = Servers()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the servers when tests will run, or end the session with one clear message.

    With pytest-xdist each worker process has servers of its own; the process that hands out the
    tests only sees to it that they can be started.
    """
    if session.config.option.collectonly:
        return
    hands_out = getattr(session.config.option, "dist", "no") != "no"
    is_first = not hasattr(session.config, "workerinput")  # of all that share apt's lock
    if is_first and packages.can_install():
        for package, is_there in (
            ("nginx", packages.found("nginx")),
            ("pgbouncer", packages.found("pgbouncer")),
            ("chromium", packages.chromium()),
            ("libatomic1", find_library("atomic")),  # for the Node that Playwright brings
            ("curl", packages.found("curl")),
        ):
            if not is_there:
                with suppress(packages.PackageError):  # its tests are skipped then
                    packages.install(package)
    try:
        if hands_out and is_first:
            if _servers.rabbit:
                _servers.rabbit.ensure_installed()
        else:
            _servers.start()
    except (RabbitError, StartError, packages.PackageError) as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


def pytest_unconfigure() -> None:
    """End the servers however the session went, Ctrl-C included."""
    _servers.stop()


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The session's PostgreSQL; whoever stops it starts it again."""
    if _servers.postgres is None:
        pytest.skip("TEST_DATABASE_URL names a server that is not ours to stop")
    return _servers.postgres


@pytest.fixture(scope="session")
def rabbit_server() -> RabbitServer:
    """The session's RabbitMQ; whoever stops it starts it again."""
    if _servers.rabbit is None:
        pytest.skip("TEST_RABBITMQ_URL names a broker that is not ours to stop")
    return _servers.rabbit
