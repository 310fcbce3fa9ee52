"""Whose turn it is: priority, then fair shares of owners, then arrival; and limits of what runs."""

import itertools
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks_app import lifecycle, turns, worker_id
from tasks_app.lifecycle import Claim
from tasks_app.models import OwnerLimits, Status, Task, Worker
from tasks_app.tests.unit.tasks import CIRCUIT, RESULT, age_lease, next_claim, together

pytestmark = pytest.mark.django_db

EXAMPLES = 10

_names = itertools.count()


def owner(**limits: int) -> User:
    user = User.objects.create(username=f"owner-{next(_names)}")
    if limits:
        OwnerLimits.objects.create(owner=user, **limits)
    return user


def submit(user: User | None, tasks: int = 1, *, priority: int = 0) -> list[uuid.UUID]:
    """So many tasks in one submission."""
    new = [
        Task(circuit=CIRCUIT, shots=1, correlation_id="c", owner=user, priority=priority)
        for _ in range(tasks)
    ]
    lifecycle.submit(new)
    return [task.task_id for task in new]


def claimed() -> Claim:
    claim = next_claim(worker="w")
    assert claim is not None
    return claim


def served(most: int | None = None) -> list[uuid.UUID]:
    """What one slot runs, one task after the other, until nothing waits or so many have run."""
    found: list[uuid.UUID] = []
    while len(found) != most and (claim := next_claim(worker="w")) is not None:
        lifecycle.complete(claim, RESULT)
        found.append(claim.task_id)
    return found


# -- the order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("anonymous", [False, True])
def test_one_owners_tasks_run_as_they_came(anonymous: bool) -> None:
    user = None if anonymous else owner()
    ids = [*submit(user, 3), *submit(user), *submit(user, 2)]
    assert served() == ids


def test_a_newcomer_is_next_however_many_tasks_wait() -> None:
    submit(owner(), 50)
    served(10)
    newcomer = submit(owner())
    assert served(1) == newcomer


def test_a_newcomer_is_next_beside_ten_who_wait_too() -> None:
    for _ in range(10):
        submit(owner(), 20)
    served(35)
    newcomer = submit(owner())
    assert served(1) == newcomer


def test_newcomers_run_as_they_came() -> None:
    submit(owner(), 50)
    served(10)
    newcomers = [submit(user)[0] for user in (owner(), owner(), None, owner())]
    assert served(4) == newcomers


def test_two_owners_alternate() -> None:
    first, second = submit(owner(), 5), submit(owner(), 5)
    assert served() == [task for pair in zip(first, second, strict=True) for task in pair]


def test_who_submits_one_after_the_other_gets_no_more_than_a_turn_of_each_round() -> None:
    """Nothing of theirs waits when they submit: their last turn still counts."""
    for _ in range(4):
        submit(owner(), 40)
    served(8)
    one_by_one, mine, turns_of_mine = owner(), submit(owner()), []
    served(1)
    mine = submit(one_by_one)
    for number in range(50):
        (task_id,) = served(1)
        if task_id in mine:
            turns_of_mine.append(number)
            mine = submit(one_by_one)
    gaps = [after - before for before, after in itertools.pairwise(turns_of_mine)]
    assert len(turns_of_mine) >= 9
    assert min(gaps) >= 4


def test_shares_are_as_the_weights() -> None:
    heavy, light = owner(weight=3), owner()
    tasks = {task_id: user for user in (light, heavy) for task_id in submit(user, 400)}
    count = Counter(tasks[task_id].pk for task_id in served(400))
    assert 0.95 * 300 <= count[heavy.pk] <= 1.05 * 300


def test_a_higher_priority_goes_before_a_lower_one_whoever_has_waited_longer() -> None:
    user, other = owner(), owner()
    low, usual = submit(user, 2, priority=-1), submit(other, 3)
    high, highest = submit(user, 2, priority=10), submit(user, priority=100)
    assert served() == [*highest, *high, *usual, *low]


def test_each_priority_has_its_own_line() -> None:
    """Many turns taken at one priority put nobody back at another."""
    busy, other = owner(), owner()
    submit(busy, 30, priority=5)
    rivals = submit(other, 5)
    mine = submit(busy, 1)
    served(30)
    assert served(2) == [rivals[0], mine[0]]


def test_the_end_of_a_line_leaves_nobody_behind() -> None:
    """Who has taken a thousand turns of a line that ended starts the next one as all others do."""
    bulk, rival = owner(), owner()
    submit(bulk, 100)
    served()
    rivals, mine = submit(rival, 10), submit(bulk, 10)
    assert Counter(task_id in mine for task_id in served(10)) == {True: 5, False: 5}
    assert set(rivals) & set(served())


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(50 * EXAMPLES, marks=pytest.mark.long)]
)
def test_nobody_waits_for_longer_than_a_bound(examples: int) -> None:
    drawn = hypothesis_settings(max_examples=examples, derandomize=examples == EXAMPLES)
    drawn(given(st.data())(nobody_waits_for_longer))()


def nobody_waits_for_longer(data: st.DataObject) -> None:
    """While a task waits behind so many of its owner's, any other owner gets no more turns than
    these in proportion to the weights, and two: however many tasks come meanwhile."""
    Task.objects.all().delete()
    weights = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    users = [owner(weight=weight) for weight in weights]
    waiting: dict[uuid.UUID, tuple[int, int]] = {}  # whose, and how many of theirs are before it
    since: dict[uuid.UUID, Counter[int]] = {}  # turns of each owner since it came
    line: Counter[int] = Counter()

    def claim() -> None:
        claim = claimed()
        lifecycle.complete(claim, RESULT)
        mine, before = waiting.pop(claim.task_id)
        others = since.pop(claim.task_id)
        line[mine] -= 1
        for user, count in others.items():
            bound = (before + 1) * weights[user] / weights[mine] + 2
            assert user == mine or count <= bound, (user, mine, weights, before, count)
        for counts in since.values():
            counts[mine] += 1

    for _ in range(data.draw(st.integers(5, 25))):
        if data.draw(st.booleans()):
            if waiting:
                claim()
        else:
            who, many = data.draw(st.integers(0, len(users) - 1)), data.draw(st.integers(1, 6))
            for task_id in submit(users[who], many):
                waiting[task_id], since[task_id] = (who, line[who]), Counter()
                line[who] += 1
    while waiting:
        claim()
    assert not lifecycle.claim(worker="w")


