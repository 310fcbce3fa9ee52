"""Plots of docs/performance*.json into docs/images: .venv-bench/bin/python -m benchmarks.plots"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLOURS = {"ours": "#1f5fbf", "reference": "#c2571a"}
NAMES = {"ours": "this service", "reference": "FastAPI reference"}

mpl.rcParams |= {
    "figure.figsize": (7, 3.6),
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text stays text: small and searchable
    "svg.hashsalt": "performance",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
}


def save(name: str) -> None:
    plt.tight_layout()
    plt.savefig(DOCS / f"images/{name}.svg", metadata={"Date": None}, facecolor="white")
    plt.close()


def throughput(curves: dict[str, list[tuple[int, float]]]) -> None:
    _, axes = plt.subplots()
    for name, points in curves.items():
        clients, per_s = zip(*points, strict=True)
        axes.plot(clients, per_s, "o-", color=COLOURS[name], label=NAMES[name])
    axes.set(xlabel="clients", ylabel="submissions a second", ylim=(0, None), xticks=clients)
    axes.legend()
    save("performance-throughput")


def latency(curves: dict[str, dict[str, list[float]]]) -> None:
    """The share of submissions answered within a time; a line for each number of clients."""
    _, axes = plt.subplots()
    styles = ("-", "--", ":")
    for name, by_clients in curves.items():
        for (clients, cuts), style in zip(by_clients.items(), styles, strict=False):
            share = [100 * (n + 1) / (len(cuts) + 1) for n in range(len(cuts))]
            label = f"{NAMES[name]}, {clients} clients"
            axes.plot(cuts, share, style, color=COLOURS[name], label=label)
    axes.set(xscale="log", xlabel="milliseconds", ylabel="% of submissions answered")
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    save("performance-latency")


def rows(kinds: dict[str, dict[str, list[tuple[int, float]]]]) -> None:
    """Milliseconds of each operation against the number of finished and of pending tasks."""
    shown = [(kind, kinds[kind]) for kind in ("rows", "backlog") if many(kinds[kind])]
    _, each = plt.subplots(1, len(shown), squeeze=False, sharey=True, figsize=(8.5, 5))
    for axes, (kind, operations) in zip(each[0], shown, strict=True):
        axes.set_prop_cycle(color=plt.colormaps["tab20"].colors)
        for name, points in operations.items():
            count, milliseconds = zip(*points, strict=True)
            axes.plot(count, milliseconds, "o-", label=name)
        axes.set(xlabel="finished tasks" if kind == "rows" else "pending tasks")
        axes.set(xscale="log", yscale="log")
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    each[0][0].set_ylabel("median ms")
    each[0][-1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    save("performance-rows")


def many(operations: dict[str, list[tuple[int, float]]]) -> bool:
    return any(len(points) > 1 for points in operations.values())


def read(name: str) -> Any:
    path = DOCS / name
    return json.loads(path.read_text()) if path.exists() else {}


def main() -> None:
    curves = read("performance.json").get("curves", {})
    for plot in (throughput, latency):
        if curve := curves.get(plot.__name__):
            plot(curve)
    if kinds := read("performance-rows.json"):
        rows(kinds)


if __name__ == "__main__":
    main()
