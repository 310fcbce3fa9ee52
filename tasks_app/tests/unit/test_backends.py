"""Named backends: a line and a queue each, online or not, and kept while anything waits."""

import io
import logging
import os
import uuid
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from tasks_app import backends, lifecycle
from tasks_app.circuits.backend import shipped
from tasks_app.lifecycle import Claim
from tasks_app.models import Backend, OwnerLimits, Status, Task
from tasks_app.queue import broker
from tasks_app.queue.doorbell import queue_of
from tasks_app.recovery import Findings, recover
from tasks_app.tests.unit import queues, tasks
from tasks_app.tests.unit.tasks import RESULT, age_ring, next_claim
from tasks_app.worker import actors
from testing.service import eventually

pytestmark = pytest.mark.django_db
LINE, GRID = "noisy_line5", "noisy_grid16"
pending = partial(tasks.pending, backend=LINE)


def online(name: str, value: bool) -> None:
    Backend.objects.filter(name=name).update(online=value)


def claim(backend: str) -> Claim | None:
    return next_claim(worker="w", backend=backend)


# -- the line ----------------------------------------------------------------------------------


def test_those_that_ship_are_there() -> None:
    assert {each.name for each in shipped()} == {"aer", LINE, GRID}
    assert set(backends.known()) == {"aer", LINE, GRID}


def test_each_backends_tasks_are_claimed_by_those_who_serve_it_only() -> None:
    task_id = pending()
    assert [claim("aer"), claim(GRID)] == [None, None]
    claimed = claim(LINE)
    assert claimed is not None
    assert (claimed.task_id, claimed.backend) == (task_id, LINE)


def test_positions_and_turns_are_of_one_backend() -> None:
    elsewhere = [tasks.pending(backend="aer") for _ in range(5)]
    task_id = pending()
    assert Task.objects.get(task_id=task_id).turn == Task.objects.get(task_id=elsewhere[0]).turn


def test_offline_nothing_is_claimed_and_nothing_is_lost() -> None:
    task_id = pending()
    lost = pending()
    tasks.claimed(lost)
    tasks.age_lease(lost)
    online(LINE, False)

    assert claim(LINE) is None

    online(LINE, True)
    assert [each and each.task_id for each in (claim(LINE), claim(LINE))] == [lost, task_id]


def test_what_runs_when_its_backend_goes_offline_runs_to_its_end() -> None:
    pending()
    claimed = claim(LINE)
    assert claimed is not None
    online(LINE, False)
    assert lifecycle.renew([claimed]) == {claimed}
    assert lifecycle.complete(claimed, RESULT)


@pytest.mark.django_db(transaction=True)
def test_a_claim_tells_its_backends_limit_and_the_least_one_holds() -> None:
    owner = User.objects.create(username="ada")
    OwnerLimits.objects.create(owner=owner, qubits=7)
    found = []
    for most in (None, 5, 9):
        Backend.objects.filter(name=LINE).update(max_qubits=most)
        tasks.submitted(owner=owner, backend=LINE, circuit=";", shots=1, correlation_id="c")
        claimed = claim(LINE)
        assert claimed is not None
        found.append(actors.job_of(claimed).max_qubits)
        lifecycle.complete(claimed, RESULT)
    assert found == [7, 5, 7]


@pytest.mark.django_db(transaction=True)
def test_the_next_claim_sees_what_was_changed() -> None:
    def definition() -> str:
        pending()
        claimed = claim(LINE)
        assert claimed is not None
        job = actors.job_of(claimed)
        assert job.backend is not None
        lifecycle.complete(claimed, RESULT)
        return job.backend.definition

    before = definition()
    Backend.objects.filter(name=LINE).update(definition={"qubits": [{}], "gates": {}})
    assert definition() == '{"gates": {}, "qubits": [{}]}' != before


def test_aer_as_it_comes_needs_no_definition() -> None:
    assert backends.described("aer", timezone.now()) is None


# -- who is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_a_backend_goes_once_nothing_waits_for_it_or_runs_on_it(status: Status) -> None:
    task_id = pending()
    if status == Status.PROCESSING:
        tasks.claimed(task_id)
    elif status == Status.CANCELLED:
        lifecycle.cancel([task_id], reason="not needed")
    elif status != Status.PENDING:
        end = partial(lifecycle.complete, result=RESULT)
        if status == Status.FAILED:
            end = partial(lifecycle.fail, code="bad", message="It is.")
        end(tasks.claimed(task_id))
    backend = Backend.objects.get(name=LINE)
    if status in (Status.PENDING, Status.PROCESSING):
        with pytest.raises(IntegrityError), transaction.atomic():
            backend.delete()
    else:
        backend.delete()
    assert Task.objects.filter(task_id=task_id).exists()


