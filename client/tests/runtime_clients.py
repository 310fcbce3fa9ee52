"""The IBM Runtime client in its versions, each in an environment of its own.

Beside the service's own packages it cannot be: it wants an older python-dateutil than these.
"""

import os
import subprocess
import sys
from pathlib import Path

import qiskit

NEWEST = "0.51.0"
VERSIONS = ("0.49.0", "0.50.0", NEWEST)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quantumtasks"
# What the suite imports, QRMI, and what our own client needs.
_BESIDE = (
    *("samplomatic", "qrmi==0.26.4", "pytest", "pproxy==2.7.8", "pytest-benchmark", "responses"),
    *("ddt", "httpx", "msgspec"),
)


def interpreter(version: str) -> Path:
    """Of the environment of a version, which need not be there yet."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return CACHE / f"runtime-{version}-qiskit-{qiskit.__version__}-python-{python}" / "bin/python"


def installed(version: str) -> Path:
    """The same, made if it was not there."""
    python = interpreter(version)
    if not is_made(version):
        subprocess.run([sys.executable, "-m", "venv", "--clear", python.parent.parent], check=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *_packages(version)], check=True)
        _note(version).write_text(" ".join(_packages(version)))
    return python


def is_made(version: str) -> bool:
    """Whether its environment is there, with all that it should have."""
    note = _note(version)
    return note.exists() and note.read_text() == " ".join(_packages(version))


def _note(version: str) -> Path:
    return interpreter(version).parent.parent / "made"


def _packages(version: str) -> tuple[str, ...]:
    own = (f"qiskit-ibm-runtime=={version}", f"qiskit=={qiskit.__version__}", "qiskit-aer")
    return (*own, *_BESIDE)


def newest() -> str:
    """The newest release that the registry has."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions"]
    told = subprocess.run([*pip, "qiskit-ibm-runtime"], check=True, capture_output=True, text=True)
    return told.stdout.split("(", 1)[1].split(")", 1)[0]
