"""Each arrow of the state machine, each refusal, and races between real connections."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.db.models.functions import Now
from structlog.testing import capture_logs

from tasks_app import lifecycle, recovery, sql, worker_id
from tasks_app.lifecycle import Claim
from tasks_app.models import TERMINAL, Status, StatusHistory, Task
from tasks_app.tests.unit.tasks import (
    ARROWS,
    CIRCUIT,
    RESULT,
    Session,
    age_lease,
    claim_of,
    claimed,
    history,
    in_state,
    path,
    pending,
    processing,
    submitted,
    together,
    waiting,
)
from testing.service import eventually

pytestmark = pytest.mark.django_db

T = TypeVar("T")

OwnersMove = Callable[[Claim], bool]
OWNERS_MOVES: dict[str, OwnersMove] = {
    "complete": lambda claim: lifecycle.complete(claim, RESULT),
    "fail": lambda claim: lifecycle.fail(claim, code="late", message="Too late."),
    "hand_back": lambda claim: lifecycle.hand_back(claim, reason="late", count_attempt=True),
    "renew": lambda claim: claim in lifecycle.renew([claim]),
}


def row(task_id: uuid.UUID) -> dict[str, Any]:
    return dict(Task.objects.filter(task_id=task_id).values().get())


@pytest.fixture
def dead_worker() -> str:
    """The worker id of a process that has ended."""
    code = "from tasks_app import worker_id; print(worker_id.current(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    worker = process.stdout.readline().strip()
    assert not worker_id.is_gone(worker)
    process.kill()
    process.communicate()
    return worker


# -- submit ------------------------------------------------------------------------------------


def test_a_submitted_task_is_pending_with_one_history_row() -> None:
    task = submitted(circuit=CIRCUIT, shots=7, seed=11, correlation_id="abc")

    stored = Task.objects.get(task_id=task.task_id)
    assert (stored.circuit, stored.shots, stored.seed) == (CIRCUIT, 7, 11)
    assert (stored.correlation_id, stored.current_status) == ("abc", Status.PENDING)
    assert (stored.attempt, stored.lease_expires_at, stored.completed_at) == (0, None, None)
    assert history(task.task_id) == [("pending", "submitted")]
    assert task.submitted_at == stored.submitted_at


def test_task_ids_are_in_the_order_of_submission() -> None:
    ids = [pending() for _ in range(20)]
    assert ids == sorted(ids)


@pytest.mark.django_db(transaction=True)
def test_a_submission_whose_history_row_fails_leaves_no_task() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_app_statushistory RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="statushistory"):
            pending()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO tasks_app_statushistory")
    assert not Task.objects.exists()


# -- claim -------------------------------------------------------------------------------------


def test_claiming_a_pending_task_starts_attempt_one_with_a_lease(settings: LazySettings) -> None:
    task_id = pending(shots=9, correlation_id="xyz")

    claim = claim_of(task_id, worker="w")

    assert claim == Claim(task_id, 1, CIRCUIT, 9, None, "xyz")
    task = Task.objects.get()
    assert (task.current_status, task.attempt, task.worker) == (Status.PROCESSING, 1, "w")
    assert task.lease_expires_at is not None and task.started_at is not None
    assert task.lease_expires_at - task.started_at == timedelta(seconds=settings.LEASE_S)
    assert history(task_id) == [("pending", "submitted"), ("processing", "attempt 1 on w")]


def test_the_lease_comes_from_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker clocks may be wrong by hours."""
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("django.utils.timezone.now", lambda: pytest.fail("asked for our clock"))

    claim = processing()
    assert lifecycle.renew([claim]) == {claim}

    in_30_s = Task.objects.filter(
        lease_expires_at__gt=Now() + timedelta(seconds=20),
        lease_expires_at__lt=Now() + timedelta(seconds=40),
    )
    assert in_30_s.count() == 1


def test_a_live_lease_keeps_others_out() -> None:
    claim = processing()
    before = row(claim.task_id)

    assert claim_of(claim.task_id, worker="other") is None

    assert row(claim.task_id) == before
    assert path(claim.task_id) == ["pending", "processing"]


