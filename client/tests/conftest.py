"""One running service for all tests of the client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantumtasks_client import Client
from quantumtasks_client.qiskit import QuantumTasksProvider
from tests.site import BELL, BROKEN, LONG, ROTATION, Site, running
from tests.terminal import Shell


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service, with one worker."""
    with running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the login of whoever runs it, or of another test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/config")
    monkeypatch.delenv("QUANTUMTASKS_URL", raising=False)
    monkeypatch.delenv("QUANTUMTASKS_TOKEN", raising=False)


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Client(site.url, site.token) as client:
        yield client


@pytest.fixture
def provider(site: Site) -> Iterator[QuantumTasksProvider]:
    provider = QuantumTasksProvider(site.url, site.token)
    yield provider
    provider.client.close()


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    """A terminal of somebody who has a token, in a folder with programs."""
    for name, program in (
        ("bell", BELL),
        ("broken", BROKEN),
        ("long", LONG),
        ("rotation", ROTATION),
    ):
        (tmp_path / f"{name}.qasm").write_text(program)
    service = {"QUANTUMTASKS_URL": site.url, "QUANTUMTASKS_TOKEN": site.token}
    return Shell(tmp_path, service)
