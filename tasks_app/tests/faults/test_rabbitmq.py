"""Row 4: what RabbitMQ and the way to it can do."""

import signal
from collections.abc import Callable

import pytest

from tasks_app.circuits.backend import shipped
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE, QUEUE
from testing.arena import Arena, kill
from testing.service import descendants, eventually


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
    arena.rabbit.change_password("another")
    for proxy in arena.queues:
        proxy.cut()
    arena.hold()
    arena.rabbit.change_password()


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
        "RabbitMQ " + fault.__name__.replace("_", " "),
        clients=clients,
        every_s=max(0.25, 0.03 * clients),
    ):
        fault(arena)


def test_a_message_outlives_more_returns_than_rabbitmq_4_allows(arena: Arena) -> None:
    """All threads are busy, and each lost connection returns what waits behind them."""
    with arena.amqp() as channel:
        channel.queue_purge(DEAD_LETTER_QUEUE)
        with arena.trial("RabbitMQ cut 30 times while every thread is busy", clients=1) as trial:
            slow = [trial.submit_slow(60) for _ in range(4)]
            owners = {arena.owner(task_id) for task_id in slow}
            simulations = [pid for owner in owners for pid in descendants(owner)]
            kill(*simulations, signum=signal.SIGSTOP)  # the threads are busy, the machine is not
            waiting = trial.submit()
            for _ in range(30):
                eventually(lambda: _all_connected(arena), what="all workers are connected")
                for link in arena.links[1:]:
                    link.queue.cut()
            kill(*simulations, signum=signal.SIGCONT)
            for task_id in slow:
                arena.service.post(f"/tasks/{task_id}/cancel", {})

        assert trial.task(waiting)["status"] == "completed"
        assert channel.queue_declare(DEAD_LETTER_QUEUE, passive=True).method.message_count == 0


def _all_connected(arena: Arena) -> bool:
    """A worker process has one connection to publish, and one to consume for each backend."""
    each = 1 + len(shipped())
    return all(
        len(link.queue.outgoing_ports()) == each * arena.processes_of(worker)
        for link, worker in zip(arena.links[1:], arena.workers, strict=True)
    )


def test_no_connection_is_left_behind(arena: Arena) -> None:
    arena.check_connections()
