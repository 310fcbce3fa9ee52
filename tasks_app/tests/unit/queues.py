"""Looking into the real queue, past everything under test."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pika

from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.lifecycle import Waiting
from tasks_app.queue import doorbell as doorbells
from tasks_app.queue.doorbell import QUEUE


@contextmanager
def channel() -> Iterator[Any]:
    """A plain channel to the session's RabbitMQ."""
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as connection:
        yield connection.channel()


def taken(queue: str = QUEUE) -> list[bytes]:
    """All messages that were ready, removed from the queue."""
    bodies: list[bytes] = []
    with channel() as amqp:
        while True:
            _, _, body = amqp.basic_get(queue, auto_ack=True)
            if body is None:
                return bodies
            bodies.append(body)


def rung(queue: str = QUEUE) -> list[uuid.UUID]:
    """The tasks that messages ring for, in the queue's order; the messages are removed."""
    return [uuid.UUID(dramatiq.Message.decode(body).args[0]) for body in taken(queue)]


def put(body: bytes, queue: str = QUEUE) -> None:
    """Add a message; returns when RabbitMQ has confirmed it."""
    with channel() as amqp:
        amqp.confirm_delivery()
        amqp.basic_publish("", queue, body, mandatory=True)


def bells(*task_ids: uuid.UUID, correlation_id: str = "c-1") -> list[Waiting]:
    """What `broker.ring` takes, on the default backend."""
    return [Waiting(task_id, correlation_id, DEFAULT_BACKEND) for task_id in task_ids]


def in_queue(*bodies: bytes) -> list[tuple[str, bytes]]:
    """What a publisher takes, for the default backend's queue."""
    return [(QUEUE, body) for body in bodies]


def doorbell(task_id: object = None, **fields: Any) -> bytes:
    """A message like those of `broker.ring`."""
    message = doorbells.doorbell(task_id or uuid.uuid4(), "c-1")
    return message.copy(**fields).encode() if fields else message.encode()
