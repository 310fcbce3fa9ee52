"""The examples run as they stand, and find what they should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from testing.service import ROOT
from tests.site import Site

EXAMPLES = ROOT / "client/examples"
# What an example prints, each somewhere.
TOLD = {
    "sampling": [
        r"GHZ state: \{'(000|111)': \d+, '(000|111)': \d+\}",
        r"θ = 3\.14: measured 1\.000",
    ],
    "vqe_h2": [r"exact  -1\.85728", r"error  0\.000"],
    "qaoa_max_cut": [r"Best of 800 pairs", r"with 5 of 6 edges", r"Best there is: 5"],
    "noisy_sweep": [
        r"depolarizing 0\.00: contrast 1\.00",
        r"depolarizing 0\.10: contrast 0\.[0-4]",
    ],
    "noisy_device": [
        r"noisy_grid16 · Sixteen qubits",
        r"aer: 1\.000 of the shots",
        r"noisy_line5: 0\.[89]\d\d of the shots",
        r"on qubits \[1, 0, 2\]: 2 cx, ⟨XXX⟩ = 0\.9",
        r"on qubits \[0, 4, 2\]: \d+ cx, ⟨XXX⟩ = 0\.[789]",
    ],
    "async_fan_out": [r"100 of 100 done"],
    "gradient": [
        r"step 100  energy -1\.85",
        r"lowest -1\.857275, (?!0\.000000)0\.00[01]\d{3} above",
    ],
}


def test_every_example_is_run() -> None:
    assert TOLD.keys() == {path.stem for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("name", TOLD)
def test_an_example(site: Site, tmp_path: Path, name: str) -> None:
    told = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "client"),
            "QUANTUMTASKS_URL": site.url,
            "QUANTUMTASKS_TOKEN": site.token,
            "MPLBACKEND": "Agg",
        },
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    for pattern in TOLD[name]:
        assert re.search(pattern, told.stdout), told.stdout
    if name == "noisy_sweep":
        assert (tmp_path / "noisy_sweep.png").read_bytes().startswith(b"\x89PNG")
