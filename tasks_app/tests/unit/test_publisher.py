"""Publishing to a real RabbitMQ that misbehaves: confirmed, or refused in bounded time."""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import QUEUE
from tasks_app.queue.nodes import nodes
from tasks_app.queue.publisher import Publisher, QueueUnavailable
from tasks_app.tests.unit.queues import channel, in_queue, put, taken
from testing.servers import RabbitServer
from testing.service import LIMIT_S, SLACK, Proxy, eventually

pytestmark = pytest.mark.usefixtures("empty_queue")

PROMISED_S = 3.0
TIMEOUT_S = 2.0  # as in the service

T = TypeVar("T")


def ends(work: Callable[[], T]) -> T:
    """What `work` returns or raises. That it ends within 3 s is a promise to clients."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=PROMISED_S * SLACK)


def publish(publisher: Publisher, *bodies: bytes) -> None:
    publisher.publish(*in_queue(*bodies), timeout_s=LIMIT_S)


def refused(publisher: Publisher) -> str:
    with pytest.raises(QueueUnavailable) as unavailable:
        ends(lambda: publisher.publish((QUEUE, b"refused"), timeout_s=TIMEOUT_S))
    return str(unavailable.value)


def serves(publisher: Publisher) -> bool:
    try:
        ends(lambda: publisher.publish((QUEUE, b"served"), timeout_s=TIMEOUT_S))
    except QueueUnavailable:
        return False
    return True


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(urlsplit(os.environ["RABBITMQ_URL"]).port or 5672) as running:
        yield running


@pytest.fixture
def broker(proxy: Proxy) -> Iterator[DoorbellBroker]:
    """As the service has it, but through a proxy; not connected yet."""
    broker = DoorbellBroker(url=proxy.url(os.environ["RABBITMQ_URL"]), middleware=[])
    yield broker
    proxy.thaw()
    broker.close()


@pytest.fixture
def publisher(broker: DoorbellBroker) -> Publisher:
    """On its way to the broker."""
    return broker.publisher


def connections(proxy: Proxy) -> int:
    return len(proxy._pairs)


# -- when all is well --------------------------------------------------------------------------


def test_what_is_published_is_in_the_queue_in_order(publisher: Publisher) -> None:
    publish(publisher, b"1", b"2", b"3")
    publish(publisher, b"4")
    assert taken() == [b"1", b"2", b"3", b"4"]


def test_messages_survive_the_brokers_restart(
    publisher: Publisher, rabbit_server: RabbitServer
) -> None:
    publish(publisher, b"kept")
    with channel() as amqp:
        _, properties, _ = amqp.basic_get("quantum_tasks")
        assert properties.delivery_mode == 2
        with pytest.raises(Exception, match="PRECONDITION"):  # it is durable and a quorum queue
            amqp.queue_declare("quantum_tasks", durable=False)


def test_publishing_nothing_asks_nobody(publisher: Publisher, proxy: Proxy) -> None:
    publish(publisher)
    assert taken() == []


def test_sixteen_threads_together_lose_nothing_over_one_connection(
    publisher: Publisher, proxy: Proxy
) -> None:
    def many(thread: int) -> None:
        for number in range(40):
            publish(publisher, f"{thread}/{number}".encode())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(many, range(16)))

    assert connections(proxy) == 1
    bodies = taken()
    assert len(bodies) == len(set(bodies)) == 16 * 40


def test_threads_that_meet_at_a_brokers_first_use_share_one_publisher() -> None:
    for _ in range(20):
        broker = DoorbellBroker(url=os.environ["RABBITMQ_URL"], middleware=[])
        barrier = threading.Barrier(8)

        def first_use(broker: Any = broker, barrier: Any = barrier) -> Publisher:
            barrier.wait()
            return broker.publisher  # type: ignore[no-any-return]

        with ThreadPoolExecutor(8) as pool:
            found = {future.result() for future in [pool.submit(first_use) for _ in range(8)]}
        broker.close()
        assert len(found) == 1


def test_processes_that_make_a_queue_together_are_all_served() -> None:
    """RabbitMQ refuses messages for it while the first of them is still making it."""
    queue, barrier = f"new-{uuid.uuid4()}", threading.Barrier(5)
    quorum = {"x-queue-type": "quorum"}

    def first_message(_: int) -> None:
        barrier.wait(LIMIT_S)
        one = Publisher(nodes(os.environ["RABBITMQ_URL"]), queue, f"{queue}.XQ", lambda _: quorum)
        one.publish((queue, b"1"), (queue, b"2"), (queue, b"3"), timeout_s=LIMIT_S)
        one.close()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(first_message, range(5)))
    assert Counter(taken(queue)) >= Counter({b"1": 5, b"2": 5, b"3": 5})
    with channel() as amqp:
        amqp.queue_delete(queue)
        amqp.queue_delete(f"{queue}.XQ")


def test_a_deleted_queue_is_reported_and_made_again(publisher: Publisher) -> None:
    publish(publisher, b"before")
    with channel() as amqp:
        amqp.queue_delete("quantum_tasks")

    with pytest.raises(QueueUnavailable, match="deleted"):
        publisher.publish((QUEUE, b"refused"), timeout_s=LIMIT_S)

    eventually(lambda: serves(publisher), what="it serves again")
    assert set(taken()) == {b"served"}


def test_a_deleted_queue_is_noticed_by_whoever_asks_for_its_depth_and_comes_back(
    publisher: Publisher,
) -> None:
    publish(publisher, b"before")
    with channel() as amqp:
        amqp.queue_delete("quantum_tasks.XQ")
        amqp.queue_delete("quantum_tasks")

    with pytest.raises(QueueUnavailable):
        ends(lambda: publisher.depths(QUEUE, timeout_s=TIMEOUT_S))

    eventually(lambda: serves(publisher), what="it serves again")
    eventually(
        lambda: publisher.depths(QUEUE, timeout_s=LIMIT_S).ready == 1,
        what="the queue's length is known",
    )
    assert taken("quantum_tasks.XQ") == []


def test_closing_leaves_neither_connection_nor_thread(publisher: Publisher, proxy: Proxy) -> None:
    publish(publisher, b"1")
    assert "publisher" in {thread.name for thread in threading.enumerate()}
    mine = publisher._thread

    publisher.close()

    assert not mine.is_alive()
    eventually(lambda: connections(proxy) == 0, what="the connection is closed")
    refused(publisher)


def test_a_publisher_that_was_never_used_closes(publisher: Publisher, proxy: Proxy) -> None:
    publisher.close()
    assert not publisher._thread.is_alive()
    eventually(lambda: connections(proxy) == 0, what="no connection is left")


def test_a_forked_process_publishes_over_a_connection_of_its_own(proxy: Proxy) -> None:
    broker = DoorbellBroker(url=proxy.url(os.environ["RABBITMQ_URL"]), middleware=[])
    broker.publisher.publish((QUEUE, b"parent"), timeout_s=LIMIT_S)

    child = os.fork()
    if child == 0:
        status = 1
        try:
            broker.publisher.publish((QUEUE, b"child"), timeout_s=LIMIT_S)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    broker.publisher.publish((QUEUE, b"parent again"), timeout_s=LIMIT_S)
    broker.close()

    assert taken() == [b"parent", b"child", b"parent again"]


# -- when it is away ---------------------------------------------------------------------------


def test_a_refused_connection_is_reported_and_recovers(
    broker: DoorbellBroker, proxy: Proxy
) -> None:
    proxy.refuse()
    publisher = broker.publisher
    refused(publisher)
    proxy.allow()
    eventually(lambda: serves(publisher), what="it serves again")


def test_a_broker_frozen_before_the_handshake_is_reported_and_recovers(
    broker: DoorbellBroker, proxy: Proxy
) -> None:
    proxy.freeze()
    publisher = broker.publisher
    assert "no answer" in refused(publisher)
    proxy.thaw()
    eventually(lambda: serves(publisher), what="it serves again")


def test_a_broker_frozen_in_the_middle_of_a_confirm_is_reported_and_recovers(
    publisher: Publisher, proxy: Proxy
) -> None:
    publish(publisher, b"before")
    proxy.freeze()
    assert "no answer" in refused(publisher)
    proxy.thaw()
    eventually(lambda: serves(publisher), what="it serves again")
    assert b"before" in taken()


@contextmanager
def standing_still(rabbit: RabbitServer) -> Iterator[None]:
    """The queue's leader answers nothing, and its node answers all else: as if the leader were on
    another node, which was lost."""
    rabbit.ctl("eval", f"sys:suspend('%2F_{QUEUE}').")
    try:
        yield
    finally:
        rabbit.ctl("eval", f"sys:resume('%2F_{QUEUE}').")


def test_a_node_that_answers_is_left_for_no_pause_of_a_queue(
    publisher: Publisher, rabbit_server: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.publisher.PATIENCE_S", 10 * LIMIT_S)
    publish(publisher, b"before")
    connection = publisher._connection
    with standing_still(rabbit_server):
        assert "no answer" in refused(publisher)
        assert not serves(publisher)
    eventually(lambda: serves(publisher), what="it serves again")
    assert publisher._connection is connection
    assert set(taken()) == {b"before", b"refused", b"served"}


def test_a_node_whose_queue_stands_still_for_long_is_left(
    publisher: Publisher, rabbit_server: RabbitServer
) -> None:
    publish(publisher, b"before")
    connection = publisher._connection
    with standing_still(rabbit_server):
        refused(publisher)
        eventually(lambda: publisher._connection is not connection, what="it is left")
    eventually(lambda: serves(publisher), what="it serves again")


def test_who_waits_for_less_than_others_takes_no_connection_from_them(
    publisher: Publisher, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.publisher.SLOW_S", 10 * LIMIT_S)
    publish(publisher, b"before")
    connection = publisher._connection
    proxy.freeze()
    with pytest.raises(QueueUnavailable):
        publisher.depths(QUEUE, timeout_s=0.01)
    proxy.thaw()
    publish(publisher, b"after")
    assert publisher._connection is connection


def test_a_connection_whose_first_message_is_refused_is_made_anew(
    publisher: Publisher, rabbit_server: RabbitServer
) -> None:
    """To the same node, which did answer: consumers follow the publisher to another one."""
    put(b"the last that fits")
    put(b"one too many")
    full = '{"max-length": 1, "overflow": "reject-publish"}'
    rabbit_server.ctl("set_policy", "--apply-to", "queues", "full", f"^{QUEUE}$", full)
    try:
        publisher.depths(QUEUE, timeout_s=LIMIT_S)
        connection, node = publisher._connection, publisher.node
        assert "refused the first message" in refused(publisher)
        eventually(lambda: publisher._connection not in {connection, None}, what="another one")
        assert publisher.node is node
    finally:
        rabbit_server.ctl("clear_policy", "full")
    eventually(lambda: serves(publisher), what="it serves again")


def test_a_cut_connection_is_replaced(publisher: Publisher, proxy: Proxy) -> None:
    publish(publisher, b"before")
    for _ in range(3):
        proxy.cut()
        serves(publisher)  # either way, but it ends
        eventually(lambda: serves(publisher), what="it serves again")
    eventually(lambda: connections(proxy) == 1, what="no connection is left over")


def test_a_memory_alarm_is_reported_and_its_end_noticed(
    publisher: Publisher, rabbit_server: RabbitServer
) -> None:
    publish(publisher, b"before")
    rabbit_server.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        refused(publisher)
        refused(publisher)
    finally:
        rabbit_server.ctl("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: serves(publisher), what="it serves again")


def test_a_wrong_password_is_reported_without_it(proxy: Proxy) -> None:
    url = urlsplit(proxy.url(os.environ["RABBITMQ_URL"]))
    wrong = url._replace(netloc=f"{url.username}:hunter2hunter2@127.0.0.1:{proxy.port}").geturl()
    broker = DoorbellBroker(url=wrong, middleware=[])
    try:
        reason = refused(broker.publisher)
        assert "hunter2" not in reason
        refused(broker.publisher)
    finally:
        broker.close()


def test_while_the_broker_is_down_callers_are_refused_at_once(
    publisher: Publisher, proxy: Proxy
) -> None:
    proxy.freeze()
    refused(publisher)

    def thousand() -> int:
        count = 0
        for _ in range(1000):
            try:
                publisher.publish((QUEUE, b"x"), timeout_s=TIMEOUT_S)
            except QueueUnavailable:
                count += 1
        return count

    assert ends(thousand) == 1000
    with pytest.raises(QueueUnavailable):
        ends(lambda: publisher.depths(QUEUE, timeout_s=TIMEOUT_S))


def test_all_who_wait_are_told_together(publisher: Publisher, proxy: Proxy) -> None:
    publish(publisher, b"before")
    proxy.freeze()
    with ThreadPoolExecutor(16) as pool:
        waiting = [
            pool.submit(publisher.publish, (QUEUE, b"x"), timeout_s=TIMEOUT_S) for _ in range(16)
        ]
        for each in waiting:
            with pytest.raises(QueueUnavailable):
                each.result(timeout=PROMISED_S * SLACK)


def test_of_messages_in_a_bad_network_every_confirmed_one_is_in_the_queue(
    publisher: Publisher, proxy: Proxy
) -> None:
    confirmed: list[bytes] = []
    ending = threading.Event()

    def cut_again_and_again() -> None:
        seen = 0
        while not ending.wait(0.005):
            if len(confirmed) >= seen + 20:
                seen = len(confirmed)
                proxy.cut()

    vandal = threading.Thread(target=cut_again_and_again)
    vandal.start()
    try:
        for number in range(500):
            body = str(number).encode()
            try:
                publisher.publish((QUEUE, body), timeout_s=TIMEOUT_S)
            except QueueUnavailable:
                ending.wait(0.01)
            else:
                confirmed.append(body)
    finally:
        ending.set()
        vandal.join()

    assert confirmed
    assert set(confirmed) <= set(taken())
