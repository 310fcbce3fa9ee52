"""The queue: a doorbell for each task. The row is the truth; a lost or doubled ring costs time.

`ring` and `depths` work on Dramatiq's current broker: `DoorbellBroker` on RabbitMQ, or Dramatiq's
in-memory StubBroker when API and worker share one process (`make run`).
"""

import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import dramatiq
import pika
import structlog
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import xq_name
from dramatiq.errors import ConnectionClosed
from pika.exceptions import AMQPError

from tasks_app.publisher import Publisher, QueueDepths, QueueUnavailable

QUEUE = "quantum_tasks"
DEAD_LETTER_QUEUE = xq_name(QUEUE)
RUN_TASK = "run_task"
PUBLISH_TIMEOUT_S = 2.0
STOCK = 16  # messages that a worker process takes at a time while its tasks are quick
STOCK_S = 0.1
QUICK_S = 0.05
UNSERVED_CHECKS = 3  # Dramatiq lets a consumer look about once a second while no message comes
DEAD_LETTER_TTL_MS = 7 * 24 * 3600 * 1000

log = structlog.get_logger(__name__)


def ring(task_id: uuid.UUID, *, correlation_id: str) -> None:
    """Tell the workers about a task. Returns when the broker has confirmed the message.

    Raises `QueueUnavailable` within `PUBLISH_TIMEOUT_S` seconds otherwise; the message may have
    been delivered all the same.
    """
    ring_all({task_id: correlation_id})


def doorbell(task_id: object, correlation_id: str) -> dramatiq.Message[None]:
    """The message that rings for a task."""
    return dramatiq.Message(
        queue_name=QUEUE,
        actor_name=RUN_TASK,
        args=(str(task_id),),
        kwargs={},
        options={"correlation_id": correlation_id},
    )


def ring_all(correlation_ids: Mapping[uuid.UUID, str]) -> None:
    """`ring` for many tasks at once, their confirms awaited together."""
    broker = dramatiq.get_broker()
    messages = [doorbell(task_id, each) for task_id, each in correlation_ids.items()]
    if isinstance(broker, DoorbellBroker):
        broker.enqueue_all(messages)
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


