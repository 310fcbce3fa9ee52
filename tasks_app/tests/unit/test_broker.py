"""The doorbell: what is sent, how it is acknowledged, and what becomes of what is no doorbell."""

import io
import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import dramatiq
import pytest
from django.core.management import CommandError, call_command
from dramatiq.errors import ConnectionClosed

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.queue import broker
from tasks_app.queue import consumer as consumers
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.consumer import STOCK
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE, LOOKOUT, QUEUE, queue_of
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.tests.unit.queues import bells, channel, doorbell, in_queue, put, rung, taken
from testing.service import LIMIT_S, Service, eventually

pytestmark = pytest.mark.usefixtures("empty_queue")


@pytest.fixture
def current() -> DoorbellBroker:
    found = dramatiq.get_broker()
    assert isinstance(found, DoorbellBroker)
    return found


def arrived(consumer: Any) -> Any:
    """The next message, whenever it comes: None means that none has come yet."""
    return eventually(lambda: next(consumer), what="a message arrives")


def ready(count: int) -> None:
    """Wait until there are so many: what a consumer held comes back after its connection ended."""
    eventually(lambda: broker.depths().ready == count, what=f"{count} messages are in the queue")


def test_a_ring_names_the_task_and_carries_the_correlation_id() -> None:
    task_id = uuid.uuid4()

    broker.ring(bells(task_id, correlation_id="abc"))

    (body,) = taken()
    message = dramatiq.Message.decode(body)
    assert (message.queue_name, message.actor_name) == ("quantum_tasks", "run_task")
    assert (message.args, message.kwargs) == ((str(task_id),), {})
    assert message.options == {"correlation_id": "abc"}


def test_many_rings_are_sent_together() -> None:
    ids = [uuid.uuid4() for _ in range(100)]
    broker.ring(bells(*ids))
    assert rung() == ids


def test_depths_count_messages_and_dead_letters() -> None:
    put(b"1")
    put(b"2", DEAD_LETTER_QUEUE)
    put(b"3", DEAD_LETTER_QUEUE)
    eventually(
        lambda: (broker.depths().ready, broker.depths().dead_letters) == (1, 2),
        what="both are counted",
    )


def test_there_is_no_delay(current: DoorbellBroker) -> None:
    with pytest.raises(ValueError, match="no delay"):
        current.enqueue(dramatiq.Message.decode(doorbell()), delay=1)
    assert taken() == []


# -- acknowledgement ---------------------------------------------------------------------------


def test_an_acknowledged_message_is_gone_and_another_one_stays(current: DoorbellBroker) -> None:
    first, second = doorbell(), doorbell()
    put(first)
    put(second)
    consumer = current.consume(QUEUE, prefetch=1, timeout=1000)
    message = arrived(consumer)

    consumer.ack(message)
    consumer.close()

    ready(1)
    assert taken() == [second]


def test_a_late_acknowledgement_does_not_remove_another_message(current: DoorbellBroker) -> None:
    """After a reconnect another message has the tag that the first had."""
    first, second = doorbell(), doorbell()
    put(first)
    before = current.consume(QUEUE, prefetch=1, timeout=1000)
    late = arrived(before)
    before.connection.close()  # the first goes back into the queue
    before.close()  # as Dramatiq does
    ready(1)
    with channel() as sibling:
        assert sibling.basic_get(QUEUE)[2] == first  # and to another worker
        put(second)
        after = current.consume(QUEUE, prefetch=1, timeout=1000)
        other = arrived(after)
        assert other.encode() == second
        assert (late.tag, late.message_id) == (
            other.tag,
            dramatiq.Message.decode(first).message_id,
        )

        after.ack(late)
        assert next(after) is None  # which also carries out what was to be acknowledged
        after.close()

    ready(2)
    assert sorted(taken()) == sorted([first, second])


def test_a_late_rejection_does_not_dead_letter_another_message(current: DoorbellBroker) -> None:
    put(doorbell())
    before = current.consume(QUEUE, prefetch=1, timeout=1000)
    late = arrived(before)
    before.connection.close()
    before.close()
    after = current.consume(QUEUE, prefetch=1, timeout=1000)
    arrived(after)

    after.nack(late)
    assert next(after) is None
    after.close()

    ready(1)
    assert taken(DEAD_LETTER_QUEUE) == []


def test_acknowledging_over_a_lost_connection_is_no_error(current: DoorbellBroker) -> None:
    put(doorbell())
    consumer = current.consume(QUEUE, prefetch=1, timeout=1000)
    message = arrived(consumer)
    consumer.connection.close()

    consumer.ack(message)
    consumer.close()

    ready(1)


