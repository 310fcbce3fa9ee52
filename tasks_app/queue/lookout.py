"""Tells a worker of tasks while RabbitMQ does not: the rows are there, and can be looked at."""

import time
import uuid
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

from dramatiq.broker import Consumer
from pika.spec import Basic

from tasks_app.queue.consumer import GLANCE_S, Delivery, Threads
from tasks_app.queue.doorbell import LOOKOUT, doorbell

if TYPE_CHECKING:
    from tasks_app.queue.broker import DoorbellBroker

LOOK_S = 1.0


class Lookout(Consumer):
    """Of a worker process. Rings for each backend of which it has heard nothing for `LOOK_S`,
    that often: as long as RabbitMQ is away, its node stands still, or the queue has no leader.
    """

    def __init__(self, broker: "DoorbellBroker", threads: Threads) -> None:
        self._broker, self._threads, self._running = broker, threads, threads.join()
        self._tags = count(1)
        self._rung: dict[str, float] = defaultdict(float)  # when, on the monotonic clock

    def __next__(self) -> Delivery | None:
        time.sleep(GLANCE_S)
        unheard = self._broker.unheard(LOOK_S)
        backend = min(unheard, key=self._rung.__getitem__, default=None)
        now, tag = time.monotonic(), next(self._tags)
        if backend is None or now < self._rung[backend] + LOOK_S:
            return None
        if not self._threads.take(self._running, tag):
            return None
        self._rung[backend] = now
        kwargs = {"backend": backend, "unasked": True}
        message = doorbell(uuid.uuid4(), "").copy(queue_name=LOOKOUT, kwargs=kwargs)
        return Delivery(message, self, Basic.Deliver(delivery_tag=tag))

    def ack(self, message: Any) -> None:
        if message.consumer is self:
            self._threads.free(self._running, message.tag)

    nack = ack

    def requeue(self, messages: Any) -> None:
        """Nothing: it rings again."""

    def close(self) -> None:
        self._threads.leave(self._running)
