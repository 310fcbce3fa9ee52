"""Publishing with confirms, over one connection and one thread a process, in bounded time.

pika's blocking connection waits for one confirm at a time and, on a frozen broker, far longer
than a client should. Here request threads hand their messages to a single thread that owns an
asynchronous connection: many confirms are under way together, and a caller waits for its own with
its own time limit, so nothing that the broker or the network does can hold it longer.

The circuit breaker is the connection's own state. While it is down the thread tries again every
`RECONNECT_S`, each time another node of a cluster, and callers are refused at once with the reason;
the first caller after a success is served. A broker that stops confirming, or says that it blocks
publishers (memory or disk alarm), counts as down.
"""

import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import pika
import structlog
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import AMQPHeartbeatTimeout

from tasks_app import metrics

# A deleted queue is declared anew after this time. When it comes back within the milliseconds in
# which RabbitMQ tells its consumers, they are moved to the new queue instead of cancelled, and
# swallow its messages (seen with quorum queues of RabbitMQ 3.10).
RECONNECT_S = 0.5
HANDSHAKE_S = 3.0
# A node that stands still takes connections and says nothing: each other one is tried first.
GLANCE_S = 1.0
# Callers are refused once an answer has taken `SLOW_S`. A node that still opens a channel within
# `ALIVE_S` then is left after `PATIENCE_S` only: its connection hangs on a queue's leader that is
# lost, and goes on by itself when there is another, while a new connection's first message would
# wait until the lost one's node counts as gone.
SLOW_S = 2.0
ALIVE_S = 0.3
PATIENCE_S = 1.0

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
        self.when_late: Callable[[], None] = lambda: None
        """What is done if it is answered although it was refused."""

    @property
    def answered(self) -> bool:
        return not self._missing

    def answer(self, answer: QueueDepths | None = None) -> None:
        self._missing -= 1
        if self.answered and self.done():
            self.when_late()
        elif self.answered:
            self.set_result(answer)

    def refuse(self, reason: str) -> None:
        if not self.done():
            self.set_exception(QueueUnavailable(reason))


