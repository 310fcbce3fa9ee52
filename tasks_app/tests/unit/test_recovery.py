"""Recovery: what is lost is found and rung for, and what is only slow is left alone."""

import io
import math
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection, connections, transaction
from structlog.testing import capture_logs

from tasks_app import lifecycle, recovery, worker_id
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.lifecycle import Claim
from tasks_app.models import Status, Task
from tasks_app.postgresql.base import DATABASE_ERRORS
from tasks_app.queue import broker
from tasks_app.queue.doorbell import QUEUE
from tasks_app.recovery import Findings, Leader, recover
from tasks_app.tests.unit import tasks
from tasks_app.tests.unit.queues import bells, channel, rung
from tasks_app.tests.unit.tasks import (
    Session,
    age_lease,
    age_ring,
    claimed,
    history,
    in_state,
    next_claim,
    waiting,
)
from testing.service import eventually

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]


pending = partial(tasks.pending, backend=DEFAULT_BACKEND)


def processing() -> Claim:
    return claimed(pending())


def ring(*task_ids: uuid.UUID) -> None:
    """As their submission did; returns once RabbitMQ counts the messages."""
    broker.ring(bells(*task_ids))
    eventually(lambda: broker.depths().ready >= len(task_ids), what="they are counted")


def lost() -> uuid.UUID:
    """A task whose worker has been silent for longer than its lease."""
    task_id = processing().task_id
    age_lease(task_id)
    age_ring(task_id)
    return task_id


def exhausted(settings: LazySettings) -> uuid.UUID:
    """A lost task without attempts left, on a backend of its own: a lost one is claimed first."""
    task_id = tasks.pending()
    for _ in range(settings.MAX_ATTEMPTS):
        claimed(task_id)
        age_lease(task_id)
    age_ring(task_id)
    return task_id


# -- what is found -----------------------------------------------------------------------------


def test_when_all_is_well_nothing_is_done() -> None:
    waiting = pending()
    ring(waiting)
    for status in (Status.PROCESSING, Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        in_state(status)
    age_ring(*Task.objects.values_list("task_id", flat=True))

    assert recover() == Findings()
    assert rung() == [waiting]


def test_a_lost_task_is_rung_for_and_can_be_claimed() -> None:
    task_id = lost()

    assert recover() == Findings(lost=[task_id])

    assert rung() == [task_id]
    assert claimed(task_id).attempt == 2


def test_a_lost_task_is_not_rung_for_again_while_its_ring_is_fresh() -> None:
    task_id = lost()
    recover()
    assert recover() == Findings()
    assert rung() == [task_id]

    age_ring(task_id)
    assert recover() == Findings(lost=[task_id])


def test_a_lost_task_that_nobody_hears_of_has_one_message() -> None:
    """Its backend's workers may be away for days, and another one leads."""
    task_id = lost()
    recover()
    eventually(lambda: broker.depths().ready == 1, what="it is counted")
    age_ring(task_id)

    assert recover() == Findings()
    assert rung() == [task_id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("make", "move"),
    [
        (pending, recover),
        (lambda: processing().task_id, lambda: lifecycle.expire_leases([tasks.SOMEWHERE])),
    ],
)
def test_many_are_locked_in_one_order(
    make: Callable[[], uuid.UUID], move: Callable[[], object]
) -> None:
    """Else a cancelled batch and recovery, which both lock many, may wait for each other."""
    first, second = make(), make()
    age_ring(second)
    age_ring(first)  # which puts its row behind the other one
    session = Session()

    def in_the_order_of_rows() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET enable_indexscan = off")
            cursor.execute("SET enable_bitmapscan = off")

    session.do(in_the_order_of_rows)
    with transaction.atomic():
        Task.objects.select_for_update().get(task_id=first)
        moved = session.start(move)
        eventually(waiting, what="it waits for the first")
        Task.objects.select_for_update(nowait=True).get(task_id=second)
    moved()
    session.close()


def test_the_ring_carries_the_tasks_correlation_id() -> None:
    task_id = pending(correlation_id="of-the-client")
    age_ring(task_id)
    recover()
    with channel() as amqp:
        _, _, body = amqp.basic_get(QUEUE, auto_ack=True)
    assert b"of-the-client" in body


def test_the_task_of_a_worker_known_to_be_gone_does_not_wait_for_its_lease() -> None:
    host, pid, start, namespace = worker_id.current().split(":")
    gone = f"{host}:{pid}:{int(start) - 1}:{namespace}"
    task_id = claimed(pending(), worker=gone).task_id
    alive = claimed(pending(), worker=worker_id.current()).task_id
    age_ring(task_id, alive)

    assert recover() == Findings(lost=[task_id])


def test_a_task_without_attempts_left_fails_and_is_not_rung_for(settings: LazySettings) -> None:
    task_id = exhausted(settings)

    assert recover() == Findings(exhausted=[task_id])

    task = Task.objects.get()
    assert (task.current_status, task.error_code) == ("failed", "attempts_exhausted")
    assert history(task_id)[-1][0] == "failed"
    assert rung() == []
    assert recover() == Findings()


def test_a_long_queue_is_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "LONG_QUEUE", 1)
    monkeypatch.setattr(recovery, "_counted_at", {})
    monkeypatch.setattr(recovery, "COUNT_S", math.inf)
    ids = [pending() for _ in range(5)]
    ring(*ids[:2])
    age_ring(*ids)
    assert len(recover().silent) == 3
    eventually(lambda: broker.depths().ready == 5, what="they are counted")

    more = [pending(), pending()]
    age_ring(*more)
    assert recover() == Findings()

    monkeypatch.setattr(recovery, "COUNT_S", 0)
    assert len(recover().silent) == 2