def test_the_default_one_stays() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Backend.objects.filter(name="aer").delete()


# -- messages ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_queue")
def test_each_message_goes_to_its_backends_queue() -> None:
    names = [LINE, "aer", GRID, LINE]
    bells = [lifecycle.Waiting(uuid.uuid4(), "c", name) for name in names]
    broker.ring(bells)
    assert queues.rung() == [bells[1].task_id]
    assert queues.rung(queue_of(LINE)) == [bells[0].task_id, bells[3].task_id]
    assert queues.rung(queue_of(GRID)) == [bells[2].task_id]


@pytest.mark.usefixtures("empty_queue")
def test_a_queue_that_nobody_has_declared_is_made_by_its_first_message() -> None:
    name = f"new_{uuid.uuid4().hex}"
    bell = lifecycle.Waiting(uuid.uuid4(), "c", name)
    try:
        broker.ring([bell])
        assert queues.rung(queue_of(name)) == [bell.task_id]
    finally:
        with queues.channel() as channel:
            channel.queue_delete(queue_of(name))


@pytest.mark.usefixtures("empty_queue")
def test_recovery_rings_where_the_tasks_backend_is_heard() -> None:
    silent, elsewhere, off = pending(), tasks.pending(backend="aer"), tasks.pending(backend=GRID)
    lost = tasks.claimed(tasks.pending(backend=GRID)).task_id
    tasks.age_lease(lost)
    online(GRID, False)
    age_ring(silent, elsewhere, off, lost)

    found = recover()
    assert (set(found.silent), found.lost) == ({silent, elsewhere}, [])

    assert queues.rung() == [elsewhere]
    assert queues.rung(queue_of(LINE)) == [silent]
    assert queues.rung(queue_of(GRID)) == []
    online(GRID, True)
    assert recover() == Findings(silent=[off], lost=[lost])


@pytest.mark.usefixtures("empty_queue")
def test_an_owner_at_the_limit_on_one_backend_is_looked_for_on_the_others_too() -> None:
    owner = User.objects.create(username="ada")
    OwnerLimits.objects.create(owner=owner, max_running=1)
    for backend in (LINE, LINE, GRID):
        tasks.submitted(owner=owner, backend=backend, circuit=";", shots=1, correlation_id="c")
    claimed = claim(LINE)
    assert claimed is not None
    assert claim(GRID) is None

    lifecycle.complete(claimed, RESULT)

    assert {each.backend for each in lifecycle.waiting_behind(claimed)} == {LINE, GRID}


@pytest.mark.usefixtures("empty_queue")
def test_consumers_of_several_backends_share_a_process_threads() -> None:
    """A message waits in the queue, where others can take it, not behind a busy thread here."""
    made = broker.DoorbellBroker(url=os.environ["RABBITMQ_URL"], middleware=[])
    line, grid = (made.consume(queue_of(name), prefetch=1, timeout=50) for name in (LINE, GRID))
    try:
        broker.ring([lifecycle.Waiting(uuid.uuid4(), "c", name) for name in (LINE, GRID)])
        first = eventually(lambda: next(line), what="the first message comes")

        assert next(grid) is None
        eventually(lambda: next(grid) or broker.depths(GRID).ready, what="it is given back")

        line.ack(first)
        second = eventually(lambda: next(grid), what="the second message comes")
        grid.ack(second)
    finally:
        line.close()
        grid.close()
        made.close()


# -- imported ----------------------------------------------------------------------------------


def imported(*args: str) -> str:
    out = io.StringIO()
    call_command("import_backend", *args, stdout=out)
    return out.getvalue().strip()


def test_a_generic_backend_of_qiskits_is_imported_and_changed() -> None:
    assert imported("generic:3", "--name", "three") == "three is there."
    before = Backend.objects.get(name="three")
    assert before.kind == "aer_device"
    assert len(before.definition["qubits"]) == 3
    assert imported("generic:4", "--name", "three") == "three is changed."
    after = Backend.objects.get(name="three")
    assert len(after.definition["qubits"]) == 4
    assert after.changed_at > before.changed_at
    # Qiskit would name each of its passes beside that.
    assert not logging.getLogger("qiskit.passmanager").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["generic:"], "qubits of generic:27 give a whole number from 2 to 1,000"),
        (["generic:1"], "from 2 to 1,000"),
        (["generic:99999999999"], "from 2 to 1,000"),
        (["generic:2", "--seed", "-1"], "give a whole number from 0"),
        (["generic:2", "--name", "A b"], "Lower-case letters"),
        (["generic:2", "--name", "aer"], "simulator as it comes"),
        (["FakeNowhere"], "snapshot"),
    ],
)
def test_what_cannot_be_imported_is_refused(args: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        imported(*args)
