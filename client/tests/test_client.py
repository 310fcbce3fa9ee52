"""What a scientist does with the client, against a running service."""

import secrets

import pytest

from quantumtasks_client import (
    Client,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    ProgramError,
    TaskCancelled,
    WaitTimeout,
)
from tests.site import BELL, BROKEN, LONG, Site


def test_it_works(client: Client) -> None:
    task = client.wait(client.submit(BELL, shots=1000, seed=7, name="bell", tags=["demo"]))
    assert task.status == "completed"
    assert task.counts == client.get(task).counts
    assert set(task.counts) == {"00", "11"}
    assert sum(task.counts.values()) == task.shots == 1000
    assert (task.seed, task.name, task.tags) == (7, "bell", ["demo"])
    assert [entry.status for entry in task.status_history] == ["pending", "processing", "completed"]


def test_the_same_key_is_the_same_task(client: Client) -> None:
    key = secrets.token_hex(8)
    first = client.submit(BELL, idempotency_key=key)
    assert client.submit(BELL, idempotency_key=key).task_id == first.task_id
    assert client.submit(BELL).task_id != client.submit(BELL).task_id
    with pytest.raises(IdempotencyKeyReused):
        client.submit(BELL, shots=2, idempotency_key=key)


def test_a_wrong_program_is_shown_where_it_is_wrong(client: Client) -> None:
    with pytest.raises(ProgramError) as caught:
        client.wait(client.submit(BROKEN))
    assert (caught.value.code, caught.value.line, caught.value.column) == ("invalid_program", 5, 1)
    assert str(caught.value).splitlines()[1:] == ["    5 | hh q[0];", "        ^"]
    assert client.wait(caught.value.task_id, check=False).error_code == "invalid_program"


def test_a_request_that_is_not_valid_says_what_is_wrong(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="shots") as caught:
        client.submit(BELL, shots=0)
    assert caught.value.code == "validation_error"
    assert "shots" in caught.value.details
    assert caught.value.correlation_id


def test_a_list_comes_page_by_page(client: Client) -> None:
    tag = secrets.token_hex(8)
    batch = client.submit_batch([BELL] * 5, shots=1, tags=[tag])
    listed = list(client.list(tag=tag, page_size=2))
    assert sorted(task.task_id for task in listed) == sorted(batch.task_ids)
    assert len(list(client.list(tag=tag, page_size=2, limit=3))) == 3
    assert not list(client.list(tag=[tag, "other"]))
    assert len(list(client.list(ids=batch.task_ids[:2]))) == 2


def test_a_task_is_cancelled_once_however_often_it_is_asked(client: Client) -> None:
    task = client.submit(LONG, shots=100_000)
    with pytest.raises(WaitTimeout):
        client.wait(task, timeout=0)
    assert client.cancel(task).status == "cancelled"
    assert client.cancel(task).status == "cancelled"
    with pytest.raises(TaskCancelled):
        client.wait(task)
    done = client.wait(client.submit(BELL))
    with pytest.raises(IllegalTransition):
        client.cancel(done)


def test_a_batch_ends_with_each_of_its_elements(client: Client) -> None:
    seen: list[int] = []
    batch = client.submit_batch([BELL, {"circuit": BROKEN, "shots": 5}], shots=3)
    ended = client.wait_batch(batch, progress=lambda batch: seen.append(batch.size))
    assert ended.counts["completed"] == ended.counts["failed"] == 1
    assert [element.task_id for element in ended.tasks] == batch.task_ids
    assert seen
    assert client.get_batch(batch.batch_id) == ended


def test_the_queue_has_a_worker(client: Client) -> None:
    assert client.queue().workers >= 1


def test_strangers_are_told_apart(site: Site, client: Client) -> None:
    with pytest.raises(NotAuthenticated):
        Client(site.url).queue()
    with pytest.raises(NotPermitted):
        Client(site.url, site.new_token("--read-only")).submit(BELL)
    with pytest.raises(NotFound):
        client.get("01a20017-8ed7-725d-bb02-5241f3e7abf2")
    with pytest.raises(InvalidRequest):
        client.get("no-id")
