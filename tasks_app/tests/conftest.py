"""Fixtures that more than one kind of test uses."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest
from django.db import connection

from tasks_app import broker
from tasks_app.tests.service import Service


@pytest.fixture
def empty_queue() -> None:
    """No messages of earlier tests in the queue or among its dead letters."""
    broker.depths()  # declares both
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as amqp:
        channel = amqp.channel()
        channel.queue_purge(broker.QUEUE)
        channel.queue_purge(broker.DEAD_LETTER_QUEUE)


@pytest.fixture
def service(tmp_path: Path, transactional_db: None, empty_queue: None) -> Iterator[Service]:
    """Real processes on the test database and broker, with clean tables and an empty queue."""
    with Service(tmp_path, env={"DATABASE_URL": database_url()}) as running:
        yield running


def database_url() -> str:
    """The URL of pytest-django's database, for other processes."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
