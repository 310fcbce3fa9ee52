"""The table of figures: printed, and written into docs/performance.* with the plots."""

import json
import os
import subprocess
from typing import Any

import pika
import psycopg

from benchmarks.bars import Line
from benchmarks.sides import BENCH_PYTHON, Field
from tasks_app.tests.service import ROOT

FIGURES = ROOT / "docs/performance.json"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: made by make bench -->", "<!-- end of figures -->"
HEAD = "| bar | what | ours | compared with | ratio | wanted | |\n|---|---|---|---|---|---|---|"


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def row(line: Line) -> str:
    met = {None: "", True: "met", False: "**not met**"}[line.met]
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    cells = [str(line.bar), line.what, number(line.ours), number(line.against), ratio]
    return "| " + " | ".join([*cells, line.wanted, met]) + " |"


def machine(place: Field) -> str:
    """What this ran on."""
    with psycopg.connect(place.ours.database_url) as database:
        postgres = database.info.server_version // 10000
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as connection:
        version = str(connection._impl.server_properties["version"])
    rabbit = ".".join(version.split(".")[:2])
    return f"{os.cpu_count()}-core VM, PostgreSQL {postgres}, RabbitMQ {rabbit}"


def write(results: dict[str, Any]) -> None:
    """Figures, plots and the table in the page."""
    FIGURES.write_text(json.dumps(results, indent=1) + "\n")
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join([HEAD, *(row(Line(**line)) for line in results["lines"])])
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")
    subprocess.run([BENCH_PYTHON, "-m", "benchmarks.plots"], cwd=ROOT, check=True)
