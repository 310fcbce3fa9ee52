"""The worker's side of the queue."""

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

import structlog
from dramatiq.brokers.rabbitmq import _RabbitmqConsumer
from dramatiq.errors import ConnectionClosed
from pika.exceptions import AMQPError

from tasks_app.queue.doorbell import QUEUE, _is_doorbell

log = structlog.get_logger(__name__)


STOCK = 16  # messages that a worker process takes at a time while its tasks are quick


STOCK_S = 0.1


QUICK_S = 0.05


UNSERVED_CHECKS = 3  # Dramatiq lets a consumer look about once a second while no message comes


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
