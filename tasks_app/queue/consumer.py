"""The worker's side of the queue: which messages a process holds, and when it acknowledges them.

While tasks are quick a process takes `STOCK` messages at a time and acknowledges them half a stock
at a time: a quorum queue writes a log entry for each acknowledgement that it gets. Once all its
threads have been busy for `STOCK_S` it gives back what it has not begun, so that nothing waits here
for a long simulation while other workers are free, and takes one message a thread until tasks are
quick again. A process has a consumer for each backend that it serves, and they share its threads.
A message that came back `RETURNS` times is rung for anew before it is begun or given back: RabbitMQ
4 discards one at its 21st return, of whatever kind, lost connections included.

What is finished but not acknowledged when a worker dies is delivered again, a duplicate.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import dramatiq
import pika
import structlog
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed, DecodeError
from pika.exceptions import AMQPError, AMQPHeartbeatTimeout

from tasks_app.queue.doorbell import is_doorbell
from tasks_app.queue.publisher import ALIVE_S, QueueUnavailable

if TYPE_CHECKING:
    from tasks_app.queue.broker import DoorbellBroker

STOCK = 16
STOCK_S = 0.1
QUICK_S = 0.05
RETURNS = 10
UNSERVED_CHECKS = 3
GLANCE_S = 0.25  # how soon an idle consumer sees that the publisher has gone elsewhere

log = structlog.get_logger(__name__)


class Threads:
    """A process's worker threads: each message that a consumer hands on has one until it ends."""

    def __init__(self) -> None:
        self.count = 1
        self._running: dict[int, set[int]] = {}  # delivery tags of each consumer
        self._changed = threading.Condition()

    def join(self) -> set[int]:
        """What a new consumer handed on and has not ended: its own to read."""
        running: set[int] = set()
        with self._changed:
            self._running[id(running)] = running
        return running

    def leave(self, running: set[int]) -> None:
        """A consumer is gone, and with it what it knew: its messages come back by themselves."""
        with self._changed:
            self._running.pop(id(running), None)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Whether one gets free within this time."""
        with self._changed:
            return self._changed.wait_for(self._is_free, timeout_s)

    def take(self, running: set[int], tag: int) -> bool:
        """One for this message, unless another consumer was quicker."""
        with self._changed:
            free = self._is_free()
            if free:
                running.add(tag)
            return free

    def free(self, running: set[int], tag: int) -> None:
        with self._changed:
            running.discard(tag)
            self._changed.notify_all()

    def _is_free(self) -> bool:
        return sum(map(len, self._running.values())) < self.count


class Delivery(MessageProxy):
    """A doorbell, and the consumer that it was delivered to.

    Delivery tags start at 1 again after a reconnect. Dramatiq hands a message from before to the
    consumer from after, whose acknowledgement would remove another message with the same tag.
    The old one has been redelivered by then; dropping the acknowledgement is all there is to do.
    """

    def __init__(self, message: Any, consumer: Consumer, method: Any) -> None:
        super().__init__(message)
        self.consumer, self.tag = consumer, method.delivery_tag
        self.redelivered: bool = method.redelivered
        self.handed_on = time.monotonic()


class DoorbellConsumer(Consumer):
    """Hands on only what is a doorbell, and only to a free thread.

    Raises `ConnectionClosed`, upon which Dramatiq makes another one.
    """

    def __init__(
        self, broker: "DoorbellBroker", queue: str, threads: Threads, *, idle_s: float
    ) -> None:
        self._broker, self._queue, self._idle_s = broker, queue, idle_s
        self._threads, self._running = threads, threads.join()
        self._settled: deque[tuple[int, bool]] = deque()  # tags to acknowledge, or to reject
        self._quick = 0  # messages in a row that took less than `QUICK_S`
        self._unserved = 0  # checks in a row that found messages ready
        self._asked_at = time.monotonic()  # how full the queue is
        self._polling = False
        try:
            with _closed_connections():
                self._node = broker.publisher.node
                self._connections = broker.publisher.connections
                self.connection = pika.BlockingConnection(self._node)
                self._channel = self.connection.channel()
                self._consume(threads.count)
        except ConnectionClosed:
            threads.leave(self._running)
            raise

    def __next__(self) -> Delivery | None:
        self._broker.heard[self._queue] = time.monotonic()
        with _closed_connections():
            if not self._has_free_thread():
                return None
            waiting = self._channel.get_waiting_message_count()
            if not waiting and self._quick >= STOCK > self._prefetch:
                self._give_back()
                self._consume(STOCK)
            elif self._messages is None:
                self._consume(self._threads.count)
            if not waiting or len(self._settled) >= self._prefetch / 2:
                self._polling = not waiting
                self._settle()
            method, properties, body = next(self._messages)
            self._polling = False
            if method is None:
                self._check_served()
                return None
            self._unserved = 0
            if self._rung_anew(properties, body):
                self._channel.basic_ack(method.delivery_tag)
                return None
            if not self._threads.take(self._running, method.delivery_tag):
                self._channel.basic_nack(method.delivery_tag, requeue=True)
                return None
        with suppress(DecodeError):
            message = dramatiq.Message.decode(body)
            if is_doorbell(message, self._queue):
                return Delivery(message, self, method)
        log.error("message_malformed", size=len(body))
        self._end(method.delivery_tag, good=False)  # to the dead letters, to be looked at
        return None

    def ack(self, message: Any) -> None:
        if message.consumer is self and self.connection.is_open:
            quick = time.monotonic() - message.handed_on < QUICK_S
            self._quick = self._quick + 1 if quick else 0
            self._end(message.tag, good=True)
        else:
            log.info("stale_acknowledgement", message_id=message.message_id)

    def nack(self, message: Any) -> None:
        if message.consumer is self:
            self._end(message.tag, good=False)

    def requeue(self, messages: Any) -> None:
        """Nothing: what is not acknowledged comes back by itself."""

    def close(self) -> None:
        self._threads.leave(self._running)
        with _closed_connections():
            with suppress(AMQPError):  # a channel that RabbitMQ closed leaves the connection open
                self._settle()
            if self.connection.is_open:
                self.connection.close()

    def _has_free_thread(self) -> bool:
        """Waits for one for `STOCK_S`; if none gets free, what lies in stock is given back."""
        if self._threads.wait(STOCK_S):
            return True
        self.connection.process_data_events(time_limit=0)  # heartbeats, and what has come
        self._settle()
        self._quick = 0
        if self._prefetch > self._threads.count or self._channel.get_waiting_message_count():
            self._give_back()
        return False

    def _consume(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self._channel.basic_qos(prefetch_count=prefetch)
        self._messages: Any = self._channel.consume(self._queue, inactivity_timeout=GLANCE_S)

    def _give_back(self) -> None:
        """Consume no more, and return what was not handed on to the head of the queue."""
        stock = []
        while self._messages is not None and self._channel.get_waiting_message_count():
            stock.append(next(self._messages))
        self._channel.cancel()  # which returns what comes meanwhile
        self._messages, self._prefetch = None, self._threads.count
        for method, properties, body in stock:
            if self._rung_anew(properties, body):
                self._channel.basic_ack(method.delivery_tag)
            else:
                self._channel.basic_nack(method.delivery_tag, requeue=True)

    def _rung_anew(self, properties: Any, body: bytes) -> bool:
        """Whether a new message replaces this one, which came back too often."""
        returns = (properties.headers or {}).get("x-delivery-count")
        if not isinstance(returns, int) or returns < RETURNS:  # anybody may write headers
            return False
        try:
            self._broker.publish((self._queue, body))
        except QueueUnavailable:
            return False
        return True

    def _settle(self) -> None:
        """Acknowledge what is done: together, up to the oldest message that is still being run."""
        running = tuple(self._running)  # first: what ends from here on is in `_settled` next time
        done = []
        for _ in range(len(self._settled)):
            tag, good = self._settled.popleft()
            if good:
                done.append(tag)
            else:
                self._channel.basic_nack(tag, requeue=False)
        oldest = min(running, default=None)
        together = max((tag for tag in done if oldest is None or tag < oldest), default=0)
        if together:
            self._channel.basic_ack(together, multiple=True)
        for tag in done:
            if tag > together:
                self._channel.basic_ack(tag)

    def _end(self, tag: int, *, good: bool) -> None:
        """From any thread: free the message's place, and leave the rest to the consumer's."""
        self._settled.append((tag, good))
        self._threads.free(self._running, tag)
        if self._polling:
            with suppress(AMQPError):
                self.connection.add_callback_threadsafe(self._settle)

    def _check_served(self) -> None:
        """Start anew where the process's publisher is once that has left our node, or when messages
        are ready and none comes.

        Our node may be frozen, or the network may have been cut, after which TCP tries again later
        and later. The publisher notices, which waits for answers in bounded time. A consumer of a
        queue that was deleted and declared anew may be left without either messages or a word.
        """
        publisher = self._broker.publisher
        if publisher.node is not self._node:
            self._leave("the publisher had to leave this node")
        if publisher.connections != self._connections:
            self._connections = publisher.connections
            if not self._is_answered():
                self._leave("the publisher had to connect anew, and so have we")
        if time.monotonic() < self._asked_at + self._idle_s:
            return
        try:
            ready = self._broker.depths(self._queue).ready
        except QueueUnavailable:
            return  # nowhere to go
        finally:
            self._asked_at = time.monotonic()
        self._unserved = self._unserved + 1 if ready else 0
        if self._unserved >= UNSERVED_CHECKS:
            self._leave("messages are ready, but none comes")

    def _is_answered(self) -> bool:
        """Whether our connection carries anything: it says once more what it has said before.
        The blocking channel would wait for the answer without end."""
        answers: list[Any] = []
        self._channel._impl.basic_qos(prefetch_count=self._prefetch, callback=answers.append)
        self.connection.process_data_events(ALIVE_S)
        return bool(answers)

    def _leave(self, reason: str) -> None:
        """End the connection and raise that. A goodbye would wait for a node that may be frozen;
        pika's heartbeat checker ends a connection the same way.
        """
        log.warning("consumer_unserved", reason=reason)
        self.connection._impl._terminate_stream(AMQPHeartbeatTimeout(reason))
        self.connection.process_data_events()  # raises it


@contextmanager
def _closed_connections() -> Iterator[None]:
    """What pika raises for a lost connection, in Dramatiq's words."""
    try:
        yield
    except (AMQPError, AssertionError, OSError) as error:
        raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
