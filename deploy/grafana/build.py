"""Writes Grafana's dashboard anew: `python deploy/grafana/build.py`. `ROWS` has its panels."""

import json
from collections.abc import Iterable
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

DASHBOARD = Path(__file__).with_name("quantum-tasks.json")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${source}")
RATE = "[$__rate_interval]"
GREEN, RED, NEUTRAL = "green", "red", "text"

Queries = dict[str, str]  # expression by legend


def rate(metric: str, *by: str) -> str:
    """Events a second of all processes, by these labels."""
    return f"sum by ({', '.join(by)}) (rate(quantumtasks_{metric}{RATE}))"


def quantiles(histogram: str, *of: float) -> Queries:
    buckets = f"sum by (le) (rate(quantumtasks_{histogram}{RATE}))"
    return {f"p{100 * q:g}": f"histogram_quantile({q}, {buckets})" for q in of}


def targets(queries: Queries) -> Iterable[prometheus.Dataquery]:
    for number, (legend, expression) in enumerate(queries.items()):
        query = prometheus.Dataquery().expr(expression).legend_format(legend)
        yield query.ref_id(chr(ord("A") + number))


def number(title: str, metric: str, *, unit: str = "short", alarm: bool = False) -> stat.Panel:
    """A figure of now; with `alarm`, red above 0."""
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE)
    steps = [Threshold(value=None, color=GREEN if alarm else NEUTRAL)]
    if alarm:
        steps.append(Threshold(value=1e-9, color=RED))
    panel = stat.Panel().title(title).datasource(PROMETHEUS).unit(unit).span(3).height(4)
    latest = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = (
        panel.reduce_options(latest)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
    )
    (target,) = targets({title: metric})
    return panel.thresholds(thresholds.steps(steps)).with_target(target)


def plot(
    title: str, queries: Queries, *, unit: str = "cps", stacked: bool = False, about: str = ""
) -> timeseries.Panel:
    panel = timeseries.Panel().title(title).description(about).datasource(PROMETHEUS).unit(unit)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    panel = panel.legend(legend.placement(LegendPlacement.BOTTOM).show_legend(True)).min(0)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    panel = panel.tooltip(tooltip.sort(SortOrder.DESCENDING)).span(8).height(8)
    panel = panel.draw_style(GraphDrawStyle.LINE).fill_opacity(40 if stacked else 8)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for target in targets(queries):
        panel = panel.with_target(target)
    return panel


ENDED = rate('transitions_total{to=~"completed|failed|cancelled"}', "to")
WAITING, RUNNING = "task_waiting_seconds_bucket", "task_running_seconds_bucket"
SUBMISSIONS = 'request_seconds_bucket{route="tasks", method="POST"}'
ROWS: dict[str, list[stat.Panel | timeseries.Panel]] = {
    "Now": [
        number("Pending", 'max(quantumtasks_tasks{status="pending"})'),
        number("Running", 'max(quantumtasks_tasks{status="processing"})'),
        number("Oldest pending", "max(quantumtasks_oldest_pending_seconds)", unit="s"),
        number("Workers", "max(quantumtasks_workers)"),
        number(
            "Slots in use",
            'max(quantumtasks_tasks{status="processing"}) / max(quantumtasks_slots)',
            unit="percentunit",
        ),
        number("Lost tasks", "max(quantumtasks_leases_expired)", alarm=True),
        number("Dead letters", "max(quantumtasks_dead_letters)", alarm=True),
        number(
            "Servers away",
            "2 - min(quantumtasks_database_up) - min(quantumtasks_queue_up)",
            alarm=True,
        ),
    ],
    "Tasks": [
        plot(
            "Submitted and ended",
            {
                "submitted": rate('transitions_total{to="pending"}'),
                "{{to}}": ENDED,
            },
        ),
        plot("Waiting time", quantiles(WAITING, 0.5, 0.9, 0.99), unit="s"),
        plot("Running time", quantiles(RUNNING, 0.5, 0.9, 0.99), unit="s"),
        plot(
            "Queue",
            {
                "{{status}}": "max by (status) (quantumtasks_tasks)",
                "messages": "sum(max by (backend) (quantumtasks_queue_messages))",
                "slots": "max(quantumtasks_slots)",
            },
            unit="short",
        ),
        plot("Simulations by method", {"{{method}}": rate("task_running_seconds_count", "method")}),
        plot("Failures by code", {"{{code}}": rate("failures_total", "code")}, stacked=True),
    ],
    "Backends": [
        plot(
            "Pending by backend",
            {"{{backend}}": "max by (backend) (quantumtasks_backend_pending)"},
            unit="short",
        ),
        plot(
            "Running by backend",
            {"{{backend}}": "max by (backend) (quantumtasks_backend_processing)"},
            unit="short",
        ),
        plot(
            "Slots of workers that serve it",
            {"{{backend}}": "max by (backend) (quantumtasks_backend_slots)"},
            unit="short",
        ),
    ],
    "Requests": [
        plot(
            "Requests by status",
            {"{{status}}": rate("request_seconds_count", "status")},
            stacked=True,
        ),
        plot("Time of a submission", quantiles(SUBMISSIONS, 0.5, 0.9, 0.99), unit="s"),
        plot("Submissions", {"{{outcome}}": rate("submissions_total", "outcome")}, stacked=True),
        plot(
            "Requests by route",
            {"{{method}} {{route}}": rate("request_seconds_count", "method", "route")},
            stacked=True,
        ),
        plot(
            "Mean time by route",
            {
                "{{method}} {{route}}": f"{rate('request_seconds_sum', 'method', 'route')} / "
                f"{rate('request_seconds_count', 'method', 'route')}"
            },
            unit="s",
            about="Clients that wait for a task's end (`?wait=`) are answered when it ends.",
        ),
        plot("Publishes refused", {"refused": rate("publishes_refused_total")}),
    ],
    "Faults and what became of them": [
        plot("Tasks recovered", {"{{kind}}": rate("recovered_total", "kind")}),
        plot(
            "Attempts whose outcome was dropped",
            {"dropped": rate("claims_lost_total")},
            about="Cancelled meanwhile, or another worker's by then.",
        ),
        plot(
            "Simulation children ended",
            {"{{reason}}": rate("sandboxes_ended_total", "reason")},
            stacked=True,
        ),
        plot("Faults of our own", {"failed": "max(quantumtasks_internal_errors)"}, unit="short"),
        plot(
            "Consumers",
            {"{{backend}}": "max by (backend) (quantumtasks_queue_consumers)"},
            unit="short",
        ),
    ],
}


def build() -> str:
    """The dashboard as JSON."""
    board = dashboard.Dashboard("Quantum Tasks").uid("quantum-tasks").tags(["quantum-tasks"])
    board = board.time("now-1h", "now").refresh("30s").timezone("browser").readonly()
    source = dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus")
    board = board.with_variable(source)
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(build())
