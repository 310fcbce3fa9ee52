"""What is shown: tables, histograms and a line that lives; JSON and CSV for programs."""

import csv
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quantumtasks_client.models import Batch, BatchResult, Queue, Result, Task, TaskSummary

MOST_OUTCOMES = 20
MOST_SETS = 50
_BAR = 40
_COLORS = {
    "pending": "yellow",
    "processing": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}

_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
out = Console(**_PLAIN)
err = Console(**_PLAIN, stderr=True)


def as_json(value: Any) -> None:
    """What the service answered, on standard output."""
    plain = msgspec.to_builtins(value)
    for each in plain if isinstance(plain, list) else [plain]:
        for ours in ("program", "programs"):
            each.pop(ours, None)
    text = msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
    sys.stdout.write(text + "\n")


def as_csv(result: Result) -> None:
    """Outcomes and counts, or values and errors; with sets a first column says which."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    results = [result] if result.sets is None else result.sets
    estimated = any(each.expectation_values is not None for each in results)
    header = ["observable", "value", "standard_error"] if estimated else ["outcome", "count"]
    rows.writerow(header if result.sets is None else ["set", *header])
    for index, each in enumerate(results):
        first = [] if result.sets is None else [index]
        rows.writerows([*first, *row] for row in _rows(each))


def _rows(result: Result) -> Iterable[tuple[Any, ...]]:
    if result.expectation_values is not None:
        values = result.expectation_values
        errors = result.standard_errors or [0.0] * len(values)
        return zip(range(len(values)), values, errors, strict=True)
    return sorted((result.counts or {}).items())


def result(found: Result) -> None:
    """What a task found."""
    if found.sets is not None:
        sets(found.sets, [{"set": index} for index in range(len(found.sets))])
        return
    if found.counts is not None:
        histogram(found.counts)
    if found.expectation_values is not None:
        table = Table("observable", "value", "standard error", box=None)
        for row in _rows(found):
            table.add_row(*(f"{each:.6g}" for each in row))
        out.print(table)
    for name in ("probabilities", "statevector"):
        if getattr(found, name) is not None:
            out.print(f"{name}: see --json")


def sets(results: Sequence[Result], values: Sequence[Mapping[str, Any]]) -> None:
    """A line for each set of values."""
    names = list(values[0]) if values else []
    table = Table(*names, "result", box=None)
    for point, found in list(zip(values, results, strict=True))[:MOST_SETS]:
        table.add_row(*(f"{point.get(name, ''):.6g}" for name in names), _brief(found))
    out.print(table)
    if len(results) > MOST_SETS:
        out.print(f"and {len(results) - MOST_SETS:,} more: see --json or --csv")


def _brief(found: Result) -> str:
    if found.expectation_values is not None:
        return "  ".join(f"{value:.6g}" for value in found.expectation_values)
    counts = found.counts or {}
    best = sorted(counts, key=lambda outcome: -counts[outcome])[:4]
    more = f"  and {len(counts) - 4} more" if len(counts) > 4 else ""
    return "  ".join(f"{outcome}: {counts[outcome]}" for outcome in best) + more


def histogram(counts: Mapping[str, int]) -> None:
    """A bar for each outcome, in order; of many the most frequent ones."""
    if not counts:
        out.print("No bits were measured.")
        return
    shown = sorted(sorted(counts, key=lambda outcome: -counts[outcome])[:MOST_OUTCOMES])
    most, total = max(counts.values()), sum(counts.values())
    block = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    wide = max(len(outcome) for outcome in shown)
    room = shutil.get_terminal_size().columns - wide - 24 if out.is_terminal else _BAR
    bar = max(4, min(_BAR, room))
    for outcome in shown:
        count = counts[outcome]
        line = Text(f"  {outcome:>{wide}}  ")
        line.append(f"{block * max(1, bar * count // most):<{bar}}", "cyan")
        out.print(line.append(f" {count:>8} {count / total:>7.1%}"))
    if len(counts) > len(shown):
        out.print(f"  and {len(counts) - len(shown):,} outcomes less frequent than these")


def task(found: Task, now: datetime | None = None) -> None:
    """Everything about a task but its result."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("task", found.task_id)
    table.add_row("status", _status(found.status))
    for name, value in (("name", found.name), ("tags", ", ".join(found.tags))):
        if value:
            table.add_row(name, clean(value))
    if found.batch_id:
        table.add_row("batch", found.batch_id)
    table.add_row("shots", str(found.shots))
    if found.status == "pending":
        table.add_row("queue", waiting(found, now))
    for entry in found.status_history:
        at = entry.transitioned_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(entry.status, clean(f"{at}  {entry.notes}"))
    if found.error_message:
        table.add_row("error", clean(f"{found.error_message} [{found.error_code}]"))
    out.print(table)


def batch(found: Batch) -> None:
    """A batch in a few lines."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("batch", found.batch_id)
    if found.name:
        table.add_row("name", clean(found.name))
    for status, count in found.counts.items():
        if count:
            table.add_row(_status(status), str(count))
    out.print(table)


def elements(found: Sequence[BatchResult], names: Sequence[str]) -> None:
    """A line for each element of a batch."""
    table = Table("circuit", "status", "result", box=None, pad_edge=False)
    for name, each in zip(names, found, strict=True):
        told = _brief(each.result) if each.result else (each.error_message or "")
        table.add_row(clean(name), _status(each.status), clean(told))
    out.print(table)


def tasks(found: Iterable[TaskSummary]) -> None:
    """A line for each task."""
    table = Table("task", "status", "submitted", "shots", "name", "tags", box=None, pad_edge=False)
    for each in found:
        at = each.submitted_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        labels = (clean(each.name), clean(", ".join(each.tags)))
        table.add_row(each.task_id, _status(each.status), at, str(each.shots), *labels)
    out.print(table)


def queue(found: Queue) -> None:
    """How long the queue is and how fast it moves."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("pending", str(found.pending))
    table.add_row("running", str(found.processing))
    table.add_row("workers", f"{found.workers}, running {found.slots} circuits at a time")
    table.add_row("oldest waits", f"{found.oldest_pending_s:.1f} s")
    for name in ("wait", "run"):
        half, most = getattr(found, f"{name}_p50_s"), getattr(found, f"{name}_p90_s")
        if half is not None:
            told = f"{half:.3g} s for half of them, {most:.3g} s for nine in ten"
            table.add_row(f"time to {name}", told)
    out.print(table)


def clean(text: str) -> str:
    """Text of a person's, without what would command the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _status(status: str) -> Text:
    return Text(status, _COLORS.get(status, ""))


def waiting(found: Task, now: datetime | None = None) -> str:
    """Where a task is, in one line."""
    now = now or datetime.now(UTC)
    if found.status == "processing" and found.started_at:
        return f"running for {max(0.0, (now - found.started_at).total_seconds()):.0f} s"
    if found.status != "pending":
        return found.status
    before = "1,000 or more" if found.queue_position is None else f"{found.queue_position:,}"
    line = f"pending, {before} before it"
    if found.estimated_start_at:
        s = max(0.0, (found.estimated_start_at - now).total_seconds())
        line += f", should start in {s:.0f} s"
    return line


@contextmanager
def live(first: str) -> Iterator[Callable[[str], None] | None]:
    """A line on a terminal's standard error that is written over; call it with what is new."""
    if not err.is_terminal:
        yield None
        return
    with err.status(first) as status:
        yield status.update