def test_an_expired_lease_is_claimed_anew_and_history_says_so() -> None:
    first = claimed(pending(), worker="first")
    age_lease(first.task_id)

    second = claim_of(first.task_id, worker="second")

    assert second is not None
    assert second.attempt == 2
    assert history(first.task_id)[2:] == [("processing", "attempt 2 on second; attempt 1 was lost")]


def test_the_task_of_a_process_that_has_ended_is_claimed_before_its_lease_ends(
    dead_worker: str,
) -> None:
    claim = claimed(pending(), worker=dead_worker)

    recovery.expire_leases_of_the_dead()  # as a message that is delivered again has it done

    again = claim_of(claim.task_id, worker="w")

    assert again is not None
    assert again.attempt == 2


def test_the_task_of_a_living_process_is_not_claimed() -> None:
    claim = claimed(pending(), worker=worker_id.current())
    recovery.expire_leases_of_the_dead()
    assert claim_of(claim.task_id, worker="w") is None


@pytest.mark.parametrize("change", ["namespace", "shape"])
def test_nobody_is_called_gone_who_may_live_elsewhere(dead_worker: str, change: str) -> None:
    assert worker_id.is_gone(dead_worker)
    if change == "namespace":
        elsewhere = dead_worker.rpartition(":")[0] + ":0123456789ab"
    else:
        elsewhere = "host:not-a-pid:x:" + dead_worker.rpartition(":")[2]
    assert not worker_id.is_gone(elsewhere)
    assert not worker_id.is_gone("")


def test_a_reused_process_id_is_another_worker() -> None:
    host, pid, start, namespace = worker_id.current().split(":")
    assert not worker_id.is_gone(f"{host}:{pid}:{start}:{namespace}")
    assert worker_id.is_gone(f"{host}:{pid}:{int(start) - 1}:{namespace}")


@pytest.mark.parametrize("status", TERMINAL)
def test_a_terminal_task_is_not_claimed(status: Status) -> None:
    task_id = in_state(status)
    before = row(task_id), history(task_id)

    assert claim_of(task_id, worker="w") is None

    assert (row(task_id), history(task_id)) == before


def test_where_nothing_waits_nothing_is_claimed() -> None:
    pending()
    assert not lifecycle.claim(worker="w")


def test_a_lost_task_with_its_attempts_used_up_fails_with_a_reason(settings: LazySettings) -> None:
    task_id = pending()
    for number in range(1, settings.MAX_ATTEMPTS + 1):
        assert claimed(task_id, worker=f"w{number}").attempt == number
        age_lease(task_id)

    assert claim_of(task_id, worker="one too many") is None

    task = Task.objects.get()
    assert (task.current_status, task.error_code) == (Status.FAILED, "attempts_exhausted")
    assert "3 attempts" in (task.error_message or "")
    assert task.attempt == settings.MAX_ATTEMPTS
    assert history(task_id)[-1] == ("failed", "attempts_exhausted: attempt 3 was lost")


# -- the owner's moves -------------------------------------------------------------------------


def test_completing_stores_the_result_and_ends_the_lease() -> None:
    claim = processing()

    assert lifecycle.complete(claim, RESULT)

    task = Task.objects.get()
    assert (task.current_status, task.result, task.lease_expires_at) == ("completed", RESULT, None)
    assert task.completed_at is not None
    assert (task.error_code, task.error_message) == (None, None)
    assert history(claim.task_id)[2:] == [("completed", "attempt 1 succeeded")]


def test_failing_stores_code_and_message() -> None:
    claim = processing()

    assert lifecycle.fail(claim, code="syntax_error", message="Line 3 is wrong.")

    task = Task.objects.get()
    assert (task.current_status, task.error_code) == ("failed", "syntax_error")
    assert (task.error_message, task.result) == ("Line 3 is wrong.", None)
    assert history(claim.task_id)[2:] == [("failed", "syntax_error: Line 3 is wrong.")]


@pytest.mark.parametrize("move", OWNERS_MOVES.values(), ids=OWNERS_MOVES)
def test_a_stale_owner_changes_nothing(move: OwnersMove) -> None:
    stale = processing()
    age_lease(stale.task_id)
    fresh = claimed(stale.task_id, worker="fresh")
    before = row(stale.task_id), history(stale.task_id)

    assert not move(stale)

    assert (row(stale.task_id), history(stale.task_id)) == before
    assert move(fresh)


