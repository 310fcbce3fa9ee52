"""The tables of docs/performance.md and its plots: python -m benchmarks.report"""

import json
import os
import subprocess
from typing import Any

import pika
import psycopg

from benchmarks.bars import Line
from benchmarks.sides import BENCH_PYTHON, Field
from testing.service import ROOT

FIGURES = ROOT / "docs/performance.json"
ROWS = ROOT / "docs/performance-rows.json"  # of benchmarks.rows
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: made by make bench -->", "<!-- end of figures -->"
HEAD = (
    "| bar | what | ours | reference | bare | ratio | wanted | |\n|---|---|---|---|---|---|---|---|"
)

TITLES = {
    1: "Submissions",
    2: "Reading a task among 10,000, 16 clients",
    3: "Running Bell circuits, 2 slots",
    4: "A task that finds nobody else there",
    5: "Batches",
    6: "Memory",
    8: "Sweeps and expectation values, 2 slots",
}


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def row(line: Line) -> str:
    met = {None: "", True: "met", False: "**not met**"}[line.met]
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    values = [number(line.ours), number(line.reference), number(line.bare), ratio]
    return "| " + " | ".join([str(line.bar), line.what, *values, line.wanted, met]) + " |"


def machine(place: Field) -> str:
    """What this ran on."""
    with psycopg.connect(place.ours.database_url) as database:
        postgres = database.info.server_version // 10000
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as connection:
        version = str(connection._impl.server_properties["version"])
    rabbit = ".".join(version.split(".")[:2])
    return f"{os.cpu_count()}-core VM, PostgreSQL {postgres}, RabbitMQ {rabbit}"


def table(lines: list[Line]) -> str:
    return "\n".join([HEAD, *map(row, lines)])


def rows_table(figures: dict[str, Any]) -> str:
    """Bar 7: a line for each operation, a column for each number of tasks."""
    parts = []
    for kind, title in (("rows", "finished tasks"), ("backlog", "pending tasks")):
        operations = dict(figures[kind])
        if kind == "backlog" and "drained_a_second" in figures:
            operations["circuits drained a second"] = figures["drained_a_second"]
        counts = [count for count, _ in next(iter(operations.values()))]
        if len(counts) < 2:
            continue
        head = " | ".join(f"{count:,} {title}" for count in counts)
        parts.append(f"| median ms | {head} | worst ratio | ≤ 1.3 |\n|{'---|' * (len(counts) + 3)}")
        for name, points in operations.items():
            values = [value for _, value in points]
            worst = max(values) / values[0] if "drained" not in name else values[0] / min(values)
            cells = " | ".join(map(number, values))
            met = "met" if worst <= 1.3 else "**not met**"
            parts.append(f"| {name} | {cells} | {worst:.2f} | {met} |")
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """The page's figures and the plots, from what the runs wrote."""
    results = json.loads(FIGURES.read_text())
    lines = [Line(**line) for line in results["lines"]]
    parts = [
        f"{results['machine']}; {results['rounds']} rounds of {results['seconds']:g} s"
        f"{'' if results['fsync'] else '; PostgreSQL without fsync'}; {results['commit']}."
    ]
    for bar, title in sorted(TITLES.items()):
        if found := [line for line in lines if line.bar == bar]:
            parts += [f"### {bar}. {title}", table(found)]
            if bar == 1:
                parts += [
                    "![Submissions a second against clients](images/performance-throughput.svg)",
                    "![How many are answered within a time](images/performance-latency.svg)",
                ]
    if ROWS.exists():
        parts += [
            "### 7. Cost against history and backlog",
            rows_table(json.loads(ROWS.read_text())),
            "![Time against the number of tasks](images/performance-rows.svg)",
        ]
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n\n".join(part.strip() for part in parts)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    subprocess.run([BENCH_PYTHON, "-m", "benchmarks.plots"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