# -- limits ------------------------------------------------------------------------------------


def test_an_owner_at_the_limit_is_stepped_over_and_keeps_the_order() -> None:
    limited, other = owner(max_running=1), owner()
    mine, others = submit(limited, 3), submit(other, 2)
    first = [claimed() for _ in range(3)]
    assert {claim.task_id for claim in first} == {mine[0], *others}
    assert not lifecycle.claim(worker="w")

    running = next(claim for claim in first if claim.task_id == mine[0])
    assert running.max_running == 1
    assert lifecycle.complete(running, RESULT)

    assert [each.task_id for each in lifecycle.waiting_behind(running)] == mine[1:2]
    assert claimed().task_id == mine[1]


@pytest.mark.parametrize(("limit", "tasks", "waits"), [(1, 2, True), (1, 1, False), (0, 2, False)])
def test_who_ends_a_task_looks_again_where_messages_may_be_gone(
    limit: int, tasks: int, waits: bool
) -> None:
    submit(owner(max_running=limit), tasks)
    claim = claimed()
    lifecycle.complete(claim, RESULT)
    assert bool(lifecycle.waiting_behind(claim)) == waits


def test_no_limit_of_ones_own_takes_the_place_of_what_is_usual(settings: LazySettings) -> None:
    settings.LIMIT_MAX_RUNNING = 1
    submit(owner(), 2)
    submit(owner(max_running=0), 3)
    assert Counter(claimed().max_running for _ in range(4)) == {1: 1, None: 3}
    assert not lifecycle.claim(worker="w")


def test_a_lost_task_is_claimed_anew_whatever_its_owners_limit() -> None:
    submit(owner(max_running=1), 2)
    claim = claimed()
    age_lease(claim.task_id)
    assert (again := claimed()).task_id == claim.task_id
    assert again.attempt == 2


def test_newcomers_of_owners_that_wait_for_others_start_where_the_line_is() -> None:
    """Not before those who have waited long, where the line stands for who is at the limit."""
    submit(owner(max_running=1), 50)
    patient = submit(owner(), 30)
    served_first = [claimed().task_id for _ in range(12)]
    assert set(patient[:11]) < set(served_first)

    burst = submit(owner(), 10)

    nine = [claimed().task_id for _ in range(9)]
    assert sum(task_id in burst for task_id in nine) in (4, 5)


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_moment_keep_the_limit() -> None:
    for _ in range(5):
        Task.objects.all().delete()
        submit(owner(max_running=2), 6)
        claims = together(*[partial(next_claim, worker=str(each)) for each in range(4)])
        assert sum(claim is not None for claim in claims) == 2
        assert Task.objects.with_status(Status.PROCESSING).count() == 2
        for claim in claims:
            if claim is not None:
                lifecycle.complete(claim, RESULT)


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_moment_leave_nobody_out() -> None:
    """Each of those who claim gets one while there is one for each, beside a full owner too."""
    for _ in range(5):
        Task.objects.all().delete()
        submit(owner(max_running=1), 5)
        claimed()
        for _ in range(4):
            submit(owner())
        claims = together(*[partial(next_claim, worker=str(each)) for each in range(4)])
        assert all(claims)
        for task in Task.objects.with_status(Status.PROCESSING):
            lifecycle.complete(_as_owner(task), RESULT)


def _as_owner(task: Task) -> Claim:
    return Claim(task.task_id, task.attempt, CIRCUIT, 1, None, "")


# -- the share ---------------------------------------------------------------------------------


@pytest.fixture
def workers() -> Callable[[int], None]:
    def alive(slots: int) -> None:
        Worker.objects.update_or_create(worker=worker_id.current(), defaults={"slots": slots})
        turns._share.cache_clear()

    return alive


@pytest.mark.parametrize(
    ("slots", "share"), [(0, None), (1, None), (2, 1), (3, 2), (4, 3), (16, 12)]
)
def test_while_two_use_the_service_none_holds_all_slots(
    slots: int, share: int | None, workers: Callable[[int], None], settings: LazySettings
) -> None:
    settings.API_AUTH = "required"
    submit(owner(), 5)
    workers(slots)
    assert turns.limits() == {"usual": None, "share": None}

    submit(owner(), 1)
    workers(slots)
    assert turns.limits() == {"usual": None, "share": share}


def test_a_thousand_endless_circuits_leave_room(workers: Callable[[int], None]) -> None:
    endless, other = owner(), owner()
    submit(other, 1)
    served()
    submit(endless, 20)
    workers(4)
    holds = [claimed() for _ in range(3)]
    assert {claim.owner_id for claim in holds} == {endless.pk}
    assert not lifecycle.claim(worker="w")
    assert [lifecycle.claim(worker="w") for _ in range(2)] == [[], []]

    submit(other, 1)
    assert claimed().owner_id == other.pk


def test_a_limit_in_the_settings_takes_the_shares_place(settings: LazySettings) -> None:
    settings.LIMIT_MAX_RUNNING = 7
    assert turns.limits() == {"usual": 7, "share": None}