class DoorbellBroker(RabbitmqBroker):
    """RabbitMQ with a quorum queue, publisher confirms in bounded time and safe acknowledgements.

    No delay queue: nothing here is ever delayed, and it would cost each worker a connection.
    """

    def __init__(self, *, url: str, middleware: list[Any] | None = None) -> None:
        super().__init__(confirm_delivery=True, url=url, middleware=middleware)
        parameters = pika.URLParameters(url)
        parameters.socket_timeout = 2
        parameters.stack_timeout = 3
        parameters.heartbeat = 10
        parameters.connection_attempts = 1
        self._parameters = self.parameters = parameters  # the consumers use the latter
        self._publisher: tuple[int, Publisher] | None = None
        self._publisher_lock = threading.Lock()

    @property
    def publisher(self) -> Publisher:
        """This process's publisher (a fork gets its own)."""
        with self._publisher_lock:  # threads that come first together share one
            if self._publisher is None or self._publisher[0] != os.getpid():
                self._publisher = (
                    os.getpid(),
                    Publisher(
                        self._parameters,
                        queue=QUEUE,
                        arguments={
                            "x-queue-type": "quorum",
                            "x-dead-letter-exchange": "",
                            "x-dead-letter-routing-key": DEAD_LETTER_QUEUE,
                        },
                        dead_letter_queue=DEAD_LETTER_QUEUE,
                        dead_letter_arguments={
                            "x-queue-type": "quorum",
                            "x-message-ttl": DEAD_LETTER_TTL_MS,
                        },
                    ),
                )
            return self._publisher[1]

    @property
    def consumer_class(self) -> type["_SafeConsumer"]:
        return _SafeConsumer

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        if delay is not None:
            raise ValueError("there is no delay queue: tasks run as soon as they can")
        self.enqueue_all([message])
        return message

    def enqueue_all(self, messages: Sequence[dramatiq.Message[Any]]) -> None:
        """Publish messages together. Raises `QueueUnavailable` unless all were confirmed."""
        for message in messages:
            self.emit_before("enqueue", message, None)
        self.publisher.publish(
            *(message.encode() for message in messages), timeout_s=PUBLISH_TIMEOUT_S
        )
        for message in messages:
            self.emit_after("enqueue", message, None)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
        try:
            self.publisher.depths(timeout_s=PUBLISH_TIMEOUT_S)  # by then the queue is declared
            return self.consumer_class(self, queue_name, prefetch, timeout)
        except (QueueUnavailable, AMQPError, OSError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def dead_letters(self, *, limit: int, keep: bool) -> Iterator[bytes]:
        """The bodies of up to `limit` dead letters, oldest first; unless `keep`, each goes back
        to the task queue, and leaves the dead letters once that is confirmed.

        Raises `QueueUnavailable`.
        """
        self.publisher.depths(timeout_s=PUBLISH_TIMEOUT_S)  # by then both are declared
        try:
            with pika.BlockingConnection(self._parameters) as connection:
                channel = connection.channel()
                for _ in range(limit):
                    method, _, body = channel.basic_get(DEAD_LETTER_QUEUE)
                    if method is None:
                        return
                    if not keep:
                        self.publisher.publish(body, timeout_s=PUBLISH_TIMEOUT_S)
                        channel.basic_ack(method.delivery_tag)
                    yield body  # what is kept is not acknowledged: it returns on closing
        except (AMQPError, OSError) as error:
            raise QueueUnavailable(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        if self._publisher is not None and self._publisher[0] == os.getpid():
            self._publisher[1].close()
        self._publisher = None  # whoever publishes after all gets a new one
        super().close()


class _SafeConsumer(_RabbitmqConsumer):
    """Hands on only what is a doorbell and only to a free thread, and acknowledges only what it
    delivered itself.

    Delivery tags start at 1 again after a reconnect. Dramatiq hands a message from before to the
    consumer from after, whose acknowledgement would remove another message with the same tag.
    The old one has been redelivered by then; dropping the acknowledgement is all there is to do.

    While tasks are quick it takes a stock of messages and acknowledges them half a stock at a time:
    a quorum queue writes a log entry for each acknowledgement that it gets. Once every thread is
    busy for `STOCK_S` it gives the stock back, so that nothing waits here for a long simulation
    while other workers are free, and takes no more than one message a thread until tasks are quick
    again. What is finished but not acknowledged when a worker dies is delivered again, a duplicate.
    """

    _unserved = 0  # idle checks in a row that found messages ready

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        self._threads = self._prefetch = prefetch
        self._idle_s = timeout / 1000
        self._quick = 0  # messages in a row that took less than `QUICK_S`
        self._settled: deque[tuple[int, bool]] = deque()  # delivery tags to acknowledge or reject
        self._freed = threading.Event()
        self._polling = False
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]

    def __next__(self) -> Any:
        try:
            if not self._has_free_thread():
                return None
            if self._quick >= STOCK > self._prefetch:
                self._consume_no_more()
                self._consume(STOCK)
            elif self.iterator is None:
                self._consume(self._threads)
            stock = self.channel.get_waiting_message_count()
            if not stock or len(self._settled) >= self._prefetch / 2:
                self._polling = not stock
                self._settle()
        except AMQPError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        message = super().__next__()  # type: ignore[no-untyped-call]
        self._polling = False
        if message is None:
            self._check_served()
            return None
        self._unserved = 0
        message.consumer = self
        message.handed_on = time.monotonic()
        if not _is_doorbell(message):
            log.error("message_malformed", message_id=repr(message.message_id)[:80])
            self.nack(message)  # to the dead letters, where it can be looked at
            return None
        return message

    def _has_free_thread(self) -> bool:
        """Waits for one for `STOCK_S`; if none gets free, what lies in stock is given back."""
        if len(self.known_tags) < self._threads:
            return True
        self._freed.clear()
        if len(self.known_tags) < self._threads or self._freed.wait(STOCK_S):
            return len(self.known_tags) < self._threads
        self.connection.process_data_events(time_limit=0)  # heartbeats, and what has come
        self._settle()
        self._quick = 0
        if self._prefetch > self._threads or self.channel.get_waiting_message_count():
            self._consume_no_more()
        return False

    def _consume(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self.channel.basic_qos(prefetch_count=prefetch)
        self.iterator = self.channel.consume(self.queue_name, inactivity_timeout=self._idle_s)

    def _consume_no_more(self) -> None:
        if self.iterator is not None:
            self.channel.cancel()  # what was not handed on goes back to the head of the queue
        self.iterator, self._prefetch = None, self._threads

    def _settle(self) -> None:
        """Acknowledge what is done: together, up to the oldest message that is still being run."""
        running = tuple(self.known_tags)  # first: what ends from here on is in `_settled` next time
        done = []
        for _ in range(len(self._settled)):
            tag, good = self._settled.popleft()
            if good:
                done.append(tag)
            else:
                self.channel.basic_nack(tag, requeue=False)
        oldest = min(running, default=None)
        together = max((tag for tag in done if oldest is None or tag < oldest), default=0)
        if together:
            self.channel.basic_ack(together, multiple=True)
        for tag in done:
            if tag > together:
                self.channel.basic_ack(tag)

    def _check_served(self) -> None:
        """Raises `ConnectionClosed`, for a new start, when messages are ready and none comes.

        A consumer of a queue that was deleted and declared anew may be left without either
        messages or a word.
        """
        try:
            idle = not self.known_tags
            declared = self.channel.queue_declare(QUEUE, passive=True) if idle else None
        except AMQPError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        self._unserved = self._unserved + 1 if declared and declared.method.message_count else 0
        if self._unserved >= UNSERVED_CHECKS:
            log.warning("consumer_unserved")
            raise ConnectionClosed("messages are ready, but none comes")  # type: ignore[no-untyped-call]

    def ack(self, message: Any) -> None:
        if message.consumer is self and self.connection.is_open:
            quick = time.monotonic() - message.handed_on < QUICK_S
            self._quick = self._quick + 1 if quick else 0
            self._end(message, good=True)
        else:
            log.info("stale_acknowledgement", message_id=message.message_id)

    def nack(self, message: Any) -> None:
        if message.consumer is self:
            self._end(message, good=False)

    def _nack(self, tag: int) -> None:
        self._settled.append((tag, False))  # Dramatiq's way to reject what it cannot decode

    def _end(self, message: Any, *, good: bool) -> None:
        """From any thread: free the message's place, and leave the rest to the consumer's."""
        self._settled.append((message._tag, good))
        self.known_tags.discard(message._tag)
        self._freed.set()
        if self._polling:
            with suppress(AMQPError):
                self.connection.add_callback_threadsafe(self._settle)

    def close(self) -> None:
        try:
            with suppress(AMQPError):
                self._settle()
            super().close()  # type: ignore[no-untyped-call]
        finally:  # a channel that RabbitMQ closed leaves the connection open
            if self.connection.is_open:
                self.connection.close()


def _is_doorbell(message: Any) -> bool:
    """Whether a decoded message is one that `ring` could have sent.

    A message that is not can end the worker thread that gets it: by a queue name without a
    consumer, or options of types that Dramatiq does not expect.
    """
    return (
        (message.queue_name, message.actor_name) == (QUEUE, RUN_TASK)
        and len(message.args) == 1
        and not message.kwargs
        and isinstance(message.options, dict)
        and message.options.keys() <= {"correlation_id"}
    )
