"""The queue: a doorbell for each task. The row is the truth; a lost or doubled ring costs time.

`ring` and `depths` work on Dramatiq's current broker: `DoorbellBroker` on RabbitMQ, or Dramatiq's
in-memory StubBroker when API and worker share one process (`make run`).
"""

import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import dramatiq
import pika
import structlog
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import ConnectionClosed
from pika.exceptions import AMQPError

from tasks_app.queue.consumer import DoorbellConsumer
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE, QUEUE, doorbell
from tasks_app.queue.publisher import Publisher, QueueDepths, QueueUnavailable

PUBLISH_TIMEOUT_S = 2.0
DEAD_LETTER_TTL_MS = 7 * 24 * 3600 * 1000
# A queue that exists with other arguments cannot be declared: these never change.
_DECLARATIONS: dict[str, dict[str, Any]] = {
    DEAD_LETTER_QUEUE: {"x-queue-type": "quorum", "x-message-ttl": DEAD_LETTER_TTL_MS},
    QUEUE: {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": DEAD_LETTER_QUEUE,
    },
}

log = structlog.get_logger(__name__)


def ring(correlation_ids: Mapping[uuid.UUID, str]) -> None:
    """Tell the workers about tasks. Returns when the broker has confirmed all messages.

    Raises `QueueUnavailable` within `PUBLISH_TIMEOUT_S` seconds otherwise; messages may have been
    delivered all the same.
    """
    broker = dramatiq.get_broker()
    messages = [doorbell(task_id, each) for task_id, each in correlation_ids.items()]
    if isinstance(broker, DoorbellBroker):
        broker.publish(*(message.encode() for message in messages))
    else:
        for message in messages:
            broker.enqueue(message)
    log.debug("messages_published", messages=len(messages))


def depths(*, timeout_s: float = PUBLISH_TIMEOUT_S) -> QueueDepths:
    """How many messages wait in the queue and its dead-letter queue. Raises `QueueUnavailable`."""
    broker = dramatiq.get_broker()
    if isinstance(broker, StubBroker):
        ready = broker.queues[QUEUE].qsize() if QUEUE in broker.queues else 0
        return QueueDepths(ready, 1, len(broker.dead_letters))
    assert isinstance(broker, DoorbellBroker)
    return broker.publisher.depths(timeout_s=timeout_s)


class DoorbellBroker(dramatiq.Broker):
    """RabbitMQ with a quorum queue, publisher confirms in bounded time and safe acknowledgements.

    No delay queue: nothing here is ever delayed, and it would cost each worker a connection.
    """

    def __init__(self, *, url: str, middleware: list[Any] | None = None) -> None:
        super().__init__(middleware)
        self.parameters = pika.URLParameters(url)
        self.parameters.socket_timeout = 2
        self.parameters.stack_timeout = 3
        self.parameters.heartbeat = 10
        self.parameters.connection_attempts = 1
        self._publisher: tuple[int, Publisher] | None = None
        self._publisher_lock = threading.Lock()

    @property
    def publisher(self) -> Publisher:
        """This process's publisher (a fork gets its own)."""
        with self._publisher_lock:  # threads that come first together share one
            if self._publisher is None or self._publisher[0] != os.getpid():
                self._publisher = os.getpid(), Publisher(self.parameters, QUEUE, _DECLARATIONS)
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
        self.publish(message.encode())
        return message

    def publish(self, *bodies: bytes) -> None:
        """`Publisher.publish` within `PUBLISH_TIMEOUT_S`."""
        self.publisher.publish(*bodies, timeout_s=PUBLISH_TIMEOUT_S)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
        try:
            self.publisher.depths(timeout_s=PUBLISH_TIMEOUT_S)  # by then the queue is declared
        except QueueUnavailable as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return DoorbellConsumer(self, threads=prefetch, idle_s=timeout / 1000)

    def dead_letters(self, *, limit: int, keep: bool) -> Iterator[bytes]:
        """The bodies of up to `limit` dead letters, oldest first; unless `keep`, each goes back
        to the task queue, and leaves the dead letters once that is confirmed.

        Raises `QueueUnavailable`.
        """
        self.publisher.depths(timeout_s=PUBLISH_TIMEOUT_S)  # by then both are declared
        try:
            with pika.BlockingConnection(self.parameters) as connection:
                channel = connection.channel()
                for _ in range(limit):
                    method, _, body = channel.basic_get(DEAD_LETTER_QUEUE)
                    if method is None:
                        return
                    if not keep:
                        self.publish(body)
                        channel.basic_ack(method.delivery_tag)
                    yield body  # what is kept is not acknowledged: it returns on closing
        except (AMQPError, OSError) as error:
            raise QueueUnavailable(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        if self._publisher is not None and self._publisher[0] == os.getpid():
            self._publisher[1].close()
        self._publisher = None  # whoever publishes after all gets a new one
