"""One browser, and one service, for all tests of the console."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tasks_app.tests.console.site import HEAD, PEOPLE, PREFIX, ROTATION, WRONG, Site
from testing import browser as browsers
from testing import packages
from testing.databases import manage, own_database
from testing.service import PATIENT, Service

expect.set_options(timeout=browsers.PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needs_a_browser = pytest.mark.skipif(not packages.chromium(), reason=packages.NO_CHROMIUM)
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(needs_a_browser)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folders = [tmp_path_factory.mktemp(name) for name in ("open", "closed")]
    with own_database() as database:
        env = {"DATABASE_URL": database, "GUNICORN_CMD_ARGS": PATIENT}
        with Service(folders[0], env=env) as site, Service(folders[1], env=env) as closed:
            manage(site.env, "migrate", "--verbosity", "0")
            token = manage(site.env, "shell", "--verbosity", "0", "-c", PEOPLE)
            site.start_api(processes=1)
            closed.start_api(processes=1, API_AUTH="required", URL_PREFIX=PREFIX)
            site.start_worker()
            with browsers.started() as browser:
                yield Site(browser, site, closed, token)


@pytest.fixture(scope="package")
def rich(site: Site) -> dict[str, str]:
    """Tasks and a batch that look in every way that there is: a page's path by what it shows."""
    tasks = {
        "counts": site.task(
            outputs=["counts", "probabilities", "circuit"], name="bell", tags=["demo"]
        ),
        "sweep": site.task(ROTATION, parameter_sets=[{"theta": n / 5} for n in range(20)]),
        "failed": site.task(WRONG),
        "values": site.task(
            HEAD + "qubit[2] q; h q[0]; cx q[0], q[1];",
            observables=[{"ZZ": 1}, {"XX": 0.5, "ZI": 2}],
            outputs=["statevector"],
        ),
    }
    batch = site.batch(
        {
            "circuit": ROTATION,
            "name": "angles",
            "tags": ["demo"],
            "parameter_sets": [{"theta": n} for n in range(4)],
        }
    )
    pages = {name: f"/console/tasks/{task_id}" for name, task_id in tasks.items()}
    lists = {name: f"/console/{name}" for name in ("tasks", "batches", "queue", "tokens", "login")}
    return {
        "run": "/",
        **pages,
        **lists,
        "batch": f"/console/batches/{batch}",
        "nowhere": "/console/x",
    }
