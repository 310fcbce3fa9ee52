"""What became of every submission: counted from the clients' answers, the rows and the logs."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import psycopg

from tasks_app.models import TERMINAL
from testing.service import SLACK, Answer

ANSWER_LIMIT_S = 3.0 * SLACK
HEALTHY_LIMIT_S = 10.0 * SLACK
_TERMINAL = {str(status) for status in TERMINAL}


@dataclass(frozen=True, slots=True)
class Row:
    """A task as PostgreSQL holds it, with the states of its history in order."""

    task_id: str
    correlation_id: str
    status: str
    attempt: int
    error_code: str | None
    history: Sequence[str]

    @property
    def terminal_writes(self) -> int:
        return sum(status in _TERMINAL for status in self.history)


def read_rows(database_url: str, *, since: str) -> list[Row]:
    """Every task submitted since then. Reads past the service, on a connection of its own."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        rows = connection.execute(
            "SELECT task_id::text, correlation_id, current_status, attempt, error_code,"
            " ARRAY(SELECT status::text FROM tasks_app_statushistory h"
            "       WHERE h.task_id = t.task_id ORDER BY id)"
            " FROM tasks_app_task t WHERE submitted_at >= %s",
            [since],
        ).fetchall()
    return [Row(*row) for row in rows]


def unfinished(database_url: str, *, since: str) -> int:
    """How many tasks submitted since then are not terminal."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT count(*) FROM tasks_app_task WHERE completed_at IS NULL AND submitted_at >= %s",
            [since],
        ).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class Ledger:
    """One fault's account."""

    fault: str
    accepted: int
    """Answered 2xx."""
    refused: int
    """Answered otherwise: 503."""
    cut_off: int
    """Not answered: the connection failed."""
    completed: int
    failed: int
    lost: int
    """Answered 2xx, and no row."""
    stuck: int
    """Rows that did not become terminal in time."""
    executed_twice: int
    """Tasks of which more than one attempt ran to an end. Allowed."""
    terminal_twice: int
    """Tasks with more than one terminal history row."""
    unanswered_executed: int
    """Executed although the client was not told 2xx. Allowed."""
    slowest_s: float
    """The slowest answer of the API, reads included, as its client saw it."""
    healthy_s: float
    """From the fault's end to `healthy` and a new submission completed."""
    tracebacks: int
    unexpected: tuple[str, ...] = field(default=())
    """Answers other than 2xx, 503 and a failed connection: there may be none."""

    def check(self, healthy_within_s: float = HEALTHY_LIMIT_S) -> None:
        """The bar that every fault has to pass."""
        assert self.lost == 0, self
        assert self.stuck == 0, self
        assert self.terminal_twice == 0, self
        assert not self.unexpected, self
        assert self.slowest_s <= ANSWER_LIMIT_S, self
        assert self.healthy_s <= healthy_within_s, self


@dataclass(frozen=True, slots=True)
class Spell:
    """One of chaos's faults, and how the API bore it."""

    fault: str
    answers: int
    slowest_s: float
    healthy_s: float


def account(
    fault: str,
    answers: Sequence[Answer],
    read: Sequence[Answer],
    rows: Iterable[Row],
    log_lines: Iterable[str],
    *,
    healthy_s: float,
) -> Ledger:
    """Draw up the ledger. `answers` to submissions; `read`: to everything else."""
    by_id = {row.task_id: row for row in rows}
    by_correlation = {row.correlation_id: row for row in by_id.values()}
    accepted = [answer for answer in answers if answer.status == 202]
    others = [answer for answer in answers if answer.status != 202]
    lines = list(log_lines)
    states = Counter(row.status for row in by_id.values())
    unexpected = [f"{a.status} {a.body}" for a in others if a.status not in (0, 503)]
    unexpected += [f"{a.status} {a.body}" for a in read if a.status not in (0, 200, 503)]
    unexpected += [
        f"without Retry-After: 503 {a.body}"
        for a in others
        if a.status == 503 and "Retry-After" not in a.headers
    ]
    return Ledger(
        fault=fault,
        accepted=len(accepted),
        refused=sum(answer.status != 0 for answer in others),
        cut_off=sum(answer.status == 0 for answer in others),
        completed=states["completed"],
        failed=states["failed"],
        lost=sum(answer.body["task_id"] not in by_id for answer in accepted),
        stuck=sum(row.status not in _TERMINAL for row in by_id.values()),
        executed_twice=_executed_twice(by_id, lines),
        terminal_twice=sum(row.terminal_writes > 1 for row in by_id.values()),
        unanswered_executed=sum(
            answer.correlation_id in by_correlation
            and by_correlation[answer.correlation_id].status == "completed"
            for answer in others
        ),
        slowest_s=max((answer.seconds for answer in [*answers, *read]), default=0.0),
        healthy_s=healthy_s,
        tracebacks=sum("Traceback (most recent call last)" in line for line in lines),
        unexpected=tuple(unexpected[:5]),
    )


def _executed_twice(rows: dict[str, Row], lines: Iterable[str]) -> int:
    """Tasks with a result that was fenced off beside the one that was written."""
    fenced: dict[str, set[int]] = {}
    for event in structured(lines):
        if event["event"] == "stale_owner" and event["task_id"] in rows:
            fenced.setdefault(event["task_id"], set()).add(event["attempt"])
    return sum(bool(attempts - {rows[task].attempt}) for task, attempts in fenced.items())


def logged(folder: Path) -> list[str]:
    """The lines of all logs below a folder."""
    logs = sorted(folder.rglob("*.log"))
    return [line for log in logs for line in log.read_text(errors="replace").splitlines()]


def structured(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The JSON lines among log lines."""
    found = []
    for line in lines:
        if line.startswith("{") and line.endswith("}"):
            try:
                found.append(json.loads(line))
            except ValueError:  # two processes wrote at once
                continue
    return found


def markdown(ledgers: Iterable[Ledger]) -> str:
    """The ledgers as a table."""
    titles = [each.name for each in fields(Ledger) if each.name != "unexpected"]
    return table(titles, ([getattr(ledger, title) for title in titles] for ledger in ledgers))


def spells_markdown(spells: Sequence[Spell]) -> str:
    """A table of how often each kind of fault came, and the worst that came of it."""
    rows = []
    for fault in sorted({spell.fault for spell in spells}):
        same = [spell for spell in spells if spell.fault == fault]
        slowest_s = max(spell.slowest_s for spell in same)
        rows.append([fault, len(same), slowest_s, max(spell.healthy_s for spell in same)])
    return table(["fault", "times", "slowest s", "healthy s"], rows)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown; what is under the first title is text."""
    lines = [
        "| " + " | ".join(title.replace("_", " ") for title in titles) + " |",
        "|---|" + "---:|" * (len(titles) - 1),
    ]
    for row in rows:
        cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