def test_tasks_whose_queue_was_purged_are_all_rung_for() -> None:
    ids = [pending() for _ in range(7)]
    age_ring(*ids)

    found = recover()

    assert (set(found.silent), found.lost, found.exhausted) == (set(ids), [], [])
    assert sorted(rung()) == ids


def test_of_a_partly_purged_queue_as_many_as_are_missing_are_rung_for() -> None:
    ids = [pending() for _ in range(6)]
    age_ring(*ids)
    ring(*ids[3:])

    found = recover().silent
    assert len(found) == len(set(found) & set(ids)) == 3
    assert len(rung()) == 6


def test_guessing_wrong_which_messages_are_missing_still_leaves_nobody_out() -> None:
    """The messages of the oldest are there and those of the newest are gone."""
    ids = [pending() for _ in range(6)]
    for age, task_id in enumerate(reversed(ids), start=60):
        age_ring(task_id, seconds=age)
    ring(*ids[:3])
    finished = set()

    def a_pass_and_a_worker() -> bool:
        recover()
        for _ in rung():
            claim = next_claim(worker="w")
            if claim is not None:
                lifecycle.complete(claim, {"counts": {}})
                finished.add(claim.task_id)
        age = Task.objects.with_status(Status.PENDING).values_list("task_id", flat=True)
        if age:
            age_ring(*age)
        return len(finished) == 6

    eventually(a_pass_and_a_worker, what="all are finished")


def test_a_queue_that_is_merely_long_is_not_flooded() -> None:
    ids = [pending() for _ in range(50)]
    age_ring(*ids, seconds=3600)
    ring(*ids)

    for _ in range(3):
        assert recover() == Findings()

    assert broker.depths().ready == 50
    assert len(rung()) == 50


def test_repeated_passes_over_an_empty_queue_do_not_ring_twice() -> None:
    ids = [pending() for _ in range(5)]
    age_ring(*ids)
    recover()
    eventually(lambda: broker.depths().ready == 5, what="they are counted")
    age_ring(*ids)  # even when the rings grow old: they are in the queue

    assert recover() == Findings()
    assert sorted(rung()) == ids


def test_a_task_submitted_just_now_is_not_missed_yet() -> None:
    pending()
    assert recover() == Findings()
    assert rung() == []


def test_grace_is_for_the_caller_to_say() -> None:
    task_id = pending()
    assert recover(grace_s=0) == Findings(silent=[task_id])


def test_a_dry_run_finds_everything_and_changes_nothing(settings: LazySettings) -> None:
    is_lost, is_exhausted, is_silent = lost(), exhausted(settings), pending()
    age_ring(is_silent)
    before = list(Task.objects.order_by("task_id").values())

    found = recover(dry_run=True)

    assert found == Findings(lost=[is_lost], exhausted=[is_exhausted], silent=[is_silent])
    assert list(Task.objects.order_by("task_id").values()) == before
    assert rung() == []


def test_one_pass_rings_for_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BATCH", 3)
    ids = [pending() for _ in range(5)]
    age_ring(*ids)
    assert len(recover().silent) == 3
    eventually(lambda: broker.depths().ready == 3, what="they are counted")
    assert len(recover().silent) == 2
    assert sorted(rung()) == ids


# -- the command -------------------------------------------------------------------------------


def command(*options: str) -> str:
    output = io.StringIO()
    call_command("recover_tasks", *options, stdout=output)
    return output.getvalue()