@pytest.mark.parametrize("status", TERMINAL)
@pytest.mark.parametrize("move", OWNERS_MOVES.values(), ids=OWNERS_MOVES)
def test_the_owner_of_a_finished_task_changes_nothing(move: OwnersMove, status: Status) -> None:
    claim = processing()
    if status == Status.COMPLETED:
        lifecycle.complete(claim, {"counts": {}})
    elif status == Status.FAILED:
        lifecycle.fail(claim, code="first", message="First.")
    else:
        lifecycle.cancel([claim.task_id], reason="enough")
    before = row(claim.task_id), history(claim.task_id)

    assert not move(claim)

    assert (row(claim.task_id), history(claim.task_id)) == before


def test_a_claim_from_the_future_changes_nothing() -> None:
    claim = processing()
    forged = Claim(claim.task_id, 2, "", 1, None, "")
    assert not any(move(forged) for move in OWNERS_MOVES.values())


def test_an_owner_whose_lease_ended_unnoticed_may_still_finish() -> None:
    """Nobody else has the task: throwing the result away would help nobody."""
    claim = processing()
    age_lease(claim.task_id)
    assert lifecycle.complete(claim, RESULT)


def test_stale_results_are_logged() -> None:
    stale = processing()
    age_lease(stale.task_id)
    claimed(stale.task_id)
    with capture_logs() as logs:
        lifecycle.complete(stale, RESULT)
    assert [(entry["event"], entry["attempt"]) for entry in logs] == [("stale_owner", 1)]


# -- renew -------------------------------------------------------------------------------------


def test_renewing_extends_only_what_is_still_owned() -> None:
    mine, lost, done = processing(), processing(), processing()
    for claim in (mine, lost):
        age_lease(claim.task_id)
    taken = claimed(lost.task_id)
    taken_until = row(lost.task_id)["lease_expires_at"]
    lifecycle.complete(done, RESULT)

    assert lifecycle.renew([mine, lost, done]) == {mine}

    assert not Task.objects.lease_expired().exists()
    assert row(lost.task_id)["lease_expires_at"] == taken_until
    assert taken.attempt == 2


def test_renewing_nothing_asks_the_database_nothing(
    django_assert_num_queries: Callable[[int], AbstractContextManager[None]],
) -> None:
    with django_assert_num_queries(0):
        assert lifecycle.renew([]) == set()


def test_renewing_many_is_one_statement(
    django_assert_num_queries: Callable[[int], AbstractContextManager[None]],
) -> None:
    claims = {processing() for _ in range(5)}
    with django_assert_num_queries(1):
        assert lifecycle.renew(claims) == claims


