"""The example of a gradient finds the molecule's lowest energy."""

import os
import subprocess
import sys

from testing.service import ROOT
from tests.site import Site


def test_the_gradient_goes_down_to_the_lowest_energy(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "client/examples/gradient.py"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": "client",
            "QUANTUMTASKS_URL": site.url,
            "QUANTUMTASKS_TOKEN": site.token,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    *_, step, above = done.stdout.splitlines()
    assert step.startswith("step 100  energy -1.85")
    assert 0 < float(above.split()[2]) < 0.002
