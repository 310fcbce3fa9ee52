"""From outside: HTTPS behind nginx, on a sub-path, with a token, by the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks_app.tests.api import people
from testing import nginx as front
from testing import packages
from testing.service import ROOT, Service

pytestmark = [
    pytest.mark.skipif(packages.found("nginx") is None, reason="nginx is not installed"),
    pytest.mark.skipif(packages.found("openssl") is None, reason="openssl is not installed"),
]


def test_a_circuit_is_run_from_outside(service: Service, tmp_path: Path) -> None:
    service.start_api(
        processes=1,
        URL_PREFIX="/labs/quantum",
        HTTPS_ONLY="true",
        TRUSTED_PROXIES="127.0.0.1",
        API_AUTH="required",
    )
    service.start_worker()
    token = people.token(people.user("ada"))
    certificate, public = front.certificate_for_localhost(tmp_path)
    with front.nginx(tmp_path / "nginx", service.port, certificate) as port:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "quantumtasks_client"),
                *("submit", "examples/bell.qasm", "--shots", "100", "--seed", "1", "--wait"),
                *("--json",),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": "client",
                "QUANTUMTASKS_URL": f"https://localhost:{port}/labs/quantum",
                "QUANTUMTASKS_TOKEN": token,
                "SSL_CERT_FILE": str(public),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"completed"' in done.stdout and '"00"' in done.stdout
