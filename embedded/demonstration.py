"""Shows in a terminal that the service works: submits a circuit, prints what became of it."""

import json
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from embedded import StartError

SHOTS = 1024
_BAR_COLUMNS = 40
_MOST_ROWS = 16
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy leads here


def call(
    url: str, body: dict[str, Any] | None = None, *, token: str = "", timeout_s: float = 30.0
) -> Any:
    """GET, or POST `body`, as the token's owner if there is one; return the decoded JSON.

    Raises OSError when the service cannot be reached, StartError when it refuses.
    """
    # The second as from a proxy that speaks HTTPS, for a service that is told to insist on it.
    headers = {"Content-Type": "application/json", "X-Forwarded-Proto": "https"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310  # our own address
    try:
        with _OPENER.open(request, timeout=timeout_s) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:500]
        raise StartError(f"{url} answered {error.code}: {text}") from None


def demonstrate(base_url: str, circuit: Path, *, limit_s: float, token: str = "") -> bool:
    """Run `circuit` through the service at `base_url` and print its history and counts.

    False if it has not finished after `limit_s`: after a restart, earlier tasks run first.
    Raises StartError when it did not complete.
    """
    print(f"\nA first task: examples/{circuit.name}, {SHOTS} shots")
    program = circuit.read_text()
    submitted = call(f"{base_url}/tasks", {"circuit": program, "shots": SHOTS}, token=token)
    task_id = submitted["task_id"]
    print(f"  {task_id}")
    printed = 0
    deadline = time.monotonic() + limit_s
    while True:
        task = call(f"{base_url}/tasks/{task_id}", token=token)
        history = task["status_history"]
        for entry in history[printed:]:
            print(_history_line(entry, since=history[0]))
        printed = len(history)
        if task["status"] not in ("pending", "processing"):
            break
        if time.monotonic() > deadline:
            print(f"  still {task['status']}; tasks submitted earlier run first. Later, see")
            print(f"  curl -s {base_url}/tasks/{task_id}")
            return False
        time.sleep(0.05)
    if task["status"] != "completed":
        raise StartError(f"task {task_id} is {task['status']}: {task['error_message']}")
    print(f"\n{histogram(task['result']['counts'])}")
    return True


def _history_line(entry: dict[str, Any], *, since: dict[str, Any]) -> str:
    at = datetime.fromisoformat(entry["transitioned_at"]).astimezone()
    after = f"+{(at - datetime.fromisoformat(since['transitioned_at'])).total_seconds():.3f} s"
    return f"  {entry['status']:<12}{at:%H:%M:%S}.{at.microsecond // 1000:03d}{after:>12}"


def histogram(counts: dict[str, int]) -> str:
    """Counts as bars, outcome by outcome, the most frequent ones if there are many."""
    total = sum(counts.values())
    rows = sorted(sorted(counts, key=lambda key: -counts[key])[:_MOST_ROWS])
    most = max(counts.values(), default=1)
    lines = []
    for outcome in rows:
        count = counts[outcome]
        bar = "█" * max(1, round(_BAR_COLUMNS * count / most))
        lines.append(f"  {outcome}  {bar:<{_BAR_COLUMNS}}  {count:>7}  {count / total:6.1%}")
    if len(counts) > len(rows):
        lines.append(f"  and {len(counts) - len(rows)} outcomes less frequent than these")
    return "\n".join(lines)
