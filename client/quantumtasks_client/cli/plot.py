"""Histograms as pictures. matplotlib takes a second to import, so that only `--plot` does."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from quantumtasks_client.cli.failures import CommandError
from quantumtasks_client.models import Result

MOST_BARS = 64


def save(result: Result, path: Path) -> None:
    """The counts, or the values of each set, as the kind of picture that the path's end names."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        sentence = "--plot needs matplotlib: pip install 'quantumtasks-client[cli]'"
        raise CommandError(sentence) from None
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    sets = result.sets or []
    if any(each.expectation_values is not None for each in sets):
        values = [each.expectation_values or [] for each in sets]
        for index, line in enumerate(zip(*values, strict=True)):
            axes.plot(line, marker=".", label=f"observable {index}")
        axes.set(xlabel="set", ylabel="expectation value")
        axes.legend()
    elif sets:
        total = Counter[str]()
        for each in sets:
            total.update(each.counts or {})
        outcomes = _most(total, 8)
        for outcome in outcomes:
            axes.plot([(each.counts or {}).get(outcome, 0) for each in sets], label=outcome)
        axes.set(xlabel="set", ylabel="counts")
        axes.legend()
    elif result.counts:
        outcomes = sorted(_most(result.counts, MOST_BARS))
        axes.bar(outcomes, [result.counts[outcome] for outcome in outcomes])
        axes.set(ylabel="counts")
        axes.tick_params(axis="x", rotation=70)
    else:
        raise CommandError("The result has no counts to plot.")
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise CommandError(f"{path} cannot be written: {error}") from None


def _most(counts: Mapping[str, int], number: int) -> list[str]:
    return sorted(counts, key=lambda outcome: -counts[outcome])[:number]
