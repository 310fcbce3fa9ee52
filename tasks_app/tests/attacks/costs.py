"""What a request costs the process that answers it."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testing.service import Answer, Process, Service


@dataclass(frozen=True, slots=True)
class Cost:
    """One attack: its request and answer in bytes, and what it took to answer."""

    attack: str
    sent: int
    status: int
    answered: int
    seconds: float
    memory_mb: int


class Meter:
    """Measures the one process of an API that serves."""

    def __init__(self, service: Service, api: Process) -> None:
        (self._pid,) = api.children()
        self._service = service

    def send(self, attack: str, path: str, body: bytes, **headers: str) -> tuple[Cost, Answer]:
        """POST a body. Seconds hold the way there and back on loopback."""
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # the peak begins anew
        before = self._status("VmRSS")
        start = time.perf_counter()
        answer = self._service.request("POST", path, body, headers)
        seconds = time.perf_counter() - start
        peak = self._status("VmHWM") - before
        length = int(answer.headers.get("Content-Length") or len(json.dumps(answer.body)))
        return Cost(attack, len(body), answer.status, length, seconds, peak >> 10), answer

    def _status(self, name: str) -> int:
        """KiB."""
        text = Path(f"/proc/{self._pid}/status").read_text()
        return int(text.split(f"{name}:")[1].split()[0])


def markdown(costs: Sequence[Cost]) -> str:
    lines = [
        "| attack | request | status | answer | seconds | memory |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {cost.attack} | {cost.sent / 1e6:.1f} MB | {cost.status} | {cost.answered:,} B "
        f"| {cost.seconds:.2f} | {cost.memory_mb} MiB |"
        for cost in costs
    ]
    return "\n".join(lines) + "\n"
