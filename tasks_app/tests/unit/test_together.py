"""Quick tasks of a batch, which a worker claims, runs and finishes together."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from structlog.testing import capture_logs

from tasks_app import lifecycle, pace
from tasks_app.circuits import Sandbox
from tasks_app.circuits.sandbox import process
from tasks_app.lifecycle import Claim
from tasks_app.models import Batch, OwnerLimits, Status, Task
from tasks_app.tests.unit.tasks import (
    CIRCUIT,
    RESULT,
    age_lease,
    history,
    next_claim,
    path,
    together,
)
from tasks_app.tests.unit.test_slots import SLOW, fresh_slot
from tasks_app.worker import actors, slots
from testing.service import LIMIT_S

pytestmark = pytest.mark.django_db
MOST = 32  # as claim_alike.sql has it
BROKEN = "OPENQASM 3.0; qubit q; nothing q;"


def batch(*circuits: str, owner: User | None = None, shots: int = 3) -> Batch:
    """With a task of each circuit, in order."""
    made = Batch.objects.create(size=len(circuits), owner=owner)
    lifecycle.submit(
        [
            Task(
                **{"circuit": circuit, "shots": shots, "correlation_id": f"c-{index}"},
                **{"batch": made, "batch_index": index, "owner": owner},
            )
            for index, circuit in enumerate(circuits)
        ]
    )
    return made


def ids(made: Batch) -> list[uuid.UUID]:
    return list(made.task_set.order_by("batch_index").values_list("task_id", flat=True))


def claim(made: Batch | None) -> list[Claim]:
    return lifecycle.claim(worker="w", batch=made.batch_id if made else None)


def claimed(made: Batch | None) -> list[uuid.UUID]:
    return [each.task_id for each in claim(made)]


# -- claims ------------------------------------------------------------------------------------


def test_several_of_the_batch_are_claimed_in_their_order() -> None:
    made = batch(*[CIRCUIT] * (MOST + 3))
    assert claimed(made) == ids(made)[:MOST]
    assert claimed(made) == ids(made)[MOST:]
    assert claimed(made) == []


def test_without_a_batch_one_is_claimed() -> None:
    made = batch(CIRCUIT, CIRCUIT)
    assert claimed(None) == ids(made)[:1]


def test_tasks_of_others_behind_it_stay_pending() -> None:
    made, other = batch(CIRCUIT, CIRCUIT), batch(CIRCUIT, CIRCUIT)
    assert claimed(made) == ids(made)
    assert set(other.task_set.values_list("current_status", flat=True)) == {Status.PENDING}


def test_when_it_is_anothers_turn_that_one_is_claimed_alone() -> None:
    other, made = batch(CIRCUIT, CIRCUIT), batch(CIRCUIT, CIRCUIT)
    assert claimed(made) == ids(other)[:1]


def test_a_lost_task_comes_first_and_alone() -> None:
    made = batch(*[CIRCUIT] * 4)
    (first,) = claimed(None)
    age_lease(first)
    assert claimed(made) == [first]
    assert claimed(made) == ids(made)[1:]


@pytest.mark.django_db(transaction=True)
def test_each_is_written_into_its_history_and_logged_with_its_own_correlation_id() -> None:
    made = batch(CIRCUIT, CIRCUIT)
    with capture_logs() as logs:
        claims = claim(made)
        assert lifecycle.finish([lifecycle.completed(each, RESULT) for each in claims]) == 2
    for task_id in ids(made):
        assert history(task_id)[1:] == [
            ("processing", "attempt 1 on w"),
            ("completed", "attempt 1 succeeded"),
        ]
    moves = [(each["correlation_id"], each["to"]) for each in logs]
    assert moves == [(f"c-{i}", to) for to in ("processing", "completed") for i in range(2)]


def test_where_tasks_running_at_once_are_bounded_one_is_claimed(settings: LazySettings) -> None:
    ada = User.objects.create_user("ada")
    OwnerLimits.objects.create(owner=ada, max_running=2)
    made = batch(*[CIRCUIT] * 4, owner=ada)
    assert [len(claim(made)) for _ in range(3)] == [1, 1, 0]
    settings.LIMIT_MAX_RUNNING = 1
    free = batch(CIRCUIT, CIRCUIT)
    assert [len(claim(free)) for _ in range(2)] == [1, 0]


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_share_them() -> None:
    made = batch(*[CIRCUIT] * (3 * MOST))
    one = partial(lifecycle.claim, batch=made.batch_id)
    lots = together(*[partial(one, worker=str(each)) for each in range(4)])
    found = [each.task_id for lot in lots for each in lot]
    assert len(found) == len(set(found))
    left = Task.objects.with_status(Status.PENDING).count()
    assert len(found) + left == 3 * MOST


# -- ends --------------------------------------------------------------------------------------


def test_ends_of_several_are_written_but_of_those_that_were_lost() -> None:
    made = batch(*[CIRCUIT] * 4)
    good, bad, cancelled, lost = claim(made)
    lifecycle.cancel([cancelled.task_id], reason="not wanted")
    age_lease(lost.task_id)
    assert next_claim() is not None
    ends = [lifecycle.completed(each, RESULT) for each in (good, cancelled, lost)]
    with capture_logs() as logs:
        assert lifecycle.finish([*ends, lifecycle.failed(bad, code="bad", message="It is.")]) == 2
    told = Task.objects.in_bulk([each.task_id for each in (good, bad, cancelled, lost)])
    assert told[good.task_id].result == RESULT
    assert told[bad.task_id].result is None
    assert (told[bad.task_id].error_code, told[bad.task_id].error_message) == ("bad", "It is.")
    statuses = [told[each.task_id].current_status for each in (good, bad, cancelled, lost)]
    assert statuses == ["completed", "failed", "cancelled", "processing"]
    stale = {each["task_id"] for each in logs if each["event"] == "stale_owner"}
    assert stale == {str(cancelled.task_id), str(lost.task_id)}


def test_a_result_counts_as_its_text_towards_what_is_stored() -> None:
    made = batch(CIRCUIT, CIRCUIT)
    before = Task.objects.get(task_id=ids(made)[0]).stored_bytes
    lifecycle.finish([lifecycle.completed(each, RESULT) for each in claim(made)])
    text = '{"counts": {"0": 3}, "shots": 3, "metadata": {"seed": 1}}'
    assert Task.objects.get(task_id=ids(made)[0]).stored_bytes == before + len(text)


def test_they_share_the_time_from_their_claim_to_their_end() -> None:
    made = batch(*[CIRCUIT] * 5)
    claims = claim(made)
    lifecycle.finish([lifecycle.completed(each, RESULT) for each in claims])
    took = [
        (task.completed_at - task.started_at).total_seconds()
        for task in made.task_set.all()
        if task.completed_at and task.started_at
    ]
    assert pace.pace()["run_p50_s"] == pytest.approx(median(took) / 5)
    assert len(set(made.task_set.values_list("started_at"))) == 1


# -- the worker --------------------------------------------------------------------------------


@pytest.fixture
def _slot() -> Iterator[None]:
    with fresh_slot():
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_slot")
def test_each_has_its_own_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOMENT_S", LIMIT_S)
    made = batch(CIRCUIT, BROKEN, CIRCUIT)
    actors.run(claim(made))
    told = made.task_set.order_by("batch_index").values_list("current_status", "error_code")
    assert list(told) == [("completed", None), ("failed", "invalid_program"), ("completed", None)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_slot", "empty_queue")
def test_nothing_waits_for_one_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    actors.run(claim(batch(CIRCUIT)))  # which waits for the simulator
    monkeypatch.setattr(process, "MOMENT_S", 5)
    made = batch(CIRCUIT, SLOW, CIRCUIT, shots=100_000)
    first, slow, last = ids(made)
    seen: dict[str, list[str]] = {}

    def looked(sandbox: Sandbox, *args: object, **kwargs: object) -> object:
        def meanwhile() -> None:
            kwargs["meanwhile"]()  # type: ignore[operator]
            seen.update({"first": path(first), "slow": path(slow), "last": path(last)})
            lifecycle.cancel([slow], reason="seen enough")
            slots.renew_all()

        return run(sandbox, *args, **{**kwargs, "meanwhile": meanwhile})  # type: ignore[arg-type]

    run = Sandbox.run
    monkeypatch.setattr(Sandbox, "run", looked)
    actors.run(claim(made))
    assert seen["first"][-1] == "completed"
    assert seen["slow"] == ["pending", "processing"]
    assert history(last)[-1] == (
        "processing",
        "attempt 1 handed back: the one before it takes long",
    )
    assert Task.objects.get(task_id=last).handed_back == 1
    assert path(slow)[-1] == "cancelled"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_slot", "empty_queue")
def test_what_has_not_begun_when_the_worker_ends_is_handed_back() -> None:
    made = batch(CIRCUIT, CIRCUIT)
    with _shutting_down():
        actors.run(claim(made))
    for task_id in ids(made):
        assert history(task_id)[-1][1] == "attempt 1 handed back: its worker is shutting down"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_slot")
def test_a_slot_remembers_a_batch_whose_tasks_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    made, slot = batch(*[CIRCUIT] * 3), slots.current()
    monkeypatch.setattr(actors, "QUICK_S", LIMIT_S)
    actors.run(claim(None))
    assert slot.quick_batch == made.batch_id
    monkeypatch.setattr(actors, "QUICK_S", 0)
    actors.run(claim(None))
    assert slot.quick_batch is None


@contextmanager
def _shutting_down() -> Iterator[None]:
    slots.shutdown.set()
    yield
    slots.shutdown.clear()


# -- messages ----------------------------------------------------------------------------------


def test_messages_of_tasks_that_went_with_another_are_spare_once() -> None:
    claims = claim(batch(*[CIRCUIT] * 3))
    first, second, third = (str(each.task_id) for each in claims)
    slots.expect_spare(claims, rung_for=second)
    assert [slots.is_spare(each) for each in (first, second, third)] == [True, False, True]
    assert not slots.is_spare(first)


def test_a_message_for_a_task_that_did_not_go_leaves_one_of_theirs_for_it() -> None:
    claims = claim(batch(*[CIRCUIT] * 3))
    slots.expect_spare(claims, rung_for=str(uuid.uuid4()))
    spare = [slots.is_spare(str(each.task_id)) for each in claims]
    assert sum(spare) == 2


def test_a_message_for_one_task_makes_none_spare() -> None:
    (one,) = claim(batch(CIRCUIT))
    slots.expect_spare([one], rung_for=str(uuid.uuid4()))
    assert not slots.is_spare(str(one.task_id))