class Publisher:
    """Publishes to durable queues, which it declares before their first message of a connection.

    Thread-safe; a forked process needs its own.
    """

    def __init__(
        self,
        nodes: Sequence[pika.ConnectionParameters],
        queue: str,
        dead_letter_queue: str,
        arguments: Callable[[str], Mapping[str, Any]],
    ) -> None:
        """`queue` is there from the beginning, and the dead letters'; `arguments`: of each."""
        # Processes begin with different nodes, so that each node has its share of them.
        self._nodes = cycle(random.sample(nodes, len(nodes)))
        self._others = len(nodes) - 1
        self.node = next(self._nodes)
        """To which the connection is, or the next attempt at one."""
        self.connections = 0
        """How many have served."""
        self._arguments = arguments
        self._dead_letter_queue = dead_letter_queue
        self._queues = {queue}  # declared anew by each connection, before anything else
        self._closing = False
        self._down: str | None = None  # why callers are refused; None while up or first connecting
        self._ioloop = IOLoop()
        # The rest belongs to the publisher's thread.
        self._connection: SelectConnection | None = None
        self._channel: Any = None  # set once the queues are declared and confirms are on
        self._unconfirmed: dict[int, _Call] = {}  # by delivery tag
        self._asked: dict[_Call, Callable[[], None]] = {}  # what asks, by what is not answered
        self._waiting: list[Callable[[], None]] = []  # for the first connection
        self._tries = 0  # connections in a row that led to nothing
        self._delivery_tag = 0
        self._proven = False  # the channel has confirmed a message
        self._asked_again = False  # after a connection that was not proven, and none since was
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    # -- called from any thread ----------------------------------------------------------------

    @property
    def refuses(self) -> bool:
        """Whether callers are refused at once: RabbitMQ is away, as far as is known."""
        return self._down is not None

    def publish(self, *messages: tuple[str, bytes], timeout_s: float) -> None:
        """Return once RabbitMQ has confirmed every message: its queue and its body.

        Raises `QueueUnavailable` after at most `timeout_s`, at once when the broker is known to
        be down.
        """
        if not messages:
            return
        call = _Call(len(messages))

        def send_all() -> None:
            for queue, body in messages:
                self._send(queue, body, call)

        queues = {queue for queue, _ in messages}
        try:
            self._call(lambda: self._declared(queues, send_all), call, timeout_s)
        except QueueUnavailable:
            metrics.PUBLISHES_REFUSED.inc()
            raise

    def declare(self, queue: str, *, timeout_s: float) -> None:
        """Make a queue if it is not there. Raises `QueueUnavailable` like `publish`."""
        call = _Call(1)

        def declared(_: Mapping[str, Any]) -> None:
            self._queues.add(queue)
            call.answer()

        self._call(lambda: self._declare(self._channel, {queue}, declared), call, timeout_s)

    def depths(self, queue: str, *, timeout_s: float) -> QueueDepths:
        """Ask RabbitMQ how full a queue and the dead letters' are.

        Raises `QueueUnavailable` like `publish`, also when a queue was deleted: the connection
        is made anew then, and the queue with it.
        """
        call = _Call(1)

        def answer(counts: Mapping[str, Any]) -> None:
            of_queue, dead = counts[queue], counts[self._dead_letter_queue]
            call.answer(
                QueueDepths(of_queue.message_count, of_queue.consumer_count, dead.message_count)
            )

        def ask() -> None:
            both = (queue, self._dead_letter_queue)
            self._declare(self._channel, both, answer, passive=True)

        depths: QueueDepths = self._call(lambda: self._declared({queue}, ask), call, timeout_s)
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
            self._ioloop.add_callback_threadsafe(partial(self._doubt, call, timeout_s))
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
        connection = SelectConnection(
            self.node,
            on_open_callback=self._opened,
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
            custom_ioloop=self._ioloop,
        )
        self._connection = connection
        if self._tries < self._others:
            self._ioloop.call_later(GLANCE_S, lambda: self._check_open(connection))
        self._tries += 1

    def _check_open(self, connection: SelectConnection) -> None:
        if not connection.is_open and connection is self._connection:
            self._drop("RabbitMQ did not answer in time")

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

        def prepared(_: Any) -> None:
            self._channel, self._delivery_tag, self._proven = channel, 0, False
            self.connections += 1
            self._ready()

        # Without asking how full they are, for which RabbitMQ waits for a leader that is lost.
        for queue in (self._dead_letter_queue, *self._queues):
            channel.queue_declare(queue, durable=True, arguments=dict(self._arguments(queue)))
        confirmed = partial(self._confirmed, channel)
        channel.confirm_delivery(confirmed, callback=prepared)  # answered after those

    def _check_prepared(self, connection: SelectConnection) -> None:
        if connection is self._connection and self._channel is None:
            self._drop("RabbitMQ did not open a channel in time")

    def _declare(
        self,
        channel: Any,
        queues: Collection[str],
        declared: Callable[[Mapping[str, Any]], Any],
        *,
        passive: bool = False,
    ) -> None:
        """Declare queues (which creates them, unless passive) and pass on what each holds."""
        counts: dict[str, Any] = {}

        def collect(frame: Any) -> None:
            counts[frame.method.queue] = frame.method
            if len(counts) == len(queues):
                declared(counts)

        for queue in queues:
            arguments = dict(self._arguments(queue))
            channel.queue_declare(
                queue, passive=passive, durable=True, arguments=arguments, callback=collect
            )

    def _declared(self, queues: set[str], action: Callable[[], None]) -> None:
        """Run the action once this connection has declared these queues."""
        new = queues - self._queues
        if not new:
            action()
            return
        channel = self._channel

        def declared(_: Mapping[str, Any]) -> None:
            self._queues |= new
            if channel is self._channel:
                action()

        self._declare(channel, new, declared)

    def _ready(self) -> None:
        if self._channel is None:
            return
        if self._down is not None:
            log.info("queue_connected", node=f"{self.node.host}:{self.node.port}")
        self._down, self._tries = None, 0
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            action()

    def _begin(self, action: Callable[[], None], call: _Call) -> None:
        if self._down is not None:
            call.refuse(self._down)
            return
        self._asked[call] = action
        call.add_done_callback(lambda _: self._asked.pop(call))
        if self._channel is None:
            self._waiting.append(action)
        else:
            action()

    def _send(self, queue: str, body: bytes, call: _Call) -> None:
        self._delivery_tag += 1
        self._unconfirmed[self._delivery_tag] = call
        properties = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)
        self._channel.basic_publish("", queue, body, properties, mandatory=True)

    def _confirmed(self, channel: Any, frame: Any) -> None:
        if channel is not self._channel:  # which was given up, with frames read but not handled
            return
        tag, accepted = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Ack)
        tags = [tag]
        if frame.method.multiple:
            tags = [t for t in self._unconfirmed if t <= tag]
        if not (accepted or self._proven):
            # It was for a leader that is gone, or not yet there, as another process is just making
            # the queue; and so are the channel's next (seen on 3.10).
            again, self._asked_again = not self._asked_again, True
            self._drop("RabbitMQ refused the first message", stay=True, again=again)
            return
        for call in [self._unconfirmed.pop(t) for t in tags if t in self._unconfirmed]:
            if accepted:
                call.answer()
            else:
                call.refuse("RabbitMQ refused the message")
        self._proven, self._asked_again = True, False

    def _doubt(self, call: _Call, waited_s: float) -> None:
        """A caller has gone without its answer: soon nobody else is to wait for the like."""
        if call.done():
            return
        if waited_s < SLOW_S:
            self._ioloop.call_later(SLOW_S - waited_s, lambda: self._doubt(call, SLOW_S))
            return
        connection, reason = self._connection, f"no answer from RabbitMQ within {waited_s:g} s"
        if connection is None or not connection.is_open or not self._proven:
            self._drop(reason)
            return
        self._refuse(reason)
        probe = connection.channel()  # which the node opens by itself

        def serve_again() -> None:
            if self._down is reason:
                self._ready()

        def give_up() -> None:
            if connection is self._connection and not call.answered:
                self._drop(reason)

        def give_up_unless_alive() -> None:
            if probe.is_open:
                probe.close()
            else:
                give_up()

        call.when_late = serve_again
        self._ioloop.call_later(ALIVE_S, give_up_unless_alive)
        self._ioloop.call_later(PATIENCE_S, give_up)

    def _lost(self, connection: SelectConnection, reason: Any) -> None:
        """The connection could not be opened, or broke, or its channel was closed by RabbitMQ."""
        if connection is self._connection:
            self._drop(f"{type(reason).__name__}: {reason}")

    def _drop(self, reason: str, *, stay: bool = False, again: bool = False) -> None:
        """Give the connection up without asking the broker, and try a new one after a pause: the
        same node with `stay`, and with `again` for those who wait, who are refused else.
        """
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and not stay:
            self.node = next(self._nodes)
        self._unconfirmed.clear()
        if again:
            self._waiting = list(self._asked.values())
        else:
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
        self._waiting.clear()
        for call in tuple(self._asked):
            call.refuse(reason)
