"""The catalogue of errors is complete."""

import re
from pathlib import Path

import pytest

from tasks_app.circuits import ERROR_CODES, CircuitError

ROOT = Path(__file__).resolve().parents[3]


def test_every_code_is_documented_once() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/errors.md").read_text(), re.M)
    assert sorted(documented) == sorted(ERROR_CODES)


def test_every_code_is_raised_somewhere() -> None:
    sources = [path.read_text() for path in (ROOT / "tasks_app/circuits").rglob("*.py")]
    for code in ERROR_CODES:
        assert sum(text.count(f'"{code}"') for text in sources) >= 2, code


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(AssertionError):
        CircuitError("no_such_code", "It has no place in the catalogue.")
