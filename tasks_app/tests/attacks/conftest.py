"""What attacks cost the service, as a table (docs/security.md shows one)."""

import os
from pathlib import Path

import pytest

from tasks_app.tests.attacks.costs import Cost, markdown

_costs: list[Cost] = []


@pytest.fixture
def costs() -> list[Cost]:
    """Where a test notes what its attack cost."""
    return _costs


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _costs:
        return
    table = markdown(_costs)
    terminalreporter.section("attacks")
    terminalreporter.write(table)
    if path := os.environ.get("ATTACKS_TABLE"):
        Path(path).write_text(table)
