"""Waiting for a task, reading it cheaply, and its result alone."""

import gzip
import json
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections

from tasks_app import lifecycle
from tasks_app.api.waiting import MAX_RETURN_S, Waiters
from tasks_app.models import Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get
from tasks_app.tests.unit.tasks import RESULT, Session, claimed
from testing.service import LIMIT_S, Answer, Service, eventually

LISTENER = (
    "datname = current_database() AND pid <> pg_backend_pid()"
    " AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')"
)
database = pytest.mark.django_db


def listeners() -> list[int]:
    """Sessions that listen: nobody else says only this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE " + LISTENER)
        return [pid for (pid,) in cursor.fetchall()]


def waiting_for(
    service: Service, task_id: object, query: str = "?wait=60", **headers: str
) -> Future[Answer]:
    """A client that waits in a thread of its own; its answer when it comes."""
    return waiting_at(service, f"/tasks/{task_id}{query}", **headers)


def waiting_at(service: Service, path: str, **headers: str) -> Future[Answer]:
    pool = ThreadPoolExecutor(1)
    answer = pool.submit(service.request, "GET", path, headers=headers, timeout_s=LIMIT_S)
    pool.shutdown(wait=False)
    return answer


def claim_of(task: Task) -> lifecycle.Claim:
    return lifecycle.Claim(task.task_id, 1, task.program, task.shots, None, "c-1")


# -- waiting ------------------------------------------------------------------------------------


def test_waiting_clients_hear_of_the_end_at_once_whatever_it_is(service: Service) -> None:
    service.start_api(processes=1, WEB_THREADS="16")
    tasks = [people.task_of(None, Status.PROCESSING) for _ in range(3)]
    claims = [claim_of(task) for task in tasks]
    pending = people.task_of(None)
    answers = [
        waiting_for(service, tasks[0].task_id),
        waiting_for(service, tasks[0].task_id, "/result?wait=60"),
        waiting_for(service, tasks[1].task_id, "", Prefer="respond-async, wait=60"),
        waiting_for(service, tasks[2].task_id),
        waiting_for(service, pending.task_id),
    ]
    eventually(listeners, what="the process listens")

    lifecycle.complete(claims[0], RESULT)
    lifecycle.fail(claims[1], code="bad", message="It is bad.")
    lifecycle.cancel([tasks[2].task_id], reason="not wanted")
    lifecycle.cancel([pending.task_id], reason="not wanted")

    first, result, second, third, fourth = (answer.result(LIMIT_S) for answer in answers)
    assert first.body["status"] == "completed"
    assert first.body["result"]["counts"] == result.body["counts"] == RESULT["counts"]
    assert second.body["status"] == "failed"
    assert third.body["status"] == fourth.body["status"] == "cancelled"
    assert all(answer.status == 200 for answer in (first, result, second, third, fourth))

    # A listener whose session is ended listens again, and misses nothing meanwhile.
    late = people.task_of(None, Status.PROCESSING)
    answer = waiting_for(service, late.task_id)
    eventually(listeners, what="the process listens")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + LISTENER)
    lifecycle.complete(claim_of(late), RESULT)
    assert answer.result(LIMIT_S).body["status"] == "completed"

    # One that nobody waits in any more goes away.
    eventually(lambda: not listeners(), what="nobody listens any more")


def test_who_waits_for_a_batch_hears_when_its_last_element_has_ended(service: Service) -> None:
    service.start_api(processes=1)
    batch = people.batch_of(None, *[Status.PROCESSING] * 3, Status.PENDING, Status.COMPLETED)
    first, second, third, pending, _ = Task.objects.order_by("batch_index")
    answer = waiting_at(service, f"/batches/{batch.batch_id}?wait=60")
    turned = waiting_at(service, f"/batches/{batch.batch_id}", Prefer="wait=60")
    eventually(listeners, what="the process listens")

    lifecycle.complete(claim_of(first), RESULT)
    lifecycle.fail(claim_of(second), code="bad", message="It is bad.")
    lifecycle.cancel([pending.task_id], reason="not wanted")
    again = service.post(f"/batches/{batch.batch_id}/retry", {}).body["task_ids"]
    lifecycle.complete(claim_of(third), RESULT)
    claim = claimed(uuid.UUID(again[0]))  # what was retried meanwhile is waited for, too
    assert not answer.done()
    lifecycle.complete(claim, RESULT)

    for heard in (answer, turned):
        assert heard.result(LIMIT_S).status == 200
        assert heard.result().body["counts"] == {
            **{"pending": 0, "processing": 0},
            **{"completed": 4, "failed": 0, "cancelled": 1},
        }


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_not_asked_for_at_the_end_of_each_element() -> None:
    batch = people.batch_of(None, *[Status.PENDING] * 50)
    waiters, waiter, statements = Waiters(), Session(), []

    def note(execute: Any, *statement: Any) -> Any:
        statements.append(statement[0])
        return execute(*statement)

    def wait() -> None:
        with connections["default"].execute_wrapper(note):
            waiters.wait(Task.objects.filter(batch=batch).unfinished(), seconds=LIMIT_S)

    over = waiter.start(wait)
    eventually(listeners, what="it listens")
    for task in Task.objects.filter(batch=batch):
        lifecycle.cancel([task.task_id], reason="not wanted")
    over()
    waiter.close()

    # Twice before it waits, again when the listener has begun, and once at the end.
    assert len(statements) <= 5, statements


def test_beyond_the_bound_clients_get_the_present_state_and_may_come_back(
    service: Service,
) -> None:
    service.start_api(processes=1, WEB_THREADS="4")  # two of them may wait
    task = people.task_of(None, Status.PROCESSING)
    patient = [waiting_for(service, task.task_id) for _ in range(3)]
    turned_away = next(as_completed(patient, timeout=LIMIT_S))
    patient.remove(turned_away)

    answer = turned_away.result()
    assert (answer.status, answer.body["status"]) == (200, "processing")
    assert answer.headers["Retry-After"] == "1"
    result = service.get(f"/tasks/{task.task_id}/result?wait=60")
    assert (result.status, result.headers["Retry-After"]) == (409, "1")
    batch = people.batch_of(None, Status.PENDING)
    assert service.get(f"/batches/{batch.batch_id}?wait=60").headers["Retry-After"] == "1"
    assert service.get("/health/ready").status == 200
    assert service.submit().status == 202

    lifecycle.cancel([task.task_id], reason="not wanted")
    assert {each.result(LIMIT_S).body["status"] for each in patient} == {"cancelled"}


def test_clients_that_find_no_place_come_back_in_turn() -> None:
    waiters = Waiters()
    told = [waiters.return_s() for _ in range(1000)]
    assert told[0] == 1
    assert told == sorted(told)
    assert 20 < told[300] <= 30
    assert told[-1] == MAX_RETURN_S


@pytest.mark.django_db(transaction=True)
def test_when_the_time_is_over_the_answer_is_the_present_state() -> None:
    task = people.task_of(None)
    response = get(f"/tasks/{task.task_id}?wait=1")
    assert response.status_code == 200
    assert json.loads(response.content)["status"] == "pending"
    assert "Retry-After" not in response


@pytest.mark.django_db(transaction=True)
def test_a_task_that_is_deleted_meanwhile_is_not_found() -> None:
    task = people.task_of(None)
    done = threading.Event()

    def end() -> None:
        lifecycle.cancel([task.task_id], reason="not wanted")
        Task.objects.filter(task_id=task.task_id).delete()
        connection.close()
        done.set()

    thread = threading.Timer(0.2, end)
    thread.start()
    response = get(f"/tasks/{task.task_id}?wait=60")
    thread.join()
    if response.status_code != 200:  # it may have been seen as cancelled just before
        error(response, 404, "not_found")


@database
@pytest.mark.parametrize("query", ["?wait=0", "?wait=60", "?wait=999999999"])
def test_what_has_ended_is_answered_at_once(query: str) -> None:
    task = people.task_of(None, Status.COMPLETED)
    assert get(f"/tasks/{task.task_id}{query}").status_code == 200


@database
@pytest.mark.parametrize("wait", ["", "-1", "1.5", "x", "²", "1e3"])
def test_what_is_no_time_is_refused(wait: str) -> None:
    task = people.task_of(None)
    error(get(f"/tasks/{task.task_id}?wait={wait}"), 400, "validation_error")


@database
def test_a_preference_that_is_none_is_ignored() -> None:
    task = people.task_of(None)
    for prefer in ("wait=x", "await=5", "wait", ""):
        assert get(f"/tasks/{task.task_id}", Prefer=prefer).status_code == 200


# -- reading cheaply ----------------------------------------------------------------------------


@database
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("gzipped", [False, True])
def test_what_has_not_changed_is_not_sent_again(status: Status, gzipped: bool) -> None:
    task = people.task_of(None, status)
    paths = [f"/tasks/{task.task_id}"]
    if status == Status.COMPLETED:
        paths.append(f"/tasks/{task.task_id}/result")
    encoding = {"Accept-Encoding": "gzip"} if gzipped else {}
    for path in paths:
        etag = get(path, **encoding)["ETag"]
        again = get(path, **encoding, **{"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")


@database
def test_what_has_changed_is_sent() -> None:
    task = people.task_of(None)
    etag = get(f"/tasks/{task.task_id}")["ETag"]
    lifecycle.cancel([task.task_id], reason="not wanted")
    response = get(f"/tasks/{task.task_id}", **{"If-None-Match": etag})
    assert response.status_code == 200
    assert response["ETag"] != etag


# -- the result alone ---------------------------------------------------------------------------


@database
def test_a_result_is_what_the_task_holds_compressed_if_asked() -> None:
    counts = {f"{number:010b}": number for number in range(1024)}
    task_id = people.task_of(None).task_id
    lifecycle.complete(claimed(task_id), RESULT | {"counts": counts})

    plain = get(f"/tasks/{task_id}/result")
    packed = get(f"/tasks/{task_id}/result", **{"Accept-Encoding": "gzip"})

    assert json.loads(plain.content) == RESULT | {"counts": counts}
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 2


@database
@pytest.mark.parametrize("status", [s for s in Status if s != Status.COMPLETED])
def test_a_task_that_is_not_completed_has_no_result(status: Status) -> None:
    task = people.task_of(None, status)
    refused = error(get(f"/tasks/{task.task_id}/result"), 409, "illegal_transition")
    assert refused["details"] == {"status": status}


@database
def test_an_unknown_task_has_no_result() -> None:
    error(get(f"/tasks/{uuid.uuid4()}/result"), 404, "not_found")


def test_half_of_the_threads_may_wait() -> None:
    bound: Any = django_settings.MAX_WAITING
    assert bound == 4
