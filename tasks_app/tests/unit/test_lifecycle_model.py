"""`lifecycle` against a small model of itself, driven at random over two database connections."""

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Q
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tasks_app import lifecycle
from tasks_app.lifecycle import Claim
from tasks_app.models import TERMINAL, Status, StatusHistory, Task
from tasks_app.tests.unit.tasks import ARROWS, RESULT, Session, age_lease, claim_of, path, pending

EXAMPLES, STEPS = 25, 25


@dataclass(frozen=True)
class Model:
    """What a task should look like. `path` is its history; empty once withdrawn."""

    path: tuple[Status, ...] = (Status.PENDING,)
    attempt: int = 0
    handed_back: int = 0
    lease_live: bool = False
    owned: bool = False  # by the attempt's worker, until it hands back

    @property
    def status(self) -> Status | None:
        return self.path[-1] if self.path else None

    @property
    def exhausted(self) -> bool:
        return bool(self.attempt - self.handed_back >= settings.MAX_ATTEMPTS)

    def to(self, status: Status, **changes: Any) -> "Model":
        return replace(self, path=(*self.path, status), **({"lease_live": False} | changes))


@dataclass(frozen=True)
class Move:
    """A call of `lifecycle`, and what the model says it does and answers."""

    task_id: uuid.UUID
    call: Callable[[], Any]
    expected: Callable[[Model], tuple[Model, Any]]
    name: str = field(default="", compare=False)


def claim_move(task_id: uuid.UUID, worker: str) -> Move:
    def call() -> int | None:
        claim = claim_of(task_id, worker=worker)
        return None if claim is None else claim.attempt

    def expected(model: Model) -> tuple[Model, int | None]:
        lost = model.status == Status.PROCESSING and not model.lease_live
        if lost and model.exhausted:
            return model.to(Status.FAILED), None
        if lost or model.status == Status.PENDING:
            after = model.to(Status.PROCESSING, attempt=model.attempt + 1, owned=True)
            after = replace(after, lease_live=True)
            return after, after.attempt
        return model, None

    return Move(task_id, call, expected, "claim")


def owners_move(
    claim: Claim, call: Callable[[], bool], after: Callable[[Model], Model], name: str
) -> Move:
    def expected(model: Model) -> tuple[Model, bool]:
        running = model.status == Status.PROCESSING and model.attempt == claim.attempt
        return (after(model), True) if running and model.owned else (model, False)

    return Move(claim.task_id, call, expected, name)


def complete_move(claim: Claim) -> Move:
    call = partial(lifecycle.complete, claim, RESULT)
    return owners_move(claim, call, lambda model: model.to(Status.COMPLETED), "complete")


def fail_move(claim: Claim) -> Move:
    call = partial(lifecycle.fail, claim, code="bad", message="Bad.")
    return owners_move(claim, call, lambda model: model.to(Status.FAILED), "fail")


def renew_move(claim: Claim) -> Move:
    def call() -> bool:
        return lifecycle.renew([claim]) == {claim}

    return owners_move(claim, call, lambda model: replace(model, lease_live=True), "renew")


def hand_back_move(claim: Claim, count_attempt: bool) -> Move:
    def after(model: Model) -> Model:
        freed = model.handed_back + (0 if count_attempt else 1)
        return model.to(Status.PROCESSING, handed_back=freed, owned=False)

    call = partial(lifecycle.hand_back, claim, reason="why", count_attempt=count_attempt)
    return owners_move(claim, call, after, "hand_back")


def cancel_move(task_id: uuid.UUID) -> Move:
    def expected(model: Model) -> tuple[Model, list[uuid.UUID]]:
        if model.status is None or model.status in TERMINAL:
            return model, []
        return model.to(Status.CANCELLED), [task_id]

    return Move(task_id, partial(lifecycle.cancel, [task_id], reason="why"), expected, "cancel")


def withdraw_move(task_id: uuid.UUID) -> Move:
    def expected(model: Model) -> tuple[Model, bool]:
        if model.status == Status.PENDING:
            return replace(model, path=()), True
        return model, False

    return Move(task_id, partial(lifecycle.withdraw, task_id), expected, "withdraw")


def fail_exhausted_move(task_id: uuid.UUID) -> Move:
    def expected(model: Model) -> tuple[Model, bool]:
        lost = model.status == Status.PROCESSING and not model.lease_live
        return (model.to(Status.FAILED), True) if lost and model.exhausted else (model, False)

    call = partial(lifecycle.fail_exhausted, task_id)
    return Move(task_id, call, expected, "fail_exhausted")


