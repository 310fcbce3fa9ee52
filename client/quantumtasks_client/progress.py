"""How far a batch is, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeAlias

from quantumtasks_client.models import Batch

Progress: TypeAlias = bool | Callable[[Batch], object]

_WIDTH = 30


@contextmanager
def watcher(progress: Progress) -> Iterator[Callable[[Batch], object] | None]:
    """What is to be called with the batch as it goes on; a bar of our own ends with its line."""
    if callable(progress):
        yield progress
    elif progress and sys.stderr.isatty():
        bar = Bar(sys.stderr)
        try:
            yield bar
        finally:
            bar.end()
    else:
        yield None


class Bar:
    """One line that is written over: what is done, and how many elements are in each state."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = ""

    def __call__(self, batch: Batch) -> None:
        counts = batch.counts
        ended = batch.size - counts["pending"] - counts["processing"]
        filled = _WIDTH * ended // batch.size
        told = [f"{counts['pending']} pending", f"{counts['processing']} running"]
        told += [f"{counts['completed']} done", f"{counts['failed']} failed"]
        if counts["cancelled"]:
            told.append(f"{counts['cancelled']} cancelled")
        line = f"{'█' * filled}{'░' * (_WIDTH - filled)} {ended}/{batch.size}  {', '.join(told)}"
        self._stream.write(f"\r{line:<{len(self._drawn)}}")
        self._stream.flush()
        self._drawn = line

    def end(self) -> None:
        """Leave the line as it is."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
