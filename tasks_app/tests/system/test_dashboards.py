"""Dashboard and alerts ask for what the service tells, in a language that Prometheus takes."""

import json
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram

from tasks_app import metrics
from testing import packages
from testing.service import ROOT

ALERTS = ROOT / "deploy/prometheus/alerts.yml"
BOARD = ROOT / "deploy/grafana/quantum-tasks.json"
NAME = re.compile(r"quantumtasks_\w+")
COUNTED = [each for each in vars(metrics).values() if isinstance(each, Counter | Histogram)]


def told() -> set[str]:
    """Every series that the page for operators, which is compared with the service, promises."""
    page = (ROOT / "docs/observability.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `quantumtasks_")]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    histograms = {metric._name for metric in COUNTED if isinstance(metric, Histogram)}
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    return names - histograms | parts


def expressions() -> list[str]:
    board = json.loads(BOARD.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


def labels(expression: str) -> dict[str, set[str]]:
    """The labels that it asks a metric for, by its name."""
    found = re.findall(r"(quantumtasks_\w+)\{([^}]*)\}", expression)
    return {name: set(re.findall(r"(\w+)=", inside)) for name, inside in found}


def checked(*arguments: str) -> str:
    """What promtool says; it has to be content."""
    try:  # Of its own package since Debian 13.
        promtool = packages.unpacked("promtool", "promtool", "prometheus")
    except packages.PackageError as error:
        pytest.skip(f"promtool checks alert rules. {error}")
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_the_dashboard_is_what_its_script_makes() -> None:
    script = runpy.run_path(str(ROOT / "deploy/grafana/build.py"))
    assert BOARD.read_text() == script["build"](), "run: python deploy/grafana/build.py"


@pytest.mark.parametrize("expression", [*expressions(), *(rule["expr"] for rule in rules())])
def test_every_metric_and_label_that_is_asked_for_exists(expression: str) -> None:
    assert set(NAME.findall(expression)) <= told()
    known = {metric._name: set(metric._labelnames) for metric in COUNTED}
    for name, wanted in labels(expression).items():
        family = re.sub("_(total|bucket|count|sum)$", "", name)
        assert wanted <= known.get(family, {"status"}), name


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    asked = [expr.replace("$__rate_interval", "5m") for expr in expressions()]
    records = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    assert f"{len(asked)} rules found" in checked("check", "rules", str(file))


def test_the_configuration_and_the_alerts_are_right() -> None:
    checked("check", "config", str(ROOT / "deploy/prometheus/prometheus.yml"))
    checked("test", "rules", str(ROOT / "deploy/prometheus/alerts.test.yml"))


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    tests = (ROOT / "deploy/prometheus/alerts.test.yml").read_text()
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in tests, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning")
