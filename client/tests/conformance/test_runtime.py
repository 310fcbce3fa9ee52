"""The IBM Runtime client's own integration tests, unmodified, against a running service.

For each pinned version and the newest one; they are downloaded outside the tree, and each version
of the client is in an environment of its own. `make conformance` runs them and prints a table, and
a reason for each failure.
"""

import os
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from quantumtasks_client.runtime import CRN
from tests.conformance.not_for_us import RUNTIME
from tests.conformance.outcomes import outcome
from tests.conformance.tls import Front, https
from tests.runtime_clients import VERSIONS, installed, newest
from tests.site import Site

pytestmark = pytest.mark.conformance
# The suite takes its backend by this beginning of a name, and the client an address with this
# word in it as it is.
BACKEND, PREFIX = "test_eagle_aer", "/experimental"

HEADER = f"{'IBM Runtime client':<34}{'':<26}passed skipped failed seconds"
BAR = 0.92  # Of what is run, to pass.


def versions() -> list[str]:
    """The pinned ones, and "newest", which is known when it is asked for."""
    return [*VERSIONS, "newest"]


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    reasons = [f"  {test}: {reason}" for test, reason in RUNTIME.items()]
    print("", HEADER, *lines, "Why they fail:", *reasons, sep="\n")


def suite(version: str, folder: Path) -> Path:
    """A folder with the tests of a version, without the client beside them."""
    source = f"qiskit-ibm-runtime=={version}"
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", source]
    subprocess.run([installed(version), *command], cwd=folder, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as source_archive:
        source_archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("qiskit_ibm_runtime-*/test")
    alone = folder / "suite"
    alone.mkdir()
    for part in ("test", "pyproject.toml"):  # which has pytest's settings
        (unpacked.parent / part).rename(alone / part)
    return alone


@pytest.mark.parametrize("version", versions())
def test_version(site: Site, tmp_path: Path, table: list[str], version: str) -> None:
    if version == "newest":
        version = newest()
        if version in VERSIONS:
            pytest.skip(f"The newest is {version}, which is among the others.")
    python, folder = installed(version), suite(version, tmp_path)
    submit_a_job(site)
    report, began = tmp_path / "report.xml", time.monotonic()
    with https(site.service.port, tmp_path) as front:
        run(python, folder, report, environment(site, front, python))
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = {name(case): message(case) for case in cases if outcome(case) == "failed"}
    seen = Counter(map(outcome, cases))
    counts = f"{seen['passed']:>6}{seen['skipped']:>8}{seen['failed']:>7}"
    table.append(f"{version:<60}{counts}{time.monotonic() - began:>8.0f}")
    unexplained = {test: why for test, why in failed.items() if test not in RUNTIME}
    assert not unexplained
    assert seen["passed"] >= BAR * (seen["passed"] + seen["failed"])


def environment(site: Site, front: Front, python: Path) -> dict[str, str]:
    """What points the suite and the client to the service."""
    service = f"{front.url}{PREFIX}/runtime"
    rest = {name: value for name, value in os.environ.items() if not name.startswith("QISKIT")}
    return {
        **rest,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(front.certificate.parent),
        "REQUESTS_CA_BUNDLE": str(front.certificate),
        **dict.fromkeys(("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL"), f"{service}/iam"),
        "QISKIT_IBM_URL": f"{service}/v1",
        "QISKIT_IBM_TOKEN": site.token,
        "QISKIT_IBM_INSTANCE": CRN,
        "QISKIT_IBM_QPU": BACKEND,
    }


def run(python: Path, folder: Path, report: Path, env: dict[str, str]) -> None:
    """The suite, whatever comes of it."""
    pytest_ = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--override-ini=addopts=",
    ]
    command = [*pytest_, f"--junit-xml={report}", "test/integration"]
    subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)


def submit_a_job(site: Site) -> None:
    """The suite's first tests expect that there are some."""
    pub = ['OPENQASM 3.0; include "stdgates.inc"; bit c; h $0; c = measure $0;']
    job = {"program_id": "sampler", "backend": BACKEND, "params": {"pubs": [pub]}}
    headers = {"Authorization": f"Bearer {site.token}"}
    answer = site.service.post(f"{PREFIX}/runtime/v1/jobs", job, **headers)
    assert answer.status == 200, answer


def name(case: ElementTree.Element) -> str:
    """A test's, without its class's place and its parameters."""
    return f"{case.attrib['classname'].rsplit('.', 1)[-1]}.{case.attrib['name'].partition('[')[0]}"


def message(case: ElementTree.Element) -> str:
    return next((child.attrib.get("message", "") for child in case), "")[:300]