class Lifecycle(RuleBasedStateMachine):
    """Random moves, alone or two at the same moment, by current and by stale owners."""

    tasks: Bundle[uuid.UUID] = Bundle("tasks")
    sessions: tuple[Session, Session]
    which = st.sampled_from([0, 1])

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[uuid.UUID, Model] = {}

    @initialize(target=tasks, session=which)
    def first_task(self, session: int) -> uuid.UUID:
        return self.submitted(session)

    @rule(target=tasks, session=which)
    def submit(self, session: int) -> uuid.UUID:
        return self.submitted(session)

    def submitted(self, session: int) -> uuid.UUID:
        task_id = self.sessions[session].do(pending)
        self.models[task_id] = Model()
        return task_id

    @rule(task_id=tasks)
    def lease_expires(self, task_id: uuid.UUID) -> None:
        model = self.models[task_id]
        if model.status == Status.PROCESSING:
            age_lease(task_id)
            self.models[task_id] = replace(model, lease_live=False)

    @rule(task_id=tasks, session=which, data=st.data())
    def one_move(self, task_id: uuid.UUID, session: int, data: st.DataObject) -> None:
        self.check([self.draw_move(task_id, data)], session)

    @rule(task_id=tasks, data=st.data())
    def two_moves_at_once(self, task_id: uuid.UUID, data: st.DataObject) -> None:
        self.check([self.draw_move(task_id, data), self.draw_move(task_id, data)])

    def draw_move(self, task_id: uuid.UUID, data: st.DataObject) -> Move:
        attempts = self.models[task_id].attempt

        def of_age(age: int) -> Claim:
            return Claim(task_id, max(1, attempts - age), "", 1, None, "")

        # Mostly the current attempt or a stale one, also one that has not happened yet. What is
        # drawn may not depend on the task, whose state may be a race's outcome.
        claim = st.integers(-1, 2).map(of_age)
        moves: st.SearchStrategy[Move] = st.one_of(
            st.sampled_from(["a", "b"]).map(lambda worker: claim_move(task_id, worker)),
            claim.map(renew_move),
            claim.map(complete_move),
            claim.map(fail_move),
            st.builds(hand_back_move, claim, st.booleans()),
            st.builds(cancel_move, st.just(task_id)),
            st.builds(withdraw_move, st.just(task_id)),
            st.builds(fail_exhausted_move, st.just(task_id)),
        )
        move: Move = data.draw(moves)
        return move

    def check(self, moves: list[Move], first_session: int = 0) -> None:
        """Make the moves, each on its own connection; the outcome is that of some order.

        Or that of all but a claim, which steps over a row that another move holds just then.
        """
        running = [
            self.sessions[(first_session + number) % 2].start(move.call)
            for number, move in enumerate(moves)
        ]
        answers = [outcome() for outcome in running]
        task_id = moves[0].task_id
        seen = self.observe(task_id)
        possible = []
        numbers = list(range(len(moves)))
        orders = [numbers, numbers[::-1]]
        if len(moves) > 1:
            orders += [[i for i in numbers if i != n] for n in numbers if moves[n].name == "claim"]
        for order in orders:
            model, said = self.models[task_id], [None] * len(moves)
            for number in order:
                model, said[number] = moves[number].expected(model)
            if said == answers and model == seen:
                self.models[task_id] = model
                return
            possible.append((said, model))
        names = [move.name for move in moves]
        raise AssertionError(f"{names}: {answers} and {seen}, possible: {possible}")

    def observe(self, task_id: uuid.UUID) -> Model:
        """The task as PostgreSQL has it."""
        live = Q(lease_expires_at__isnull=False) & ~Q(pk__in=Task.objects.all().lease_expired())
        task = Task.objects.annotate(live=live).filter(task_id=task_id).first()
        if task is None:
            before = self.models[task_id]
            return replace(before, path=tuple(Status(s) for s in path(task_id)), lease_live=False)
        assert task.current_status == path(task_id)[-1]
        return Model(
            path=tuple(Status(status) for status in path(task_id)),
            attempt=task.attempt,
            handed_back=task.handed_back,
            lease_live=task.live,  # type: ignore[attr-defined]  # annotated above
            owned=task.worker != "",
        )

    @invariant()
    def every_history_is_a_path_with_one_end_that_fits_its_row(self) -> None:
        for task in Task.objects.filter(task_id__in=self.models).prefetch_related("history"):
            entries = list(task.history.all())
            statuses = [Status(entry.status) for entry in entries]
            assert statuses[0] == Status.PENDING
            assert all(to in ARROWS[from_] for from_, to in itertools.pairwise(statuses))
            assert sum(status in TERMINAL for status in statuses) == (statuses[-1] in TERMINAL)
            assert task.current_status == statuses[-1]
            claims = [e for e in entries if re.match(r"attempt \d+ on ", e.notes)]
            assert task.attempt == len(claims)
            assert task.handed_back <= task.attempt
            assert (task.completed_at is not None) == (task.current_status in TERMINAL)
            assert (task.result is not None) == (task.current_status == Status.COMPLETED)
            assert (task.error_code is not None) == (task.current_status == Status.FAILED)
            times = [entry.transitioned_at for entry in entries]
            assert times == sorted(times)

    @invariant()
    def what_was_withdrawn_left_nothing(self) -> None:
        gone = [task_id for task_id, model in self.models.items() if not model.path]
        assert not StatusHistory.objects.filter(task_id__in=gone).exists()


@pytest.fixture
def two_sessions(transactional_db: None) -> Iterator[tuple[Session, Session]]:
    sessions = Session(), Session()
    yield sessions
    for session in sessions:
        session.close()


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(50 * EXAMPLES, marks=pytest.mark.long)]
)
def test_random_moves_on_two_connections_agree_with_the_model(
    examples: int, two_sessions: tuple[Session, Session]
) -> None:
    Lifecycle.sessions = two_sessions
    run_state_machine_as_test(
        Lifecycle,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            derandomize=examples == EXAMPLES,
        ),
    )
