"""A process whose wall clock is wrong, which the kernel's own cannot be for one process alone."""

from datetime import UTC, datetime
from pathlib import Path

from testing.service import Process

# Shifts what Python code sees of the clock, the times in its logs included. Not libfaketime, with
# which `time.sleep` fails (0.9.10, Python 3.11).
WRONG_CLOCK = """
import datetime, os, time
offset_s = float(os.environ["CLOCK_OFFSET_S"])
right, right_ns, Right = time.time, time.time_ns, datetime.datetime
time.time = lambda: right() + offset_s
time.time_ns = lambda: right_ns() + int(offset_s * 10**9)
class AnyDatetime(type):
    def __instancecheck__(cls, value):
        return isinstance(value, Right)
class Wrong(Right, metaclass=AnyDatetime):
    @classmethod
    def now(cls, tz=None):
        return Right.fromtimestamp(time.time(), tz)
    @classmethod
    def utcnow(cls):
        return Right.utcfromtimestamp(time.time())
datetime.datetime = Wrong
"""


def wrong_clock(folder: Path, hours: float) -> dict[str, str]:
    """The environment of a process whose clock is off by so many hours."""
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK)
    return {"PYTHONPATH": str(folder), "CLOCK_OFFSET_S": str(hours * 3600)}


def clock_offset_s(process: Process) -> float:
    """How far its clock is off, by its latest log line."""
    latest = datetime.fromisoformat(process.lines()[-1]["timestamp"])
    return (latest - datetime.now(UTC)).total_seconds()
