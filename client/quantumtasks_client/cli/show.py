"""What is shown: tables, histograms and a line that lives; JSON and CSV for programs."""

import csv
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from quantumtasks_client.errors import TaskError
from quantumtasks_client.models import (
    Backend,
    BackendSummary,
    Batch,
    BatchResult,
    BatchSummary,
    Queue,
    Result,
    Task,
    TaskSummary,
)

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
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(plain, indent=2)  # with escapes as JSON has them
    sys.stdout.write(text + "\n")


def as_csv(result: Result) -> None:
    """Outcomes and counts, or values and errors; with sets a first column says which."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    results = [result] if result.sets is None else result.sets
    estimated = any(each.expectation_values is not None for each in results)
    if not estimated and all(each.counts is None for each in results):
        raise TaskError("The result has neither counts nor expectation values: see --json.")
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


def table(rows: Iterable[Sequence[str | Text]]) -> None:
    """Columns as wide as they need to be, whatever the terminal: an id cut short is none."""
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    for row in cells:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line.append_text(cell).append(" " * (width - cell.cell_len + 2))
        line.rstrip()
        out.print(line)


def result(found: Result) -> None:
    """What a task found."""
    if found.sets is not None:
        sets(found.sets, [{"set": index} for index in range(len(found.sets))])
        return
    if found.counts is not None:
        histogram(found.counts)
    if found.expectation_values is not None:
        values = ([f"{each:.6g}" for each in row] for row in _rows(found))
        table([("observable", "value", "standard error"), *values])
    for name in ("memory", "probabilities", "statevector", "circuit", "registers"):
        if getattr(found, name) is not None:
            out.print(f"{name}: see --json")


def sets(results: Sequence[Result], values: Sequence[Mapping[str, Any]]) -> None:
    """A line for each set of values."""
    names = list(values[0]) if values else []
    shown = list(zip(values, results, strict=True))[:MOST_SETS]
    rows = [(*(_value(point[name]) for name in names), _brief(found)) for point, found in shown]
    table([(*map(clean, names), "result"), *rows])
    if len(results) > MOST_SETS:
        out.print(f"and {len(results) - MOST_SETS:,} more: see --json or --csv")


def _value(value: Any) -> str:
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else f"{value:.6g}"


def _brief(found: Result) -> str:
    if found.expectation_values is not None:
        return "  ".join(f"{value:.6g}" for value in found.expectation_values)
    if (counts := found.counts) is None:
        return "see --json"
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


def task(found: Task) -> None:
    """Everything about a task but its result."""
    history = [
        (entry.status, f"{_time(entry.transitioned_at)}  {clean(entry.notes)}")
        for entry in found.status_history
    ]
    rows: list[tuple[str, str | Text]] = [
        ("task", found.task_id),
        ("status", _status(found.status)),
        ("name", clean(found.name)),
        ("tags", clean(", ".join(found.tags))),
        ("batch", found.batch_id or ""),
        ("shots", str(found.shots)),
        ("backend", clean(found.backend)),
        ("queue", waiting(found) if found.status == "pending" else ""),
        *history,
        ("error", clean(f"{found.error_message} [{found.error_code}]" if found.error_code else "")),
    ]
    table(row for row in rows if row[1])


def batch(found: Batch) -> None:
    """A batch in a few lines."""
    counts = [(_status(status), str(count)) for status, count in found.counts.items() if count]
    name = [("name", clean(found.name))] if found.name else []
    table([("batch", found.batch_id), *name, *counts])


def elements(found: Sequence[BatchResult], names: Sequence[str]) -> None:
    """A line for each element of a batch."""
    rows = []
    for name, each in zip(names, found, strict=True):
        told = _brief(each.result) if each.result else (each.error_message or "")
        rows.append((clean(name), _status(each.status), clean(told)))
    table([("circuit", "status", "result"), *rows])


def tasks(found: Iterable[TaskSummary]) -> None:
    """A line for each task."""
    rows = [
        (
            *(each.task_id, _status(each.status), _time(each.submitted_at), str(each.shots)),
            *(clean(each.backend), clean(each.name), clean(", ".join(each.tags))),
        )
        for each in found
    ]
    table([("task", "status", "submitted", "shots", "backend", "name", "tags"), *rows])


def batches(found: Iterable[BatchSummary]) -> None:
    """A line for each batch."""
    rows = [
        (
            *(each.batch_id, _time(each.submitted_at), str(each.size)),
            *(clean(each.name), clean(", ".join(each.tags))),
        )
        for each in found
    ]
    table([("batch", "submitted", "tasks", "name", "tags"), *rows])


def queue(found: Queue) -> None:
    """How long the queue is and how fast it moves."""
    rows = [
        ("pending", str(found.pending)),
        ("running", str(found.processing)),
        ("workers", f"{found.workers}, running {found.slots} circuits at a time"),
        ("oldest waits", f"{found.oldest_pending_s:.1f} s"),
    ]
    for name in ("wait", "run"):
        half, most = getattr(found, f"{name}_p50_s"), getattr(found, f"{name}_p90_s")
        if half is not None:
            told = f"{half:.3g} s for half of them, {most:.3g} s for nine in ten"
            rows.append((f"time to {name}", told))
    table(rows)


def backends(found: Iterable[BackendSummary]) -> None:
    """A line for each backend."""
    rows = [
        (
            *(clean(each.name), "yes" if each.online else "no", str(each.max_qubits)),
            *(str(each.pending), str(each.processing), str(each.workers)),
            _seconds(each.wait_p50_s),
        )
        for each in found
    ]
    table([("backend", "online", "qubits", "pending", "running", "workers", "waits"), *rows])


def backend(found: Backend) -> None:
    """What a backend is, and how busy it is."""
    pairs = (f"{first}-{second}" for first, second in found.coupling_map or ())
    rows = [
        ("backend", clean(found.name)),
        ("kind", clean(found.kind)),
        ("online", "yes" if found.online else "no: its tasks wait"),
        ("qubits", str(found.qubits or found.max_qubits)),
        ("most shots", str(found.max_shots)),
        ("gates", clean(", ".join(found.basis_gates or ()))),
        ("couplings", ", ".join(pairs)),
        ("pending", str(found.pending)),
        ("running", str(found.processing)),
        ("workers", f"{found.workers}, running {found.slots} circuits at a time"),
        ("time to wait", _seconds(found.wait_p50_s)),
        ("time to run", _seconds(found.run_p50_s)),
    ]
    out.print(clean(found.description))
    table(row for row in rows if row[1])


def _seconds(median: float | None) -> str:
    return "" if median is None else f"{median:.3g} s"


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clean(text: str) -> str:
    """Text of a person's, without what would command the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _status(status: str) -> Text:
    return Text(status, _COLORS.get(status, ""))


def waiting(found: Task) -> str:
    """Where a task is, in one line."""
    now = datetime.now(UTC)
    if found.status == "processing" and found.started_at:
        return f"running for {max(0.0, (now - found.started_at).total_seconds()):.0f} s"
    if found.status != "pending":
        return found.status
    before = "1,000 or more" if found.queue_position is None else f"{found.queue_position:,}"
    line = f"pending, {before} before it"
    if found.estimated_start_at:
        s = max(0.0, (found.estimated_start_at - now).total_seconds())
        return f"{line}, should start in {s:.0f} s"
    return f"{line}. {clean(found.message)}"


@contextmanager
def live(first: str) -> Iterator[Callable[[str], None] | None]:
    """A line on a terminal's standard error that is written over; call it with what is new."""
    if not err.is_terminal:
        yield None
        return
    with err.status(first) as status:
        yield status.update
