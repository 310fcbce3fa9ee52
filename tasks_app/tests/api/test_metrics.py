"""GET /metrics: the figures follow the tables and the queue."""

import re
from pathlib import Path

import dramatiq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks_app import lifecycle
from tasks_app.models import Status, Worker
from tasks_app.queue import broker
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE
from tasks_app.tests.api.client import get
from tasks_app.tests.unit.queues import put
from tasks_app.tests.unit.tasks import age_lease, claimed, in_state, pending, processing
from testing.service import eventually

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]


def metrics(accept: str = "*/*") -> dict[str, float]:
    response = get("/metrics", accept=accept)
    assert response.status_code == 200, response.content
    assert response["Content-Type"].startswith("text/plain")
    return {
        "/".join([sample.name.removeprefix("quantumtasks_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_the_figures_follow_the_tables() -> None:
    before = metrics()
    assert (before["tasks/pending"], before["tasks/processing"]) == (0, 0)
    assert (before["oldest_pending_seconds"], before["leases_expired"]) == (0, 0)

    waiting = [pending(), pending()]
    age_lease(processing().task_id)
    for status in (Status.PROCESSING, Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        in_state(status)

    now = metrics()
    assert (now["tasks/pending"], now["tasks/processing"]) == (2, 2)
    assert now["leases_expired"] == 1
    assert now["oldest_pending_seconds"] > 0
    assert now["internal_errors"] == 0
    assert (now["database_up"], now["queue_up"]) == (1, 1)

    lifecycle.complete(claimed(waiting[0]), {"counts": {}})
    assert metrics()["tasks/pending"] == 1
    lifecycle.fail(claimed(waiting[1]), code="internal_error", message="Ours.")
    assert metrics()["internal_errors"] == 1


def test_the_figures_follow_the_queue() -> None:
    put(b"1")
    put(b"2", DEAD_LETTER_QUEUE)
    eventually(
        lambda: (broker.depths().ready, broker.depths().dead_letters) == (1, 1),
        what="RabbitMQ counts them",
    )
    now = metrics()
    assert (now["queue_messages/aer"], now["queue_consumers/aer"]) == (1, 0)
    assert now["queue_messages/noisy_line5"] == 0
    assert now["dead_letters"] == 1


def test_the_figures_follow_each_backend() -> None:
    pending(backend="noisy_line5")
    Worker.objects.create(worker="w", slots=3, backends=["noisy_line5"])
    now = metrics()
    assert (now["backend_pending/noisy_line5"], now["backend_pending/aer"]) == (1, 0)
    assert (now["backend_slots/noisy_line5"], now["backend_slots/aer"]) == (3, 0)
    assert now["backend_online/noisy_line5"] == 1


def test_without_the_queue_its_figures_are_absent_and_not_zero(
    empty_queue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)
    now = metrics()
    assert now["queue_up"] == 0
    assert "queue_messages/aer" not in now
    assert now["database_up"] == 1


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain",
        "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "text/plain;version=0.0.4",
        "text/html",
    ],
)
def test_whoever_asks_gets_text(accept: str) -> None:
    assert "database_up" in metrics(accept)


def test_the_page_for_operators_names_every_metric_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs/observability.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `quantumtasks_")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    families = text_string_to_metric_families(get("/metrics").content.decode())
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if not family.name.endswith("_created")
    }
    assert named == told