def test_the_command_prints_what_it_finds_and_does_it(settings: LazySettings) -> None:
    is_lost, is_exhausted, is_silent = lost(), exhausted(settings), pending()
    age_ring(is_silent)
    expected = {
        f"{is_lost}  worker lost, rung again",
        f"{is_exhausted}  attempts used up, failed",
        f"{is_silent}  message lost, rung again",
    }

    assert set(command("--dry-run").splitlines()) == expected
    assert rung() == []
    assert set(command("--once").splitlines()) == expected
    assert set(rung()) == {is_lost, is_silent}
    assert Task.objects.get(task_id=is_exhausted).current_status == "failed"


@pytest.mark.parametrize("option", ["--once", "--dry-run"])
def test_the_command_says_when_there_is_nothing(option: str) -> None:
    assert command(option) == "nothing to recover\n"


# -- leadership --------------------------------------------------------------------------------


class Candidate:
    """A worker's recovery thread with a database session of its own."""

    def __init__(self) -> None:
        self._session = Session()
        self._leader = Leader()
        self.backend = self._session.do(_backend)

    def attends(self) -> bool:
        """Take part in the election once, after a lost connection too; whether it leads."""

        def attend() -> bool:
            connections["default"].close_if_unusable_or_obsolete()
            self._leader.attend()
            return self._leader._leading

        try:
            return self._session.do(attend)
        except DATABASE_ERRORS:
            return False

    def do(self, work: Callable[[], object]) -> None:
        self._session.do(work)

    def close(self) -> None:
        self._session.close()


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.fixture
def candidates(transactional_db: None) -> Iterator[tuple[Candidate, Candidate]]:
    both = Candidate(), Candidate()
    yield both
    for candidate in both:
        candidate.close()


def terminate(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend])


def test_of_two_only_one_leads_and_stays_leader(candidates: tuple[Candidate, Candidate]) -> None:
    first, second = candidates
    assert [first.attends(), second.attends()] == [True, False]
    assert [second.attends(), first.attends()] == [False, True]


def test_only_the_leader_recovers(candidates: tuple[Candidate, Candidate]) -> None:
    first, second = candidates
    first.attends()
    task_id = pending()
    age_ring(task_id)

    second.attends()
    assert rung() == []
    first.attends()
    assert rung() == [task_id]


def test_when_the_leaders_session_dies_another_takes_over(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, second = candidates
    assert first.attends()

    terminate(first.backend)

    eventually(second.attends, what="the second leads")
    assert not first.attends()
    assert second.attends()


def test_when_the_leaders_connection_is_closed_in_order_another_takes_over(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, second = candidates
    assert first.attends()
    first.do(connections.close_all)
    eventually(second.attends, what="the second leads")


def test_when_the_leader_falls_silent_another_takes_over(
    candidates: tuple[Candidate, Candidate],
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Paused or cut off, it cannot die: PostgreSQL ends its session."""
    monkeypatch.setattr(recovery, "LEADER_IDLE_S", 1)
    settings.RECOVERY_S = 0.1
    first, second = candidates
    assert first.attends()

    eventually(second.attends, what="the second leads")
    assert not first.attends()


def test_a_leader_that_keeps_attending_is_not_taken_for_silent(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, _ = candidates
    assert first.attends()
    for _ in range(3):
        before = silent_since(first.backend)
        assert first.attends()
        assert silent_since(first.backend) > before


def silent_since(backend: int) -> datetime:
    """From when on PostgreSQL counts the session's silence."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state_change FROM pg_stat_activity WHERE pid = %s", [backend])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def test_an_unavailable_queue_does_not_end_leadership(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, second = candidates
    assert first.attends()
    age_ring(pending())
    with channel() as amqp:  # the next look at the queue fails until it is declared anew
        amqp.queue_delete(QUEUE)

    with capture_logs() as logs:
        assert first.attends()
    assert "recovery_waits" in {entry["event"] for entry in logs}
    assert not second.attends()

    def recovered() -> bool:
        with capture_logs() as logs:
            first.attends()
        return "recovered" in {entry["event"] for entry in logs}

    eventually(recovered, what="recovery goes on")
    assert len(rung()) == 1


def test_passes_by_hand_beside_the_leader_are_harmless(
    candidates: tuple[Candidate, Candidate],
) -> None:
    first, _ = candidates
    ids = [pending() for _ in range(5)]
    age_ring(*ids)
    other = Session()
    try:
        by_hand = other.start(partial(recover))
        first.attends()
        by_hand()
    finally:
        other.close()
    assert set(rung()) == set(ids)
