"""Work that takes a while, done seldom enough to take little of the time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

LONG_QUEUE = 10_000  # pending tasks; counting more takes a while


class Ration:
    """At most this share of the time, for one piece of work in one process."""

    def __init__(self, share: float = 0.01) -> None:
        self._share = share
        self._free_at = 0.0

    def is_used_up(self) -> bool:
        """Whether the work should wait, or do without."""
        return time.monotonic() < self._free_at

    @contextmanager
    def used(self) -> Iterator[None]:
        """Around the work."""
        begun = time.monotonic()
        yield
        self._free_at = begun + (time.monotonic() - begun) / self._share