def test_renewing_looks_at_no_other_claim_even_if_the_planner_expects_none() -> None:
    """Its statistics may be of a moment in which nothing ran."""
    lifecycle.submit([Task(circuit=CIRCUIT, shots=1, correlation_id="c") for _ in range(1000)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_app_task")
        mine, *_ = [processing() for _ in range(50)]
        renew = sql.statement("renew")
        values: dict[str, Any] = {"task_ids": [mine.task_id], "attempts": [mine.attempt]}
        cursor.execute(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {renew}",
            values | {"lease_s": 30},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "rows=50" not in plan, plan
    assert "Removed" not in plan, plan


def test_renewing_writes_no_history() -> None:
    claim = processing()
    lifecycle.renew([claim])
    assert path(claim.task_id) == ["pending", "processing"]


# -- hand_back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count_attempt", [True, False])
def test_a_task_handed_back_is_free_at_once(count_attempt: bool) -> None:
    claim = processing()

    assert lifecycle.hand_back(claim, reason="shutting down", count_attempt=count_attempt)

    assert history(claim.task_id)[2:] == [
        ("processing", "attempt 1 handed back: shutting down"),
    ]
    assert row(claim.task_id)["handed_back"] == (0 if count_attempt else 1)
    assert claimed(claim.task_id).attempt == 2


def test_attempts_handed_back_by_a_shutdown_do_not_count(settings: LazySettings) -> None:
    task_id = pending()
    for _ in range(2 * settings.MAX_ATTEMPTS):
        lifecycle.hand_back(claimed(task_id), reason="restart", count_attempt=False)
    for _ in range(settings.MAX_ATTEMPTS):
        lifecycle.hand_back(claimed(task_id), reason="died", count_attempt=True)

    assert claim_of(task_id, worker="w") is None

    assert row(task_id)["error_code"] == "attempts_exhausted"
    assert row(task_id)["attempt"] == 3 * settings.MAX_ATTEMPTS


def test_whoever_handed_back_owns_nothing_once_another_claims() -> None:
    first = processing()
    lifecycle.hand_back(first, reason="restart", count_attempt=False)
    claimed(first.task_id)
    assert not lifecycle.complete(first, RESULT)


def test_a_claim_handed_back_owns_nothing_any_more() -> None:
    """Neither a second word of the old owner nor its heartbeat keeps the task from the next."""
    claim = processing()
    lifecycle.hand_back(claim, reason="restart", count_attempt=False)
    before = row(claim.task_id), history(claim.task_id)

    assert not lifecycle.hand_back(claim, reason="restart", count_attempt=False)
    assert not lifecycle.complete(claim, RESULT)
    assert not lifecycle.fail(claim, code="late", message="Too late.")
    assert lifecycle.renew([claim]) == set()

    assert (row(claim.task_id), history(claim.task_id)) == before
    assert claimed(claim.task_id).attempt == 2


# -- cancel and withdraw -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING])
def test_an_unfinished_task_can_be_cancelled(status: Status) -> None:
    task_id = in_state(status)

    lifecycle.cancel([task_id], reason="changed my mind")

    assert row(task_id)["current_status"] == Status.CANCELLED
    assert row(task_id)["completed_at"] is not None
    assert history(task_id)[-1] == ("cancelled", "changed my mind")


@pytest.mark.parametrize("status", TERMINAL)
def test_a_finished_task_cannot_be_cancelled(status: Status) -> None:
    task_id = in_state(status)
    before = row(task_id), history(task_id)

    assert lifecycle.cancel([task_id], reason="too late") == []

    assert (row(task_id), history(task_id)) == before


def test_an_unknown_task_cannot_be_cancelled() -> None:
    assert lifecycle.cancel([uuid.uuid4()], reason="what?") == []


def test_withdrawing_leaves_neither_task_nor_history() -> None:
    keep, task_id = pending(), pending()

    assert lifecycle.withdraw(task_id)

    assert list(Task.objects.values_list("task_id", flat=True)) == [keep]
    assert list(StatusHistory.objects.values_list("task_id", flat=True)) == [keep]


@pytest.mark.parametrize("status", [Status.PROCESSING, *TERMINAL])
def test_only_a_pending_task_can_be_withdrawn(status: Status) -> None:
    task_id = in_state(status)
    before = row(task_id), history(task_id)

    assert not lifecycle.withdraw(task_id)

    assert (row(task_id), history(task_id)) == before


def test_withdrawing_an_unknown_task_is_no_error() -> None:
    assert not lifecycle.withdraw(uuid.uuid4())


# -- fail_exhausted -------------------------------------------------------------------------


def test_only_a_lost_task_without_attempts_left_fails_in_recovery(settings: LazySettings) -> None:
    settings.MAX_ATTEMPTS = 1
    running, lost, waiting = processing(), processing(), pending()
    age_lease(lost.task_id)

    answers = [lifecycle.fail_exhausted(i) for i in (running.task_id, lost.task_id, waiting)]

    assert answers == [False, True, False]
    assert row(lost.task_id)["error_code"] == "attempts_exhausted"
    assert not lifecycle.fail_exhausted(lost.task_id)

    settings.MAX_ATTEMPTS = 2
    age_lease(running.task_id)
    assert not lifecycle.fail_exhausted(running.task_id)


# -- all arrows --------------------------------------------------------------------------------


@pytest.mark.parametrize("from_", Status)
def test_the_moves_take_exactly_the_arrows(from_: Status) -> None:
    """Those that the trigger lets through: `test_guards` goes through the same ones."""
    moves: list[Callable[[Claim], object]] = [
        *OWNERS_MOVES.values(),
        lambda claim: claim_of(claim.task_id, worker="w"),
        lambda claim: lifecycle.cancel([claim.task_id], reason="why"),
        lambda claim: lifecycle.fail_exhausted(claim.task_id),
    ]
    taken = set()
    for move in moves:
        for is_lost in (False, True) if from_ == Status.PROCESSING else (False,):
            task_id = in_state(from_)
            if is_lost:
                age_lease(task_id)
            before = path(task_id)
            move(Claim(task_id, row(task_id)["attempt"], CIRCUIT, 1, None, "x"))
            assert path(task_id)[: len(before)] == before
            assert path(task_id)[-1] == row(task_id)["current_status"]
            taken.update(path(task_id)[len(before) :])
    assert taken == ARROWS[from_]


@pytest.mark.django_db(transaction=True)
def test_transitions_are_logged_once_and_only_when_they_are_committed() -> None:
    claim = processing()
    with capture_logs() as logs:
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            lifecycle.complete(claim, RESULT)
            raise KeyboardInterrupt
        assert logs == []
        lifecycle.complete(claim, RESULT)
    assert [(e["event"], e["from"], e["to"]) for e in logs] == [
        ("task_transition", "processing", "completed")
    ]
    assert logs[0]["seconds"] >= 0


# -- races -------------------------------------------------------------------------------------


@pytest.fixture
def two_sessions(transactional_db: None) -> Iterator[tuple[Session, Session]]:
    sessions = Session(), Session()
    yield sessions
    for session in sessions:
        session.close()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_the_same_task_exactly_one_wins() -> None:
    for _ in range(50):
        task_id = pending()
        claims = together(
            partial(claim_of, task_id, worker="a"),
            partial(claim_of, task_id, worker="b"),
        )
        assert sum(claim is not None for claim in claims) == 1
        assert path(task_id) == ["pending", "processing"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_the_same_lost_task_exactly_one_wins() -> None:
    for _ in range(20):
        task_id = processing().task_id
        age_lease(task_id)
        claims = together(
            partial(claim_of, task_id, worker="a"),
            partial(claim_of, task_id, worker="b"),
        )
        assert [claim.attempt for claim in claims if claim is not None] == [2]


@pytest.mark.django_db(transaction=True)
def test_a_result_and_a_cancellation_at_once_end_in_one_of_the_two() -> None:
    for _ in range(25):
        claim = processing()
        done, gone = together(partial(completed, claim.task_id), partial(cancelled, claim.task_id))
        assert done != gone
        last = Status.COMPLETED if done else Status.CANCELLED
        assert path(claim.task_id) == ["pending", "processing", last]


def claims(task_id: uuid.UUID) -> bool:
    return claim_of(task_id, worker="w") is not None


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_withdrawal_at_once_do_not_both_succeed() -> None:
    for _ in range(25):
        task_id = pending()
        claim, withdrawn = together(
            partial(claims, task_id),
            partial(lifecycle.withdraw, task_id),
        )
        assert claim != withdrawn
        assert path(task_id) == ([] if withdrawn else ["pending", "processing"])


@pytest.mark.django_db(transaction=True)
def test_a_late_result_and_a_new_claim_at_once_never_both_count() -> None:
    for _ in range(25):
        stale = processing()
        age_lease(stale.task_id)
        late, fresh = together(partial(completed, stale.task_id), partial(claims, stale.task_id))
        assert late != fresh


def cancelled(task_id: uuid.UUID) -> bool:
    return bool(lifecycle.cancel([task_id], reason="not needed"))


def completed(task_id: uuid.UUID) -> bool:
    """As the owner of attempt 1."""
    return lifecycle.complete(Claim(task_id, 1, CIRCUIT, 1, None, "x"), RESULT)


def failed(task_id: uuid.UUID) -> bool:
    """As the owner of attempt 1."""
    claim = Claim(task_id, 1, CIRCUIT, 1, None, "x")
    return lifecycle.fail(claim, code="late", message="Too late.")


def handed_back(task_id: uuid.UUID) -> bool:
    """By the owner of attempt 1."""
    claim = Claim(task_id, 1, CIRCUIT, 1, None, "x")
    return lifecycle.hand_back(claim, reason="restart", count_attempt=False)


def running() -> uuid.UUID:
    return processing().task_id


def lost() -> uuid.UUID:
    task_id = running()
    age_lease(task_id)
    return task_id


@pytest.mark.parametrize(
    ("task", "first", "second", "left"),
    [
        (lost, claims, completed, ["pending", "processing", "processing"]),
        (lost, claims, failed, ["pending", "processing", "processing"]),
        (running, completed, completed, ["pending", "processing", "completed"]),
        (running, completed, failed, ["pending", "processing", "completed"]),
        (running, cancelled, completed, ["pending", "processing", "cancelled"]),
        (running, cancelled, failed, ["pending", "processing", "cancelled"]),
    ],
)
def test_whoever_comes_second_waits_for_the_first_and_changes_nothing(
    task: Callable[[], uuid.UUID],
    first: Callable[[uuid.UUID], object],
    second: Callable[[uuid.UUID], object],
    left: list[str],
    two_sessions: tuple[Session, Session],
) -> None:
    """The row's lock, not luck, decides: the second sees what the first committed."""
    task_id = task()

    assert not one_after_the_other(first, second, task_id, two_sessions)
    assert path(task_id) == left


@pytest.mark.parametrize(
    ("task", "first", "left"),
    [
        (pending, claims, ["pending", "processing"]),
        (pending, cancelled, ["pending", "cancelled"]),
        (pending, lifecycle.withdraw, []),
        (lost, claims, ["pending", "processing", "processing"]),
        (lost, completed, ["pending", "processing", "completed"]),
        (lost, failed, ["pending", "processing", "failed"]),
    ],
)
def test_who_claims_steps_over_what_another_move_holds(
    task: Callable[[], uuid.UUID],
    first: Callable[[uuid.UUID], object],
    left: list[str],
    two_sessions: tuple[Session, Session],
) -> None:
    task_id, held = task(), transaction.atomic()
    here, there = two_sessions
    here.do(held.__enter__)
    here.do(partial(first, task_id))

    assert not there.do(partial(claims, task_id))

    here.do(partial(held.__exit__, None, None, None))
    assert not claims(task_id)
    assert path(task_id) == left


def test_a_withdrawal_that_is_refused_keeps_nobody_from_the_task(
    two_sessions: tuple[Session, Session],
) -> None:
    task_id, held = lost(), transaction.atomic()
    here, there = two_sessions
    here.do(held.__enter__)
    assert not here.do(partial(lifecycle.withdraw, task_id))

    assert there.do(partial(claims, task_id))

    here.do(partial(held.__exit__, None, None, None))


@pytest.mark.parametrize(
    ("task", "first", "second", "left"),
    [
        (pending, claims, cancelled, ["pending", "processing", "cancelled"]),
        (lost, claims, cancelled, ["pending", "processing", "processing", "cancelled"]),
        (running, handed_back, cancelled, ["pending", "processing", "processing", "cancelled"]),
    ],
)
def test_history_tells_what_happened_in_order_however_long_a_move_waited(
    task: Callable[[], uuid.UUID],
    first: Callable[[uuid.UUID], object],
    second: Callable[[uuid.UUID], object],
    left: list[str],
    two_sessions: tuple[Session, Session],
) -> None:
    task_id = task()
    one_after_the_other(first, second, task_id, two_sessions)

    entries = StatusHistory.objects.filter(task_id=task_id)
    assert path(task_id) == left
    assert list(entries.order_by("transitioned_at").values_list("status", flat=True)) == left
    assert row(task_id)["completed_at"] == entries.latest("id").transitioned_at


def one_after_the_other(
    first: Callable[[uuid.UUID], object],
    second: Callable[[uuid.UUID], T],
    task_id: uuid.UUID,
    sessions: tuple[Session, Session],
) -> T:
    """What the second move says, which began before the first and had to wait for it."""
    here, there = sessions
    held = transaction.atomic()

    def lock() -> None:
        held.__enter__()
        Task.objects.select_for_update().get(task_id=task_id)

    def move_and_commit() -> None:
        first(task_id)
        held.__exit__(None, None, None)

    here.do(lock)
    outcome = there.start(partial(second, task_id))
    eventually(waiting, what="the second waits")
    here.do(move_and_commit)
    return outcome()
