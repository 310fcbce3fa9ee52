"""Publishing with confirms, over one connection and one thread a process, in bounded time.

pika's blocking connection waits for one confirm at a time and, on a frozen broker, far longer
than a client should. Here request threads hand their messages to a single thread that owns an
asynchronous connection: many confirms are under way together, and a caller waits for its own with
its own time limit, so nothing that the broker or the network does can hold it longer.

The circuit breaker is the connection's own state. While it is down the thread tries again every
`RECONNECT_S`, and callers are refused at once with the reason; the first caller after a success
is served. A broker that stops confirming, or says that it blocks publishers (memory or disk
alarm), counts as down.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika
import structlog
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import AMQPHeartbeatTimeout

# A deleted queue is declared anew after this time. When it comes back within the milliseconds in
# which RabbitMQ tells its consumers, they are moved to the new queue instead of cancelled, and
# swallow its messages (seen with quorum queues of RabbitMQ 3.10).
RECONNECT_S = 0.5
HANDSHAKE_S = 3.0

log = structlog.get_logger(__name__)


class QueueUnavailable(Exception):
    """RabbitMQ did not confirm. The message may still have been delivered."""


@dataclass(frozen=True, slots=True)
class QueueDepths:
    """Messages ready in the queue, its consumers, and messages in its dead-letter queue."""

    ready: int
    consumers: int
    dead_letters: int


class _Call(Future[Any]):
    """What a caller waits for: all its answers, or the first that says no."""

    def __init__(self, missing: int) -> None:
        super().__init__()
        self._missing = missing

    def answer(self, answer: QueueDepths | None = None) -> None:
        self._missing -= 1
        if not self._missing and not self.done():
            self.set_result(answer)

    def refuse(self, reason: str) -> None:
        if not self.done():
            self.set_exception(QueueUnavailable(reason))


class Publisher:
    """Publishes to one durable queue, which it declares together with its dead-letter queue.

    Thread-safe; a forked process needs its own.
    """

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        declarations: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """`declarations`: arguments of the dead-letter queue and, after it, of `queue`."""
        self._parameters, self._queue, self._declarations = parameters, queue, declarations
        self._closing = False
        self._down: str | None = None  # why callers are refused; None while up or first connecting
        self._ioloop = IOLoop()
        # The rest belongs to the publisher's thread.
        self._connection: SelectConnection | None = None
        self._channel: Any = None  # set once the queues are declared and confirms are on
        self._unconfirmed: dict[int, _Call] = {}  # by delivery tag
        self._asked: set[_Call] = set()  # and not answered
        self._waiting: list[Callable[[], None]] = []  # for the first connection
        self._delivery_tag = 0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    # -- called from any thread ----------------------------------------------------------------

    def publish(self, *bodies: bytes, timeout_s: float) -> None:
        """Return once RabbitMQ has confirmed every message.

        Raises `QueueUnavailable` after at most `timeout_s`, at once when the broker is known to
        be down.
        """
        if not bodies:
            return
        call = _Call(len(bodies))

        def send_all() -> None:
            for body in bodies:
                self._send(body, call)

        self._call(send_all, call, timeout_s)

    def depths(self, *, timeout_s: float) -> QueueDepths:
        """Ask RabbitMQ how full the queues are.

        Raises `QueueUnavailable` like `publish`, also when a queue was deleted: the connection
        is made anew then, and the queue with it.
        """
        call = _Call(1)
        ask = partial(self._declare, call.answer, passive=True)
        depths: QueueDepths = self._call(lambda: ask(self._channel), call, timeout_s)
        return depths

    def close(self) -> None:
        """Close the connection and end the thread; what is unconfirmed fails."""
        self._closing = True
        if self._thread.is_alive():
            self._ioloop.add_callback_threadsafe(lambda: self._drop("the publisher was closed"))
            self._thread.join(HANDSHAKE_S)

    def _call(self, action: Callable[[], None], call: _Call, timeout_s: float) -> Any:
        """Run `action` on the publisher's thread and wait for the call's answer."""
        if self._down is not None:
            raise QueueUnavailable(self._down)
        self._ioloop.add_callback_threadsafe(partial(self._begin, action, call))
        try:
            return call.result(timeout_s)
        except TimeoutError:
            reason = f"no answer from RabbitMQ within {timeout_s:g} s"
            self._down = reason  # at once, for the threads behind this one
            self._ioloop.add_callback_threadsafe(lambda: self._drop(reason))
            raise QueueUnavailable(reason) from None

    # -- on the publisher's thread -------------------------------------------------------------

    def _run(self) -> None:
        self._ioloop.add_callback_threadsafe(self._connect)
        ended = False
        while not ended:
            try:
                self._ioloop.start()
                ended = self._closing
            except Exception as error:  # a bug or pika's: the thread must outlive it
                log.exception("publisher_error")
                self._drop(f"{type(error).__name__} in the publisher")
        self._ioloop.close()

    def _connect(self) -> None:
        if self._connection is not None:  # two reasons to connect anew, one connection
            return
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=self._opened,
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
            custom_ioloop=self._ioloop,
        )

    def _opened(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(
            lambda *_: self._refuse("RabbitMQ blocks publishers: memory or disk alarm")
        )
        connection.add_on_connection_unblocked_callback(lambda *_: self._ready())
        connection.channel(on_open_callback=lambda channel: self._prepare(connection, channel))
        self._ioloop.call_later(HANDSHAKE_S, lambda: self._check_prepared(connection))

    def _prepare(self, connection: SelectConnection, channel: Any) -> None:
        channel.add_on_close_callback(lambda _, reason: self._lost(connection, reason))
        # A new connection declares the queue anew.
        channel.add_on_return_callback(lambda *_: self._drop("the queue was deleted"))

        def prepared(_: QueueDepths) -> None:
            self._channel, self._delivery_tag = channel, 0
            self._ready()

        channel.confirm_delivery(
            self._confirmed, callback=lambda _: self._declare(prepared, channel)
        )

    def _check_prepared(self, connection: SelectConnection) -> None:
        if connection is self._connection and self._channel is None:
            self._drop("RabbitMQ did not open a channel in time")

    def _declare(
        self, declared: Callable[[QueueDepths], Any], channel: Any, *, passive: bool = False
    ) -> None:
        """Declare both queues (which creates them, unless passive) and pass on what they hold."""
        counts: dict[str, Any] = {}

        def collect(frame: Any) -> None:
            counts[frame.method.queue] = frame.method
            if len(counts) == len(self._declarations):
                dead, main = (counts[name] for name in self._declarations)
                ready, consumers = main.message_count, main.consumer_count
                declared(QueueDepths(ready, consumers, dead.message_count))

        for queue, arguments in self._declarations.items():
            channel.queue_declare(
                queue, passive=passive, durable=True, arguments=dict(arguments), callback=collect
            )

    def _ready(self) -> None:
        if self._channel is None:
            return
        if self._down is not None:
            log.info("queue_connected")
        self._down = None
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            action()

    def _begin(self, action: Callable[[], None], call: _Call) -> None:
        if self._down is not None:
            call.refuse(self._down)
            return
        self._asked.add(call)
        call.add_done_callback(self._asked.discard)
        if self._channel is None:
            self._waiting.append(action)
        else:
            action()

    def _send(self, body: bytes, call: _Call) -> None:
        self._delivery_tag += 1
        self._unconfirmed[self._delivery_tag] = call
        properties = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)
        self._channel.basic_publish("", self._queue, body, properties, mandatory=True)

    def _confirmed(self, frame: Any) -> None:
        tag, accepted = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Ack)
        tags = [tag]
        if frame.method.multiple:
            tags = [t for t in self._unconfirmed if t <= tag]
        for call in [self._unconfirmed.pop(t) for t in tags if t in self._unconfirmed]:
            if accepted:
                call.answer()
            else:
                call.refuse("RabbitMQ refused the message")

    def _lost(self, connection: SelectConnection, reason: Any) -> None:
        """The connection could not be opened, or broke, or its channel was closed by RabbitMQ."""
        if connection is self._connection:
            self._drop(f"{type(reason).__name__}: {reason}")

    def _drop(self, reason: str) -> None:
        """Give the connection up without asking the broker, and try a new one after a pause."""
        connection, self._connection, self._channel = self._connection, None, None
        self._refuse(reason)
        if connection is not None and not connection.is_closed:
            # close() would wait for a broker that may be frozen; pika's heartbeat checker
            # ends a connection the same way.
            connection._terminate_stream(AMQPHeartbeatTimeout(reason))
        if self._closing:  # behind what ending the connection has put into the loop
            self._ioloop.add_callback_threadsafe(self._ioloop.stop)
        else:
            self._ioloop.call_later(RECONNECT_S, self._connect)

    def _refuse(self, reason: str) -> None:
        """Refuse callers from now on, those already waiting included."""
        if (self._down is None or self._asked) and not self._closing:
            log.warning("queue_down", reason=reason)
        self._down = reason
        self._unconfirmed.clear()
        self._waiting.clear()
        for call in tuple(self._asked):
            call.refuse(reason)
