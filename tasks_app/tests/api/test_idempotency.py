"""`Idempotency-Key`: the same request twice is the same task, whatever happens in between."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
from django.db import connections
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tasks_app import lifecycle, submission
from tasks_app.models import Batch, IdempotencyKey, Status, Task
from tasks_app.queue import broker
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import QUEUE
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, post, send
from tasks_app.tests.unit.queues import rung
from tasks_app.tests.unit.tasks import claimed
from testing.service import LIMIT_S, Proxy, Service, eventually

pytestmark = pytest.mark.django_db

ONE = {"circuit": CIRCUIT, "shots": 5}
MANY = {"circuit": CIRCUIT, "tasks": [{"shots": 1}, {"shots": 2}, {"shots": 3}]}


def submit(body: Any = ONE, key: str = "k", path: str = "/tasks", **headers: str) -> HttpResponse:
    return post(body, path, **{"Idempotency-Key": key, **headers})


def read(response: HttpResponse) -> Any:
    assert response.status_code == 202, response.content
    return json.loads(response.content)


# -- what is the same ---------------------------------------------------------------------------


def test_the_same_key_and_body_is_the_same_task(empty_queue: None) -> None:
    first, second = submit(), submit()

    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert read(second)["task_id"] == read(first)["task_id"]
    assert second["Location"] == first["Location"]
    assert Task.objects.count() == 1


def test_how_the_json_is_written_does_not_matter() -> None:
    first = submit(b'{"circuit": "OPENQASM 2.0;", "shots": 5}')
    second = submit(b'{"shots":5,"circuit":"OPENQASM \\u0032.0;"}', path="/tasks/")
    assert read(second)["task_id"] == read(first)["task_id"]


def test_a_repetition_tells_the_tasks_present_status() -> None:
    task_id = read(submit())["task_id"]
    lifecycle.cancel([Task.objects.get().task_id], reason="not wanted")
    again = read(submit())
    assert (again["task_id"], again["status"]) == (task_id, "cancelled")


def test_another_key_is_another_task() -> None:
    assert read(submit(key="a"))["task_id"] != read(submit(key="b"))["task_id"]


@pytest.mark.parametrize("other", [{**ONE, "shots": 6}, {**ONE, "seed": None}])
def test_the_same_key_with_another_body_is_refused(other: Any) -> None:
    submit()
    error(submit(other), 409, "idempotency_key_reused")
    assert Task.objects.count() == 1


def test_a_key_of_a_task_is_not_one_for_a_batch() -> None:
    submit()
    error(submit(MANY, path="/tasks/batch"), 409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there", "\x7f"])
def test_a_key_is_1_to_255_printable_ascii_characters(key: str) -> None:
    error(submit(key=key), 400, "invalid_idempotency_key")
    assert not Task.objects.exists()


def test_the_longest_and_the_shortest_key_are_accepted() -> None:
    assert submit(key="~" * 255).status_code == submit(key="!").status_code == 202


def test_keys_belong_to_their_owners() -> None:
    ids = {
        read(submit(**people.bearer(people.token(people.user(name)))))["task_id"]
        for name in ("ada", "bob", "ada")
    } | {read(submit())["task_id"]}
    assert len(ids) == 3


def test_a_refused_submission_does_not_use_the_key_up() -> None:
    error(submit({"circuit": CIRCUIT, "shots": 0}), 400, "validation_error")
    assert "Idempotent-Replayed" not in submit()


def test_a_repetition_is_no_new_submission_to_the_owners_limits(settings: Settings) -> None:
    settings.OWNER_LIMITS = {**settings.OWNER_LIMITS, "per_minute": 1, "pending": 1}
    ada = people.bearer(people.token(people.user("ada")))
    first = submit(**ada)
    again = submit(**ada)
    assert read(again)["task_id"] == read(first)["task_id"]
    error(submit(key="new", **ada), 429, "limit_exceeded")


def test_the_key_goes_with_its_task() -> None:
    first = read(submit())["task_id"]
    lifecycle.cancel([Task.objects.get().task_id], reason="not wanted")
    assert send("DELETE", f"/tasks/{first}").status_code == 204
    assert not IdempotencyKey.objects.exists()
    assert read(submit())["task_id"] != first


# -- batches ------------------------------------------------------------------------------------


def test_the_same_batch_twice_is_one_batch_with_the_same_ids() -> None:
    first, second = (submit(MANY, path="/tasks/batch") for _ in range(2))
    for field in ("batch_id", "task_ids"):
        assert read(second)[field] == read(first)[field]
    assert second["Idempotent-Replayed"] == "true"
    assert Task.objects.count() == 3


def test_a_repetition_after_a_retry_of_failed_elements_returns_the_first_ids() -> None:
    first = read(submit(MANY, path="/tasks/batch"))
    claim = claimed(Task.objects.get(batch_index=1).task_id)
    lifecycle.fail(claim, code="bad", message="It is bad.")
    assert post({}, f"/batches/{first['batch_id']}/retry").status_code == 202

    assert read(submit(MANY, path="/tasks/batch"))["task_ids"] == first["task_ids"]


def test_a_batch_whose_tasks_were_all_deleted_may_be_submitted_anew() -> None:
    first = read(submit(MANY, path="/tasks/batch"))
    post({}, f"/batches/{first['batch_id']}/cancel")
    for task_id in first["task_ids"]:
        assert send("DELETE", f"/tasks/{task_id}").status_code == 204

    second = submit(MANY, path="/tasks/batch")

    assert read(second)["batch_id"] != first["batch_id"]
    assert "Idempotent-Replayed" not in second
    assert Batch.objects.count() == 1


# -- at the same moment, and when the queue is away -----------------------------------------------


def test_32_identical_requests_at_once_make_one_task_and_one_batch(service: Service) -> None:
    service.start_api()

    def together(path: str, body: Any) -> list[Any]:
        barrier = threading.Barrier(32)

        def one(_: int) -> Any:
            barrier.wait(LIMIT_S)
            return service.post(path, body, **{"Idempotency-Key": path})

        with ThreadPoolExecutor(32) as pool:
            return list(pool.map(one, range(32)))

    for path, body, field in (("/tasks", ONE, "task_id"), ("/tasks/batch", MANY, "batch_id")):
        answers = together(path, body)
        assert [answer.status for answer in answers] == [202] * 32
        assert len({answer.body[field] for answer in answers}) == 1
        firsts = [a for a in answers if "Idempotent-Replayed" not in a.headers]
        assert len(firsts) <= 1
    assert Task.objects.count() == 1 + 3
    assert Batch.objects.count() == 1


@pytest.fixture
def proxied(
    transactional_db: None, empty_queue: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """A proxy before RabbitMQ, used by threads whose name begins with "far" and by no other."""
    url = os.environ["RABBITMQ_URL"]
    near = dramatiq.get_broker()
    with Proxy(int(url.rpartition(":")[2].partition("/")[0])) as proxy:
        far = DoorbellBroker(url=proxy.url(url), middleware=[])
        far.publisher.depths(QUEUE, timeout_s=LIMIT_S)  # connected before anything goes wrong
        monkeypatch.setattr(
            dramatiq,
            "get_broker",
            lambda: far if threading.current_thread().name.startswith("far") else near,
        )
        yield proxy
        far.close()


@contextmanager
def far_away(work: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """`work()` begun in a thread that reaches RabbitMQ through the proxy; gives its outcome."""

    def there() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="far") as pool:
        yield pool.submit(there).result


@pytest.mark.parametrize(("path", "body"), [("/tasks", ONE), ("/tasks/batch", MANY)])
def test_after_a_503_the_same_key_works(proxied: Proxy, path: str, body: Any) -> None:
    proxied.refuse()
    with far_away(lambda: submit(body, path=path)) as refused:
        error(refused(), 503, "queue_unavailable")
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert not IdempotencyKey.objects.exists()

    accepted = submit(body, path=path)

    assert "Idempotent-Replayed" not in accepted
    assert rung() == list(Task.objects.order_by("task_id").values_list("task_id", flat=True))


def test_after_a_503_a_batch_can_be_retried_with_the_same_key(proxied: Proxy) -> None:
    batch = people.batch_of(None, Status.FAILED)
    path = f"/batches/{batch.batch_id}/retry"
    proxied.refuse()
    with far_away(lambda: submit({}, path=path)) as refused:
        error(refused(), 503, "queue_unavailable")
    assert Task.objects.count() == 1
    assert not IdempotencyKey.objects.exists()
    assert "Idempotent-Replayed" not in submit({}, path=path)
    assert rung() == [Task.objects.latest("task_id").task_id]


@pytest.mark.parametrize("many", [False, True], ids=["task", "batch"])
def test_a_repetition_keeps_what_its_first_request_was_about_to_withdraw(
    proxied: Proxy, many: bool
) -> None:
    path, body = ("/tasks/batch", MANY) if many else ("/tasks", ONE)
    proxied.freeze()
    with far_away(lambda: submit(body, path=path)) as first:
        eventually(Task.objects.exists, what="the first request has stored its task")
        second = submit(body, path=path)
        proxied.refuse()  # here the first gives up on the queue
        answer = first()

    field = "task_ids" if many else "task_id"
    assert read(second)[field] == read(answer)[field]
    assert second["Idempotent-Replayed"] == "true"
    assert Task.objects.with_status(Status.PENDING).count() == (3 if many else 1)


@pytest.mark.parametrize("many", [False, True], ids=["task", "batch"])
def test_a_repetition_that_comes_too_late_becomes_the_first_request(
    proxied: Proxy, many: bool
) -> None:
    path, body = ("/tasks/batch", MANY) if many else ("/tasks", ONE)
    submit(body, path=path)
    first = list(Task.objects.order_by("task_id"))
    rung()
    proxied.freeze_replies()
    with far_away(lambda: submit(body, path=path)) as repetition:
        eventually(lambda: broker.depths().ready == len(first), what="the repetition rings")
        submission.withdraw(first, first[0].batch)  # the first request gives up here
        proxied.thaw()
        answer = repetition()

    assert "Idempotent-Replayed" not in answer
    promised = read(answer)["task_ids"] if many else [read(answer)["task_id"]]
    kept = Task.objects.order_by("batch_index").values_list("task_id", flat=True)
    assert promised == [str(task_id) for task_id in kept]
    assert not set(promised) & {str(task.task_id) for task in first}


def test_where_tasks_are_kept_while_the_queue_is_away_repetitions_find_them(
    proxied: Proxy, settings: Settings
) -> None:
    settings.QUEUE_DOWN_POLICY = "accept"
    proxied.refuse()
    with far_away(lambda: [submit(), submit()]) as answers:
        first, second = answers()
    assert "when the queue is back" in read(first)["message"]
    assert read(second)["task_id"] == read(first)["task_id"]


def test_a_repetition_does_not_ring_for_what_has_ended(empty_queue: None) -> None:
    read(submit())
    lifecycle.cancel([Task.objects.get().task_id], reason="not wanted")
    rung()
    submit()
    assert rung() == []
