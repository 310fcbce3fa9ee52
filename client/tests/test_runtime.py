"""The unmodified IBM Runtime client, and QRMI, as their users run them."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from quantumtasks_client import Client, NotConfigured, runtime_service
from quantumtasks_client.runtime import CRN
from testing.service import ROOT
from tests import slurm
from tests.forgetful import Forgetful
from tests.runtime_clients import NEWEST, interpreter, is_made
from tests.site import Site

NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.fixture
def python() -> Path:
    """An interpreter that has the client and QRMI beside it."""
    if not is_made(NEWEST):
        pytest.skip(
            "`make conformance` installs the IBM Runtime client, in environments of its own."
        )
    return interpreter(NEWEST)


def ran(python: Path, notebook: str, *arguments: str, **env: str) -> Any:
    """What a notebook prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QISKIT")}
    told = subprocess.run(
        [python, "-W", "ignore", NOTEBOOKS / notebook, *arguments],
        env={**clean, "PYTHONPATH": str(ROOT / "client"), **env},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr[-3_000:]
    return json.loads(told.stdout.splitlines()[-1])


def test_a_notebook_runs_with_two_lines_changed(site: Site, client: Client, python: Path) -> None:
    found = ran(python, "two_lines.py", site.url, site.token)

    # x, y: y turns the register z. The same as the service's own, with the same seed.
    first, second, third = found["legacy"]
    assert (first, second) == ({"1": 2_000}, {"0": 2_000})
    (task,) = client.results(found["job"])
    sets = task.get_result().sets or []
    own = [sum(n for key, n in (each.counts or {}).items() if key.endswith("1")) for each in sets]
    assert [each.get("1", 0) for each in found["legacy"]] == own
    assert abs(third["1"] / 2_000 - math.sin(0.5) ** 2) < 0.05
    assert abs(found["executor"][2]["1"] / 2_000 - math.sin(0.5) ** 2) < 0.06
    assert found["executor"][:2] == found["legacy"][:2]

    exact = [math.cos(0.7), 1.0, -math.sin(0.7)]
    for name in ("estimated", "twirled"):
        assert found[name] == pytest.approx(exact, abs=0.06)
    assert "resilience.zne_mitigation" in found["refused"]
    assert found["again"] == found["legacy"]
    assert found["listed"] == [found["job"]] and found["closed"] == "Closed"
    assert found["backend"] == "aer"


def test_what_a_proxy_forgets_is_no_second_job(site: Site, python: Path) -> None:
    with Forgetful(site.service.port).running() as proxy:
        submitted, listed = ran(python, "twice.py", proxy.url, site.token)
    assert (proxy.submissions, proxy.forgotten) == (6, 4)
    assert len(set(submitted)) == 2
    assert sorted(listed) == sorted(submitted)


def spank(site: Site, kind: str) -> dict[str, str]:
    """What the SPANK plugin writes into the environment of a job that asks for the resource."""
    short = {"IBMQuantumComputeService": "QCS", "IBMQiskitRuntimeService": "QRS"}[kind]
    service = {
        "ENDPOINT": f"{site.url}/runtime/v1",
        "IAM_ENDPOINT": f"{site.url}/runtime/iam",
        "IAM_APIKEY": site.token,
        "SERVICE_CRN": CRN,
        "SESSION_MODE": "dedicated",
    }
    return {
        **{f"aer_QRMI_IBM_{short}_{name}": value for name, value in service.items()},
        "SLURM_JOB_QPU_RESOURCES": "aer",
        "QRMI_JOB_TIMEOUT_SECONDS": "60",
    }


def check(found: dict[str, Any]) -> None:
    assert found["accessible"] and found["status"] == "TaskStatus.Completed"
    assert found["result"] == "PrimitiveResult"
    assert found["sampled"] == [{"01": 10}, {"10": 10}]


@pytest.mark.parametrize("kind", ["IBMQuantumComputeService", "IBMQiskitRuntimeService"])
def test_qrmi_lives_through_a_job(site: Site, python: Path, kind: str) -> None:
    check(ran(python, "slurm_job.py", kind, **spank(site, kind)))


def test_a_slurm_job_uses_the_service(site: Site, python: Path, tmp_path: Path) -> None:
    if missing := slurm.missing():
        pytest.skip(f"Without {', '.join(missing)}: apt-get install slurm-wlm munge.")
    kind = "IBMQuantumComputeService"
    with slurm.one_node(tmp_path) as cluster:
        script = f"{python} -W ignore {NOTEBOOKS / 'slurm_job.py'} {kind}"
        told = cluster.run(script, PYTHONPATH=str(ROOT / "client"), **spank(site, kind))
    check(json.loads(told.splitlines()[-1]))


def test_no_token_goes_where_the_environment_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_URL", "https://iam.elsewhere.example.org")
    with pytest.raises(NotConfigured, match="IAM_URL names another service"):
        runtime_service("http://localhost:1", "qt_x")
    assert "GLOBAL_SEARCH_URL" not in os.environ
