"""A cluster named in `RABBITMQ_URL`: which lists are taken, and going from node to node."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from dramatiq.errors import ConnectionClosed

from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import QUEUE
from tasks_app.queue.nodes import nodes
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.tests.unit.queues import doorbell, put
from testing.service import LIMIT_S, Proxy, eventually

URL = os.environ["RABBITMQ_URL"]
SELDOM_MS = int(10_000 * LIMIT_S)  # how often a consumer asks how full its queue is


# -- the list ----------------------------------------------------------------------------------


def test_one_url_is_one_node() -> None:
    (node,) = nodes("amqp://ada:se,cret@example.org:5673/tasks")
    assert (node.host, node.port, node.virtual_host) == ("example.org", 5673, "tasks")
    assert node.credentials.password == "se,cret"


def test_a_list_names_several_nodes() -> None:
    found = nodes("amqp://ada:x@one, amqps://ada:x@two:1234/%2F ,amqp://ada:x@[::1]")
    assert [(node.host, node.port) for node in found] == [
        ("one", 5672),
        ("two", 1234),
        ("::1", 5672),
    ]


def test_options_of_tls_may_hold_commas() -> None:
    assert len(nodes("amqps://one/?ssl_options={'capath': '/', 'ciphers': 'ALL'}")) == 1


@pytest.mark.parametrize(
    ("urls", "wrong"),
    [
        ("amqp://a:hunter2@one,two", "URL 1 "),
        ("amqp://a:hunter2@one:5672/,two:5672", "URL 1 "),
        ("amqp://a:hunter2@one,", "URL 1 "),
        ("amqp://a:hunter2@one,amqp://", "URL 2 "),
        ("amqp://one,amqp://a:hunter2@two:port", "URL 2 "),
        ("amqp://one,amqp://hunter2@two", "URL 2 "),
        ("amqp://one,amqp://a:hunter2@two?timeout=1", "URL 2 "),
        ("amqp://a:hunter2@one,amqp://a:hunter2@two/tasks", "vhosts"),
    ],
)
def test_another_list_is_refused_without_its_passwords(urls: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refusal:
        nodes(urls)
    assert "hunter2" not in str(refusal.value)


# -- from node to node -------------------------------------------------------------------------


@pytest.fixture
def ways() -> Iterator[list[Proxy]]:
    """Three ways to the session's RabbitMQ, as if they led to three nodes of it."""
    with ExitStack() as stack:
        target = urlsplit(URL).port or 5672
        yield [stack.enter_context(Proxy(target)) for _ in range(3)]


@pytest.fixture
def broker(ways: list[Proxy], empty_queue: None) -> Iterator[DoorbellBroker]:
    """Takes each of the three ways."""
    broker = DoorbellBroker(url=",".join(way.url(URL) for way in ways), middleware=[])
    yield broker
    for way in ways:
        way.thaw()
    broker.close()


def serves(broker: DoorbellBroker) -> bool:
    try:
        broker.publish((QUEUE, doorbell()))
    except QueueUnavailable:
        return False
    return True


def answers(broker: DoorbellBroker) -> bool:
    try:
        broker.depths(QUEUE)
    except QueueUnavailable:
        return False
    return True


def connected(ways: list[Proxy]) -> Proxy:
    """The way that the publisher takes."""
    way: Proxy = eventually(lambda: next((w for w in ways if w._pairs), None), what="it connects")
    return way


