"""The image, built from the Dockerfile as it is, and run: `make image`.

A minimal Debian with its Python stands for the image that the Dockerfile begins with, so that no
registry is needed.
"""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tasks_app.tests.system.test_compose import SERVICES
from testing import packages
from testing.arena import SLOW
from testing.image import NEEDS_ROOT, Image, store
from testing.ledger import Ledger, account, logged, read_rows
from testing.service import (
    BELL,
    Process,
    Reader,
    Service,
    Stream,
    descendants,
    eventually,
    wait_for_worker,
)

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.long,
    pytest.mark.skipif(not packages.can_install(), reason=NEEDS_ROOT),
]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with ExitStack() as stack:
        try:
            image = stack.enter_context(store())
        except packages.PackageError as error:
            pytest.skip(f"buildah cannot be had, or cannot run here: {error}")
        image.build()
        yield image


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    """An empty database, and who may use it; all gone afterwards."""
    server, name = urlsplit(os.environ["DATABASE_URL"]), f"image_{uuid.uuid4().hex[:8]}"
    netloc = f"{name}:of-the-worker@{server.hostname}:{server.port}"
    with psycopg.connect(server.geturl(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield {
            "DATABASE_URL": server._replace(path=f"/{name}").geturl(),
            "WORKER_DATABASE_URL": server._replace(netloc=netloc, path=f"/{name}").geturl(),
        }
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE IF EXISTS {name}")


def terminate(process: Process) -> int:
    """SIGTERM to the first process of a container, as a runtime sends it; the exit status."""
    (tini,) = (pid for pid in descendants(process.pid) if name_of(pid) == "tini")
    os.kill(tini, signal.SIGTERM)
    return process.wait()


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@pytest.mark.usefixtures("empty_queue")
def test_migrations_api_and_worker_run_from_it(
    image: Image, urls: dict[str, str], tmp_path: Path, ledgers: list[Ledger]
) -> None:
    service = Service(tmp_path)
    env = {
        **{name: os.environ[name] for name in ("RABBITMQ_URL", "SECRET_KEY", "API_AUTH")},
        "ALLOWED_HOSTS": "127.0.0.1",
        "BIND": service.env["BIND"],
        "SANDBOX_WALLS": "required",
        "SHUTDOWN_GRACE_S": "120",
        "DATABASE_URL": urls["DATABASE_URL"],
    }
    with image.container() as container:
        container.start(tmp_path / "first.log", ["true"], {}).wait()  # what buildah itself adds
        before = container.files()

        migrate = container.start(
            tmp_path / "migrate.log", SERVICES["migrate"]["command"], env | urls
        )
        assert migrate.wait() == 0, migrate.log.read_text()
        assert container.command == SERVICES["api"]["command"]
        api = container.start(tmp_path / "api.log", container.command, env)
        worker_env = env | {"DATABASE_URL": urls["WORKER_DATABASE_URL"], "WORKER_THREADS": "1"}
        worker = container.start(tmp_path / "worker.log", SERVICES["worker"]["command"], worker_env)
        service.processes += [api, worker]
        begun = time.monotonic()
        with service:
            wait_for_worker(worker, 1)
            eventually(lambda: service.get("/health/ready").status == 200, what="it is ready")
            task = service.finished(service.accepted(BELL, shots=100))
            assert task["result"]["counts"].keys() <= {"00", "11"}
            healthy_s = time.monotonic() - begun
            with Stream(service) as stream, Reader(stream) as reader:
                stream.await_round()
            for task_id in stream.accepted:
                assert service.finished(task_id)["status"] == "completed"

            slow = service.accepted(SLOW, shots=1000)
            eventually(lambda: service.task(slow)["status"] == "processing", what="it runs")
            assert terminate(worker) == 0
            assert service.task(slow)["status"] == "completed", "it was let end"
            assert terminate(api) == 0

        (walls,) = (line for line in worker.lines() if line["event"] == "sandbox_walls")
        assert (walls["standing"], walls["missing"]) == (["landlock", "seccomp"], [])
        assert container.files() == before, "nothing writes to the root"

    name, rows = "Containers of the image", read_rows(urls["DATABASE_URL"], since="-infinity")
    of = (rows, logged(tmp_path))
    ledger = account(name, stream.answers, reader.answers, *of, healthy_s=healthy_s)
    ledgers.append(ledger)
    ledger.check()


def test_nothing_is_in_it_that_need_not_be(image: Image) -> None:
    with image.container() as container:
        own = {path.name for path in (container.root / "app").iterdir()}
        assert own == {"manage.py", "gunicorn.conf.py", "quantumtasks", "tasks_app"}
        assert not (container.root / "app" / "tasks_app" / "tests").exists()
        assert not list((container.root / "app").rglob(".env*"))
        assert (container.root / "bin/sleep").exists()  # what deploy/kubernetes stops an API with
        for path in (container.root / "app").rglob("*"):
            assert path.stat().st_uid == 0
            assert not path.stat().st_mode & 0o022, f"others than root may write {path}"
