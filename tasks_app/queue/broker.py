"""The queues: a doorbell for each task. The row is the truth; a lost or doubled ring costs time.

`ring` and `depths` work on Dramatiq's current broker: `DoorbellBroker` on RabbitMQ, or Dramatiq's
in-memory StubBroker when API and worker share one process (`make run`).
"""

import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import dramatiq
import pika
import structlog
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import ConnectionClosed
from pika.exceptions import AMQPError

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.queue.consumer import DoorbellConsumer, Threads
from tasks_app.queue.doorbell import (
    DEAD_LETTER_QUEUE,
    LOOKOUT,
    QUEUE,
    backend_of,
    doorbell,
    queue_of,
)
from tasks_app.queue.lookout import Lookout
from tasks_app.queue.nodes import nodes
from tasks_app.queue.publisher import Publisher, QueueDepths, QueueUnavailable

PUBLISH_TIMEOUT_S = 2.0
DEAD_LETTER_TTL_MS = 7 * 24 * 3600 * 1000

log = structlog.get_logger(__name__)


def _arguments(queue: str) -> Mapping[str, Any]:
    """Of a queue that exists with others it cannot be declared: these never change."""
    if queue == DEAD_LETTER_QUEUE:
        return {"x-queue-type": "quorum", "x-message-ttl": DEAD_LETTER_TTL_MS}
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": DEAD_LETTER_QUEUE,
    }


class Rung(Protocol):
    """A task, as far as a message needs it."""

    @property
    def task_id(self) -> uuid.UUID: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def backend(self) -> str: ...


def ring(tasks: Iterable[Rung]) -> None:
    """Tell the workers about tasks. Returns when the broker has confirmed all messages.

    Raises `QueueUnavailable` within `PUBLISH_TIMEOUT_S` seconds otherwise; messages may have been
    delivered all the same.
    """
    broker = dramatiq.get_broker()
    messages = [doorbell(each.task_id, each.correlation_id, each.backend) for each in tasks]
    if isinstance(broker, DoorbellBroker):
        broker.publish(*((message.queue_name, message.encode()) for message in messages))
    else:
        for message in messages:
            broker.declare_queue(message.queue_name)
            broker.enqueue(message)
    log.debug("messages_published", messages=len(messages))


def depths(backend: str = DEFAULT_BACKEND, *, timeout_s: float = PUBLISH_TIMEOUT_S) -> QueueDepths:
    """How many messages wait for a backend's workers, and in the dead-letter queue of all.

    Raises `QueueUnavailable`.
    """
    broker, queue = dramatiq.get_broker(), queue_of(backend)
    if isinstance(broker, StubBroker):
        ready = broker.queues[queue].qsize() if queue in broker.queues else 0
        return QueueDepths(ready, 1, len(broker.dead_letters))
    assert isinstance(broker, DoorbellBroker)
    return broker.publisher.depths(queue, timeout_s=timeout_s)


class DoorbellBroker(dramatiq.Broker):
    """RabbitMQ with quorum queues, publisher confirms in bounded time and safe acknowledgements.

    No delay queue: nothing here is ever delayed, and it would cost each worker a connection.
    """

    def __init__(self, *, url: str, middleware: list[Any] | None = None) -> None:
        """`url` is `RABBITMQ_URL`, one or several. Raises ValueError."""
        super().__init__(middleware)
        self._nodes = nodes(url)
        self._publisher: tuple[int, Publisher] | None = None
        self._publisher_lock = threading.Lock()
        self._threads = Threads()
        self.heard: dict[str, float] = {}
        """When its consumer last came back from RabbitMQ, on the monotonic clock, by queue."""
        self.queues[LOOKOUT] = None

    @property
    def publisher(self) -> Publisher:
        """This process's publisher (a fork gets its own)."""
        with self._publisher_lock:  # threads that come first together share one
            if self._publisher is None or self._publisher[0] != os.getpid():
                made = Publisher(self._nodes, QUEUE, DEAD_LETTER_QUEUE, _arguments)
                self._publisher = os.getpid(), made
            return self._publisher[1]

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None  # on RabbitMQ the publisher makes it
            self.emit_after("declare_queue", queue_name)

    def enqueue(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        if delay is not None:
            raise ValueError("there is no delay queue: tasks run as soon as they can")
        self.publish((message.queue_name, message.encode()))
        return message

    def publish(self, *messages: tuple[str, bytes]) -> None:
        """`Publisher.publish` within `PUBLISH_TIMEOUT_S`."""
        self.publisher.publish(*messages, timeout_s=PUBLISH_TIMEOUT_S)

    def depths(self, queue: str) -> QueueDepths:
        """`Publisher.depths` within `PUBLISH_TIMEOUT_S`."""
        return self.publisher.depths(queue, timeout_s=PUBLISH_TIMEOUT_S)

    def unheard(self, for_s: float) -> list[str]:
        """The backends of whose tasks RabbitMQ cannot tell this worker, or has not for so long."""
        queues = self.queues.keys() - {LOOKOUT}
        if not self.publisher.refuses:
            late = time.monotonic() - for_s
            queues = {queue for queue in queues if self.heard.get(queue, 0) < late}
        return sorted(map(backend_of, queues))

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
        if queue_name == LOOKOUT:
            return Lookout(self, self._threads)
        try:
            # By then the publisher's node is known to answer, too.
            self.publisher.declare(queue_name, timeout_s=PUBLISH_TIMEOUT_S)
        except QueueUnavailable as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        self._threads.count = prefetch  # all consumers of a worker get the same
        return DoorbellConsumer(self, queue_name, self._threads, idle_s=timeout / 1000)

    def dead_letters(self, *, limit: int, keep: bool) -> Iterator[bytes]:
        """The bodies of up to `limit` dead letters, oldest first; unless `keep`, each goes back
        to the queue that it came from, and leaves the dead letters once that is confirmed.

        Raises `QueueUnavailable`.
        """
        self.depths(QUEUE)  # by then both are declared
        try:
            with pika.BlockingConnection(self.publisher.node) as connection:
                channel = connection.channel()
                for _ in range(limit):
                    method, properties, body = channel.basic_get(DEAD_LETTER_QUEUE)
                    if method is None:
                        return
                    if not keep:
                        came_from = (properties.headers or {}).get("x-first-death-queue", QUEUE)
                        self.publish((str(came_from), body))
                        channel.basic_ack(method.delivery_tag)
                    yield body  # what is kept is not acknowledged: it returns on closing
        except (AMQPError, OSError) as error:
            raise QueueUnavailable(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        if self._publisher is not None and self._publisher[0] == os.getpid():
            self._publisher[1].close()
        self._publisher = None  # whoever publishes after all gets a new one
