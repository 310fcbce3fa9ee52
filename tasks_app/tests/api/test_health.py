"""GET /health, /health/live and /health/ready, with everything there and with something away."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dramatiq
import pytest

from tasks_app.api import health
from tasks_app.postgresql.base import deadline
from tasks_app.queue import broker
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE
from tasks_app.queue.publisher import QueueDepths
from tasks_app.tests.api.client import get
from tasks_app.tests.conftest import database_url
from tasks_app.tests.unit.queues import put
from testing.service import BELL, LIMIT_S, SLACK, Answer, Proxy, Service, eventually

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]

PROMISED_S = 3.0


@pytest.fixture
def no_broker(empty_queue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)


@pytest.mark.parametrize("slash", ["", "/"])
def test_healthy_when_both_answer(slash: str) -> None:
    response = get(f"/health{slash}")

    assert response.status_code == 200
    body = json.loads(response.content)
    assert (body["status"], body["database_status"], body["queue_status"]) == (
        "healthy",
        "connected",
        "connected",
    )
    assert body["queue"] == {"ready": 0, "consumers": 0, "dead_letters": 0}
    assert body["at_fault"] == []
    assert abs(datetime.fromisoformat(body["timestamp"]) - datetime.now(UTC)) < timedelta(hours=1)
    assert get("/health/ready").status_code == 200


def test_messages_and_dead_letters_are_counted() -> None:
    put(b"1")
    put(b"2", DEAD_LETTER_QUEUE)
    put(b"3", DEAD_LETTER_QUEUE)
    eventually(
        lambda: (broker.depths().ready, broker.depths().dead_letters) == (1, 2),
        what="RabbitMQ counts them",
    )
    queue = json.loads(get("/health").content)["queue"]
    assert queue == {"ready": 1, "consumers": 0, "dead_letters": 2}


@pytest.mark.usefixtures("no_broker")
def test_degraded_without_the_queue() -> None:
    response = get("/health")
    assert response.status_code == 200
    body = json.loads(response.content)
    assert (body["status"], body["database_status"], body["queue_status"], body["queue"]) == (
        "degraded",
        "connected",
        "disconnected",
        None,
    )
    assert "127.0.0.1" not in response.content.decode()
    assert get("/health/ready").status_code == 503
    assert get("/health/live").status_code == 200


def test_it_names_what_is_at_fault_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_fault() -> list[tuple[str, str, str]]:
        faults = json.loads(get("/health").content)["at_fault"]
        return [(fault["component"], fault["code"], fault["since"]) for fault in faults]

    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    assert at_fault() == []
    before = datetime.now(UTC)
    with monkeypatch.context() as patch:
        patch.setattr(dramatiq, "get_broker", lambda: nobody)
        assert get("/health/ready").status_code == 503  # a probe sees it first
        noticed = datetime.now(UTC)
        ((component, code, since),) = at_fault()
        assert (component, code) == ("queue", "queue_unavailable")
        assert before <= datetime.fromisoformat(since) <= noticed
        assert at_fault() == [(component, code, since)]
        patch.setattr("tasks_app.postgresql.schema.fits", lambda: False)
        assert [fault[:2] for fault in at_fault()] == [
            ("schema", "schema_outdated"),
            ("queue", "queue_unavailable"),
        ]
    assert at_fault() == []
    with monkeypatch.context() as patch:
        patch.setattr(dramatiq, "get_broker", lambda: nobody)
        ((_, _, again),) = at_fault()
    assert again > since


def test_a_frozen_queue_has_the_time_that_postgresql_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = os.environ["RABBITMQ_URL"]

    def asked() -> dict[str, QueueDepths]:
        with deadline(0):
            return health.queue_depths()

    with Proxy(urlsplit(url).port or 5672) as proxy, ThreadPoolExecutor(1) as pool:
        frozen = DoorbellBroker(url=proxy.url(url), middleware=[])
        monkeypatch.setattr(dramatiq, "get_broker", lambda: frozen)
        assert health.queue_depths(), "it was there before"
        proxy.freeze()
        assert pool.submit(asked).result(timeout=LIMIT_S / 2) == {}
        frozen.close()


def test_alive_asks_nobody_else(
    django_assert_num_queries: pytest.FixtureRequest, no_broker: None
) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert json.loads(get("/health/live").content) == {"status": "alive"}


def test_without_postgresql_the_service_says_so_in_time_and_recovers_alone(
    tmp_path: Path, transactional_db: None
) -> None:
    url = database_url()
    with (
        Proxy(urlsplit(url).port or 5432) as proxy,
        Service(tmp_path, env={"DATABASE_URL": proxy.url(url)}) as service,
    ):
        service.start_api(processes=1)
        known = service.accepted()

        def asked(method: str, path: str, body: str | None = None) -> Answer:
            return service.request(method, path, body, timeout_s=PROMISED_S * SLACK)

        def healthy() -> bool:
            return bool(service.get("/health").body["status"] == "healthy")

        def only_the_queue_answers() -> bool:
            said = asked("GET", "/health")
            assert said.status == 200, said
            assert said.body["database_status"] == "disconnected"
            assert said.body["status"] == "degraded"
            fault = said.body["at_fault"][0]
            assert (fault["component"], fault["code"]) == ("database", "database_unavailable")
            return bool(said.body["queue_status"] == "connected")  # on a busy machine late

        eventually(healthy, what="healthy")

        for fault, end in ((proxy.refuse, proxy.allow), (proxy.freeze, proxy.thaw)):
            fault()
            for _ in range(2):
                eventually(only_the_queue_answers, what="the queue is said to be there")
                for method, path, body in (
                    ("POST", "/tasks", json.dumps({"circuit": BELL})),
                    ("GET", f"/tasks/{known}", None),
                    ("GET", "/tasks", None),
                ):
                    answer = asked(method, path, body)
                    assert answer.status == 503, answer
                    assert answer.body["code"] == "database_unavailable"
                    assert int(answer.headers["Retry-After"]) >= 1
            assert asked("GET", "/health/ready").status == 503
            assert asked("GET", "/health/live").status == 200
            assert "quantumtasks_database_up 0.0" in service.get("/metrics").body

            end()
            eventually(healthy, what="healthy again")
            # Each thread has a connection of its own, and new ones are tried once a second.
            eventually(lambda: service.submit().status == 202, what="tasks are accepted")
