"""A task's result as its page shows it: pictures of what can be large, never all of it."""

import base64
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from tasks_app.models import Task

OUTCOMES_SHOWN = 50
_NOT_SHOWN = ("sets", "memory", "statevector")


def rendered(name: str, **context: object) -> str:
    """A piece of a task's page."""
    return render_to_string(f"admin/tasks_app/task/{name}.html", context)


def outcome(task: Task) -> str:
    """What the result holds, as far as it can be looked at; and where the rest is."""
    result = task.result or {}
    pieces = []
    if "counts" in result:
        pieces.append(histogram(result["counts"]))
    if "probabilities" in result:
        pieces.append(histogram(result["probabilities"]))
    if "expectation_values" in result:
        pieces.append(expectation_values(result))
    if rest := [name for name in _NOT_SHOWN if name in result]:
        url = f"{reverse('task-detail', args=[task.task_id])}/result"
        pieces.append(format_html('<a href="{}">{}</a>: not shown here', url, ", ".join(rest)))
    return mark_safe("".join(pieces))  # noqa: S308  # each piece is a template's


def histogram(shares: Mapping[str, float]) -> str:
    """The commonest outcomes with their shares (and counts), and how many more there are."""
    whole = sum(shares.values())
    shown = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:OUTCOMES_SHOWN]
    if not shown:
        return "No outcomes: the circuit measures nothing."
    rows = [
        (
            *(outcome, share if isinstance(share, int) else ""),
            *(f"{100 * share / whole:.1f}", f"{100 * share / shown[0][1]:.1f}"),
        )
        for outcome, share in shown
    ]
    left_out = f"{len(shares) - len(shown):,}" if len(shares) > len(shown) else ""
    return rendered("counts", rows=rows, left_out=left_out)


def expectation_values(result: Mapping[str, Any]) -> str:
    """Those of the first observables, with their standard errors."""
    values, errors = result["expectation_values"], result["standard_errors"]
    pairs = list(zip(values, errors, strict=True))[:OUTCOMES_SHOWN]
    rows = [(number, f"{value:.6g} ± {error:.2g}") for number, (value, error) in enumerate(pairs)]
    more = len(values) - len(rows)
    return rendered("metadata", rows=[*rows, ("…", f"and {more:,} more")] if more else rows)


def drawing(task: Task) -> str:
    """The compiled circuit, where the task asked for it."""
    circuit = (task.result or {}).get("circuit")
    if circuit is None:
        return 'Not asked for: outputs has no "circuit".'
    # As a picture: whatever it holds cannot run, or load anything.
    picture = base64.b64encode(circuit["svg"].encode()).decode()
    return format_html(
        '<img alt="The compiled circuit" style="background:#fff;max-width:100%" '
        'src="data:image/svg+xml;base64,{}">',
        picture,
    )