def run_quickly(consumer: Any, count: int) -> None:
    for _ in range(count):
        consumer.ack(arrived(consumer))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task counts as quick, however slow this machine is."""
    monkeypatch.setattr(consumers, "QUICK_S", 1e6)


@pytest.mark.usefixtures("quick")
def test_while_tasks_are_quick_a_stock_of_messages_is_taken(current: DoorbellBroker) -> None:
    current.publisher.publish(*in_queue(*(doorbell() for _ in range(3 * STOCK))), timeout_s=10)
    consumer = current.consume(QUEUE, prefetch=1, timeout=1000)

    run_quickly(consumer, STOCK)
    arrived(consumer)  # is not done: the thread is busy, and 15 others lie in stock

    ready(STOCK)
    consumer.close()
    ready(2 * STOCK)  # what was done was acknowledged, all else came back


@pytest.mark.usefixtures("quick")
def test_a_long_task_holds_no_message_back_from_others(current: DoorbellBroker) -> None:
    current.publisher.publish(*in_queue(*(doorbell() for _ in range(2 * STOCK))), timeout_s=10)
    consumer = current.consume(QUEUE, prefetch=1, timeout=1000)
    run_quickly(consumer, STOCK)
    long = arrived(consumer)

    assert next(consumer) is None  # the thread is still busy
    ready(STOCK - 1)
    put(doorbell())
    assert next(consumer) is None
    ready(STOCK)  # nor does it take a new one

    consumer.ack(long)
    run_quickly(consumer, STOCK)
    consumer.close()
    ready(0)


def test_a_message_may_be_given_back_as_often_as_it_takes(current: DoorbellBroker) -> None:
    """RabbitMQ 4 discards one at its 21st return: it is rung for anew before."""
    put(doorbell())
    consumer = current.consume(QUEUE, prefetch=1, timeout=10)
    for _ in range(15):
        consumer._give_back()
        with channel() as another:
            eventually(lambda: another.basic_get(QUEUE)[0], what="it is back")
            consumer._consume(2)
            assert next(consumer._messages)[0] is None
        eventually(partial(_has_come, consumer), what="it has come back, and here")
        consumer._give_back()
        ready(1)
    consumer.close()
    assert broker.depths().dead_letters == 0


def _has_come(consumer: Any) -> bool:
    consumer.connection.process_data_events(time_limit=0)
    return bool(consumer._channel.get_waiting_message_count())


def test_each_message_is_settled_once_in_whatever_order_it_ends(current: DoorbellBroker) -> None:
    bodies = [doorbell() for _ in range(8)]
    current.publisher.publish(*in_queue(*bodies), timeout_s=10)
    consumer = current.consume(QUEUE, prefetch=4, timeout=1000)

    first, second, third, fourth = (arrived(consumer) for _ in range(4))
    consumer.ack(third)
    consumer.nack(second)
    fifth, sixth = arrived(consumer), arrived(consumer)
    for message in (sixth, first, fourth):
        consumer.ack(message)
    seventh = arrived(consumer)
    consumer.ack(seventh)
    assert fifth.encode() == bodies[4]
    consumer.close()

    ready(2)
    assert sorted(taken()) == sorted([bodies[4], bodies[7]])
    eventually(lambda: broker.depths().dead_letters == 1, what="the rejected one is there")
    assert taken(DEAD_LETTER_QUEUE) == [second.encode()]


def test_consuming_makes_a_deleted_queue_again(current: DoorbellBroker) -> None:
    with channel() as amqp:
        amqp.queue_delete(QUEUE)

    def consumer_again() -> Any:
        with suppress(ConnectionClosed):  # Dramatiq tries again too
            return current.consume(QUEUE, prefetch=1, timeout=1000)

    consumer = eventually(consumer_again, what="the queue is there again")
    body = doorbell()
    put(body)
    assert arrived(consumer).encode() == body
    consumer.close()


@pytest.fixture
def nobody() -> Iterator[DoorbellBroker]:
    """Without a RabbitMQ."""
    broker = DoorbellBroker(url="amqp://a:b@127.0.0.1:1/", middleware=[])
    yield broker
    broker.close()


def test_consuming_from_nobody_is_an_error_that_dramatiq_knows(nobody: DoorbellBroker) -> None:
    with pytest.raises(ConnectionClosed):
        nobody.consume(QUEUE)


def test_a_worker_that_hears_of_no_tasks_rings_for_itself(nobody: DoorbellBroker) -> None:
    """For each backend in turn, and as often as it has a thread for it."""
    for queue in (QUEUE, queue_of("vega")):
        nobody.declare_queue(queue)
    lookout = nobody.consume(LOOKOUT)
    first = arrived(lookout)
    assert (first.queue_name, first.kwargs) == (LOOKOUT, {"backend": "aer", "unasked": True})
    assert [next(lookout) for _ in range(8)] == [None] * 8  # its only thread is busy
    lookout.ack(first)
    second = arrived(lookout)
    assert second.kwargs == {"backend": "vega", "unasked": True}
    lookout.nack(second)
    assert arrived(lookout).kwargs == first.kwargs
    lookout.close()


def test_a_worker_knows_of_which_backends_it_hears_nothing(current: DoorbellBroker) -> None:
    current.declare_queue(QUEUE)
    consumer = current.consume(QUEUE)
    next(consumer)
    assert DEFAULT_BACKEND not in current.unheard(LIMIT_S)
    assert DEFAULT_BACKEND in current.unheard(0)
    consumer.close()


# -- dead letters ------------------------------------------------------------------------------


def replay(*options: str) -> str:
    output = io.StringIO()
    call_command("replay_dead_letters", *options, stdout=output)
    return output.getvalue()


@pytest.fixture
def two_dead_letters() -> Iterator[list[bytes]]:
    bodies = [doorbell(), doorbell()]
    for body in bodies:
        put(body, DEAD_LETTER_QUEUE)
    yield bodies


def test_a_dry_replay_prints_and_moves_nothing(two_dead_letters: list[bytes]) -> None:
    output = replay("--dry-run")

    assert "2 message(s) found" in output
    for body in two_dead_letters:
        assert body.decode() in output
    assert taken() == []
    assert sorted(taken(DEAD_LETTER_QUEUE)) == sorted(two_dead_letters)


def test_a_replay_moves_every_message_back(two_dead_letters: list[bytes]) -> None:
    output = replay()

    assert "2 message(s) replayed" in output
    assert taken() == two_dead_letters
    assert taken(DEAD_LETTER_QUEUE) == []


def test_a_limited_replay_leaves_the_rest(two_dead_letters: list[bytes]) -> None:
    assert "1 message(s) replayed" in replay("--limit", "1")
    assert taken() == two_dead_letters[:1]
    assert taken(DEAD_LETTER_QUEUE) == two_dead_letters[1:]


def test_nothing_to_replay_is_no_error() -> None:
    assert "0 message(s) replayed" in replay()


def test_after_a_replay_the_same_process_can_still_ring(two_dead_letters: list[bytes]) -> None:
    replay()
    taken()
    task_id = uuid.uuid4()
    broker.ring(bells(task_id, correlation_id="abc"))
    assert rung() == [task_id]


def test_a_replay_without_a_broker_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = DoorbellBroker(url="amqp://a:secret@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)
    with pytest.raises(CommandError, match="unavailable") as error:
        replay()
    assert "secret" not in str(error.value)


def test_a_broker_that_is_away_is_not_an_empty_queue() -> None:
    nobody = DoorbellBroker(url="amqp://a:b@127.0.0.1:1/", middleware=[])
    try:
        with pytest.raises(QueueUnavailable):
            nobody.publisher.depths(QUEUE, timeout_s=2)
    finally:
        nobody.close()


# -- what is no doorbell -----------------------------------------------------------------------

# To the dead letters: somebody should look at these.
STRANGERS = {
    "garbage": b"\x00\xff\xfe garbage",
    "nothing": b"",
    "no object": b"[1, 2, 3]",
    "a number": b"17",
    "an empty object": b"{}",
    "deep nesting": b"[" * 100_000,
    "an unknown actor": doorbell(actor_name="no_such_actor"),
    "an unknown queue": doorbell(queue_name="no_such_queue"),
    "no arguments": doorbell(args=()),
    "two arguments": doorbell(args=("a", "b")),
    "keyword arguments": doorbell(kwargs={"shots": 1}),
    "options of no use": json.dumps(json.loads(doorbell()) | {"options": None}).encode(),
    "a delay": doorbell(options={"eta": 10**15}),
    "a pipeline": doorbell(options={"pipe_target": {"queue_name": "x"}}),
}
# Logged and acknowledged: there is nothing to be done about them.
NO_TASKS = {
    "an unknown task": doorbell(),
    "no uuid": doorbell(args=("../../etc/passwd",)),
    "a number for an id": doorbell(args=(7,)),
    "null for an id": doorbell(args=(None,)),
    "a list for an id": doorbell(args=(["x"],)),
    "a NUL in the id": doorbell(args=("\x00",)),
    "a correlation id that is none": doorbell(options={"correlation_id": {"a": "b" * 500}}),
}


def test_a_worker_outlives_everything_that_is_no_doorbell_and_runs_it_once(
    service: Service,
) -> None:
    service.start_api()
    worker = service.start_worker()
    for body in (*STRANGERS.values(), *NO_TASKS.values()):
        put(body)

    task = service.finished(service.accepted())

    assert task["status"] == "completed"
    eventually(
        lambda: service.get("/health").body["queue"]["dead_letters"] == len(STRANGERS),
        what="all that is strange is among the dead letters",
    )
    assert worker.running
    received = [line for line in worker.lines() if line["event"] == "message_received"]
    assert len(received) == len(NO_TASKS) + 1
    for process in service.processes:
        process.stop()
    assert taken() == []
    assert sorted(taken(DEAD_LETTER_QUEUE)) == sorted(STRANGERS.values())
