"""Histograms as pictures. matplotlib takes a second to import, so that only `--plot` does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantumtasks_client.cli.failures import CommandError
from quantumtasks_client.models import Result

MOST_BARS = 64


def save(result: Result, path: Path, points: Sequence[Mapping[str, Any]] = ()) -> None:
    """The counts, or the values of each set, as the kind of picture that the path's end names.

    `points` are the values that each set had, if they are known.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        sentence = "--plot needs matplotlib: pip install 'quantumtasks-client[cli]'"
        raise CommandError(sentence) from None
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    label, given = _axis(points) or ("set", range(len(result.sets or ())))
    placed = sorted(zip(given, result.sets or (), strict=True), key=lambda each: each[0])
    places, sets = [place for place, _ in placed], [each for _, each in placed]
    if any(each.expectation_values is not None for each in sets):
        values = [each.expectation_values or [] for each in sets]
        for index, line in enumerate(zip(*values, strict=True)):
            axes.plot(places, line, marker=".", label=f"observable {index}")
        axes.set(xlabel=label, ylabel="expectation value")
        axes.legend()
    elif sets:
        total = Counter[str]()
        for each in sets:
            total.update(each.counts or {})
        outcomes = _most(total, 8)
        for outcome in outcomes:
            counts = [(each.counts or {}).get(outcome, 0) for each in sets]
            axes.plot(places, counts, label=outcome)
        axes.set(xlabel=label, ylabel="counts")
        axes.legend()
    elif result.counts:
        outcomes = sorted(_most(result.counts, MOST_BARS))
        axes.bar(outcomes, [result.counts[outcome] for outcome in outcomes])
        axes.set(ylabel="counts")
        axes.tick_params(axis="x", rotation=70)
    else:
        raise CommandError("The result has no counts to plot.")
    if not path.suffix:  # matplotlib would choose one, and write another file
        raise CommandError(f"{path} must end with a kind of picture, such as .png or .svg.")
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise CommandError(f"{path} cannot be written: {error}") from None


def _axis(points: Sequence[Mapping[str, Any]]) -> tuple[str, Sequence[float]] | None:
    """The one number that differs from set to set."""
    pairs = {(name, str(value)) for point in points for name, value in point.items()}
    named = [name for name, values in Counter(name for name, _ in pairs).items() if values > 1]
    if len(named) != 1:
        return None
    (name,) = named
    values = [point.get(name) for point in points]
    numbers = [value for value in values if isinstance(value, int | float)]
    return (name, numbers) if len(numbers) == len(values) else None


def _most(counts: Mapping[str, int], number: int) -> list[str]:
    return sorted(counts, key=lambda outcome: -counts[outcome])[:number]