@pytest.mark.parametrize("lose", [Proxy.refuse, Proxy.freeze])
def test_the_publisher_leaves_each_node_that_it_loses(
    lose: Callable[[Proxy], None],
    broker: DoorbellBroker,
    ways: list[Proxy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks_app.queue.broker.PUBLISH_TIMEOUT_S", 2.0)  # as in the service
    eventually(lambda: serves(broker), what="it serves")
    for _ in range(2):
        lose(connected(ways))
        eventually(lambda: serves(broker), what="another node serves")


def test_an_idle_consumer_follows_the_publisher_to_another_node(
    broker: DoorbellBroker, ways: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.broker.PUBLISH_TIMEOUT_S", 2.0)  # as in the service
    consumer = eventually(lambda: broker.consume(QUEUE, timeout=SELDOM_MS), what="it consumes")
    assert next(consumer) is None
    connected(ways).freeze()
    assert not serves(broker)
    with pytest.raises(ConnectionClosed, match="had to leave"):
        eventually(lambda: next(consumer), what="it leaves")
    consumer.close()


def test_a_silent_node_is_not_waited_for_while_there_are_others(
    broker: DoorbellBroker, ways: list[Proxy]
) -> None:
    for node in broker._nodes:
        node.stack_timeout = 2 * LIMIT_S
    for way in ways[:2]:
        way.freeze()
    eventually(lambda: serves(broker), what="the third serves")


def test_where_all_nodes_are_slow_one_of_them_is_waited_for(
    broker: DoorbellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.publisher.GLANCE_S", 0.0)
    eventually(lambda: serves(broker), what="it serves")


def test_processes_begin_with_different_nodes(ways: list[Proxy]) -> None:
    url = ",".join(way.url(URL) for way in ways)

    found: set[int] = set()

    def all_have_been_first() -> bool:
        broker = DoorbellBroker(url=url, middleware=[])
        eventually(lambda: serves(broker), what="it serves")
        found.add(broker.publisher.node.port)
        broker.close()
        return len(found) == 3

    eventually(all_have_been_first, what="each has been first")


def test_a_name_that_nobody_knows_keeps_nobody_from_the_others(ways: list[Proxy]) -> None:
    unknown = "amqp://ada:x@no-such-host.invalid"
    broker = DoorbellBroker(url=f"{unknown},{ways[0].url(URL)}", middleware=[])
    eventually(lambda: serves(broker), what="the node that there is serves")
    eventually(lambda: broker.consume(QUEUE), what="and is consumed from").close()
    broker.close()


Moving: TypeAlias = tuple[DoorbellBroker, Callable[[Proxy], None]]


@pytest.fixture
def moving(
    ways: list[Proxy], empty_queue: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Moving]:
    """One node that is reached by its name, and what moves it to another way than the first."""
    look_up, leads_to = socket.getaddrinfo, [ways[0].port]

    def there(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host == "moving.example":
            host, port = "127.0.0.1", leads_to[0]
        return look_up(host, port, *args, **kwargs)

    def move(way: Proxy) -> None:
        leads_to[0] = way.port

    monkeypatch.setattr(socket, "getaddrinfo", there)
    url = urlsplit(URL)
    named = url._replace(netloc=f"{url.username}:{url.password}@moving.example").geturl()
    broker = DoorbellBroker(url=named, middleware=[])
    yield broker, move
    ways[0].thaw()
    broker.close()


def test_a_name_is_looked_up_by_each_connection(moving: Moving, ways: list[Proxy]) -> None:
    """A node that comes back may have another address."""
    broker, move = moving
    eventually(lambda: serves(broker), what="it serves")
    move(ways[1])
    ways[0].refuse()
    eventually(lambda: serves(broker), what="it serves at the new address")
    eventually(lambda: broker.consume(QUEUE), what="consumers go there too").close()


def test_a_consumer_whose_connection_is_as_dead_as_its_publishers_was_connects_anew(
    moving: Moving, ways: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.broker.PUBLISH_TIMEOUT_S", 2.0)  # as in the service
    broker, move = moving
    consumer = eventually(lambda: broker.consume(QUEUE, timeout=SELDOM_MS), what="it consumes")
    assert next(consumer) is None
    ways[0].freeze()
    move(ways[1])
    assert not answers(broker)
    eventually(lambda: answers(broker), what="the publisher has a new connection")
    with pytest.raises(ConnectionClosed, match="connect anew"):
        eventually(lambda: next(consumer), what="it leaves")
    consumer.close()


def test_a_consumer_that_is_answered_stays_when_its_publisher_connects_anew(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.consumer.ALIVE_S", 3.0)
    broker, _ = moving
    consumer = eventually(lambda: broker.consume(QUEUE, timeout=SELDOM_MS), what="it consumes")
    before = broker.publisher.connections
    broker.publisher._ioloop.add_callback_threadsafe(lambda: broker.publisher._drop("a whim"))
    eventually(lambda: broker.publisher.connections > before, what="it has a new connection")
    assert next(consumer) is None
    put(body := doorbell())
    assert eventually(lambda: next(consumer), what="a message comes").encode() == body
    consumer.close()


def test_a_consumer_leaves_a_frozen_node_long_before_a_heartbeat_would_tell(
    broker: DoorbellBroker, ways: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.queue.broker.PUBLISH_TIMEOUT_S", 2.0)  # as in the service
    consumer = eventually(lambda: broker.consume(QUEUE, timeout=200), what="it consumes")
    assert next(consumer) is None
    frozen = connected(ways)
    frozen.freeze()

    def ends() -> bool:
        try:
            next(consumer)
        except ConnectionClosed as closed:
            return "had to leave" in str(closed)
        return False

    eventually(ends, what="it gives up")
    consumer.close()  # without waiting for the node
    eventually(lambda: answers(broker), what="another node answers")
    again = eventually(lambda: broker.consume(QUEUE, timeout=200), what="it consumes elsewhere")
    assert connected([way for way in ways if way is not frozen])
    frozen.thaw()  # upon which RabbitMQ notices that its first consumer is gone
    put(body := doorbell())
    assert eventually(lambda: next(again), what="a message comes").encode() == body
    again.close()
