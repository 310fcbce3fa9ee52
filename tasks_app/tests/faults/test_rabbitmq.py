"""Row 4: what RabbitMQ and the way to it can do."""

from collections.abc import Callable

import pytest

from tasks_app.queue.doorbell import QUEUE
from testing.arena import Arena


def restarted(arena: Arena) -> None:
    arena.rabbit.stop()
    arena.hold()
    arena.rabbit.start()


def killed(arena: Arena) -> None:
    arena.rabbit.kill()
    arena.hold()
    arena.rabbit.start()


def cut(arena: Arena) -> None:
    for proxy in arena.queues:
        proxy.cut()


def refused(arena: Arena) -> None:
    for proxy in arena.queues:
        proxy.refuse()
    arena.hold()
    for proxy in arena.queues:
        proxy.allow()


def frozen(arena: Arena) -> None:
    for proxy in arena.queues:
        proxy.freeze()
    arena.hold(max(4, arena.hold_s))
    arena.stream.await_round()  # the API answers, and is not waiting for the thaw
    for proxy in arena.queues:
        proxy.thaw()


def frozen_in_the_middle_of_a_confirm(arena: Arena) -> None:
    """The API's messages arrive and are worked on; it never hears of it."""
    proxy = arena.links[0].queue
    proxy.freeze_replies()
    arena.hold(max(3, arena.hold_s))
    arena.stream.await_round()
    proxy.thaw()


def memory_alarm(arena: Arena) -> None:
    arena.rabbit.ctl("set_vm_memory_high_watermark", "0.00001")
    arena.hold()
    arena.rabbit.ctl("set_vm_memory_high_watermark", "0.4")


def queue_purged(arena: Arena) -> None:
    with arena.amqp() as channel:
        channel.queue_purge(QUEUE)


def queue_deleted(arena: Arena) -> None:
    with arena.amqp() as channel:
        channel.queue_delete(QUEUE)


def wrong_password(arena: Arena) -> None:
    user, password = arena.rabbit.url.removeprefix("amqp://").partition("@")[0].split(":")
    arena.rabbit.ctl("change_password", user, "another")
    for proxy in arena.queues:
        proxy.cut()
    arena.hold()
    arena.rabbit.ctl("change_password", user, password)


FAULTS = [
    restarted,
    killed,
    cut,
    refused,
    frozen,
    frozen_in_the_middle_of_a_confirm,
    memory_alarm,
    queue_purged,
    queue_deleted,
    wrong_password,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_task_is_lost_when_rabbitmq_is(fault: Callable[[Arena], None], arena: Arena) -> None:
    clients = 32 if fault in (frozen, frozen_in_the_middle_of_a_confirm) else 4
    with arena.trial(
        "RabbitMQ " + fault.__name__.replace("_", " "), clients=clients, every_s=0.03 * clients
    ):
        fault(arena)


def test_no_connection_is_left_behind(arena: Arena) -> None:
    arena.check_connections()
