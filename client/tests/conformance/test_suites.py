"""Qiskit's own tests of backends and primitives, unmodified, against a running service.

They are downloaded for the version of Qiskit that is installed, outside the tree. `make
conformance` runs them and prints a table.
"""

import os
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import qiskit

from testing.service import ROOT
from tests.conformance.not_for_us import NO_PART_FOR_US, NOT_FOR_US
from tests.conformance.outcomes import outcome
from tests.site import Site

pytestmark = pytest.mark.conformance
HEADER = f"{'Qiskit ' + qiskit.__version__:<34}{'in the place of':<26}passed skipped failed seconds"
# Suite, what stands in, for what, and how many tests it has.
SUITES = [
    ("test_backend_sampler_v2.py", "backend", "BasicSimulator", 42),
    ("test_backend_estimator_v2.py", "backend", "BasicSimulator", 45),
    ("test_backend_sampler_v2.py", "primitives", "BackendSamplerV2", 42),
    ("test_backend_estimator_v2.py", "primitives", "BackendEstimatorV2", 45),
    ("test_statevector_sampler.py", "primitives", "StatevectorSampler", 21),
    ("test_statevector_estimator.py", "primitives", "StatevectorEstimator", 12),
]


@pytest.fixture(scope="module")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Qiskit's tests of primitives, without Qiskit beside it."""
    folder = tmp_path_factory.mktemp("qiskit")
    source = f"qiskit=={qiskit.__version__}"
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", source]
    subprocess.run([sys.executable, *command], cwd=folder, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as source_archive:
        source_archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("qiskit-*/test")
    return Path(unpacked.rename(folder / "test"))


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    reasons = [
        f"  {file}, {test}: {reason}"
        for file, tests in NOT_FOR_US.items()
        for test, reason in tests.items()
    ]
    reasons += [
        f"  {kind}.{test}, {part!r}: {reason}"
        for (kind, test, part), reason in NO_PART_FOR_US.items()
    ]
    print("", HEADER, *lines, "Not for our primitives:", *reasons, sep="\n")


@pytest.mark.parametrize(("suite", "stand_in", "place", "size"), SUITES)
def test_suite(
    site: Site, suites: Path, table: list[str], suite: str, stand_in: str, place: str, size: int
) -> None:
    report, began = suites.parent / f"{stand_in}-{suite}.xml", time.monotonic()
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider"),
            *("-p", "tests.conformance.stand_ins", f"--junit-xml={report}"),
            str(suites / "python/primitives" / suite),
        ],
        cwd=suites.parent,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "client"), str(ROOT))),
            "QUANTUMTASKS_URL": site.url,
            "QUANTUMTASKS_TOKEN": site.token,
            "STAND_IN": stand_in,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = Counter(map(outcome, ElementTree.parse(report).iter("testcase")))
    counts = f"{seen['passed']:>6}{seen['skipped']:>8}{seen['failed']:>7}"
    table.append(f"{suite:<34}{place:<26}{counts}{time.monotonic() - began:>8.0f}")
    assert run.returncode == 0, run.stdout
    assert seen.total() == size
