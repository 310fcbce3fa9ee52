"""The service with all its queries through PgBouncer in transaction mode."""

import os
from datetime import timedelta
from pathlib import Path

import pika
import psycopg
import pytest
from django.db.models.functions import Now

from tasks_app.models import Status, Task
from tasks_app.queue.doorbell import QUEUE
from tasks_app.tests.conftest import database_url
from testing import pgbouncer
from testing.service import Service, eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="pgbouncer is not installed"),
]

POOL = 3


def server_connections() -> int:
    with psycopg.connect(database_url()) as database:
        row = database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'quantumtasks'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def broker_forgets() -> None:
    """Every message is gone, and the tasks look as if that was a while ago."""
    with pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])) as amqp:
        amqp.channel().queue_purge(QUEUE)
    Task.objects.update(enqueued_at=Now() - timedelta(minutes=1))


def test_tasks_run_clients_wait_and_recovery_leads(
    service: Service, tmp_path: Path, empty_queue: None
) -> None:
    with pgbouncer.pgbouncer(tmp_path / "pool", database_url(), pool_size=POOL) as pool:
        service.env |= {"DATABASE_URL": pool.url, "DATABASE_DIRECT_URL": database_url()}
        api = service.start_api(processes=2)
        lost = service.accepted()
        broker_forgets()
        answers = service.submit_many(60, clients=16)
        assert [answer.status for answer in answers] == [202] * 60
        worker = service.start_worker()

        waited = service.request("GET", f"/tasks/{service.accepted()}?wait=60", timeout_s=50)

        assert waited.status == 200, "it was not woken, and our patience ended"
        assert waited.body["status"] == Status.COMPLETED
        for answer in answers:
            assert service.finished(answer.body["task_id"])["status"] == Status.COMPLETED
        assert service.finished(lost)["status"] == Status.COMPLETED  # recovery rang, having a lock
        leaders = [line for line in worker.lines() if line["event"] == "recovery_leader"]
        assert len(leaders) == 1
        eventually(lambda: server_connections() <= POOL + 3, what="few connections")
        assert api.running and worker.running
        assert not [line for line in api.lines() + worker.lines() if line["level"] == "error"]
