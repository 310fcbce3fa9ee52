"""What the heartbeat does to the slots of a worker process."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from dramatiq.brokers.stub import StubBroker
from structlog.testing import capture_logs

from tasks_app import lifecycle
from tasks_app.circuits import Job, SandboxStopped
from tasks_app.circuits.sandbox import process
from tasks_app.models import Task
from tasks_app.tests.unit.tasks import (
    CIRCUIT,
    RESULT,
    Session,
    claimed,
    history,
    processing,
    submitted,
)
from tasks_app.worker import actors, slots
from tasks_app.worker.process import WorkerLifecycle
from tasks_app.worker.slots import Slot
from testing.service import ROOT, eventually

pytestmark = pytest.mark.django_db
SLOW = (
    "OPENQASM 3.0; qubit[20] q; bit[20] c; c = measure q;"
    "for int i in [0:9999] { U(0.1, 0, 0) q; } c = measure q;"
)


@pytest.fixture
def slot() -> Iterator[Slot]:
    with fresh_slot():
        yield slots.current()


def test_a_claim_that_has_just_been_completed_is_not_called_lost(slot: Slot) -> None:
    claim = processing()
    with slot.holding([claim]):
        assert lifecycle.complete(claim, RESULT)
        with capture_logs() as logs:
            slots.renew_all()
    assert logs == []


@pytest.mark.django_db(transaction=True)
def test_the_simulation_of_a_lost_claim_is_stopped_and_said_to_be(slot: Slot) -> None:
    claim, heart, runner = processing(), Session(), Session()

    def stopped() -> bool:
        lifecycle.cancel([claim.task_id], reason="not needed")
        slots.renew_all()
        return any(each["event"] == "claim_lost" for each in logs)

    with slot.holding([claim]), slot.running(claim), capture_logs() as logs:
        simulation = runner.start(lambda: slot.sandbox.run(Job(circuit=SLOW, shots=100_000)))
        heart.do(lambda: eventually(stopped, what="the simulation is stopped"))
        with pytest.raises(SandboxStopped):
            simulation()
    heart.close()
    runner.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("empty_queue")
def test_a_simulator_that_starts_too_slowly_costs_an_attempt_and_not_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, fresh_slot():
        patch.setattr(process, "START_S", 0.01)
        first = processing()
        actors.run([first])
    assert history(first.task_id)[-1] == (
        "processing",
        "attempt 1 handed back: the simulator did not start within 0.01 s",
    )
    with fresh_slot():
        second = claimed(first.task_id)
        actors.run([second])
    task = Task.objects.get(task_id=first.task_id)
    assert (task.current_status, task.attempt, task.handed_back) == ("completed", 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_bug_of_ours_is_not_told_as_the_users_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "tasks_app" / "circuits", tmp_path / "tasks_app" / "circuits")
    (tmp_path / "tasks_app" / "__init__.py").touch()
    runner = tmp_path / "tasks_app" / "circuits" / "simulation" / "runner.py"
    broken = 'begun = 1 / (request["shots"] == 1024)'  # of the zygote's own circuit
    runner.write_text(runner.read_text().replace("begun = perf_counter()", broken, 1))
    monkeypatch.setattr(process, "_ROOT", str(tmp_path))
    with fresh_slot(), capture_logs() as logs:
        claim = processing()
        actors.run([claim])
    task = Task.objects.get(task_id=claim.task_id)
    assert (task.current_status, task.error_code) == ("failed", "internal_error")
    assert "ZeroDivisionError" not in str(task.error_message)
    (bug,) = [each for each in logs if each["event"] == "circuit_internal_error"]
    assert bug["log_level"] == "error"
    assert "runner.py" in bug["traceback"]
    assert bug["traceback"].endswith("ZeroDivisionError")


@pytest.mark.django_db(transaction=True)
def test_the_next_owners_task_runs_in_another_child() -> None:
    ada, bob = (User.objects.create_user(name) for name in ("ada", "bob"))
    pids = []
    with fresh_slot():
        for owner in (ada, ada, bob, None):
            task = submitted(circuit=CIRCUIT, shots=3, correlation_id="c-1", owner=owner)
            actors.run([claimed(task.task_id)])
            pids.append(slots.current().sandbox.pid)
    assert pids[0] == pids[1]
    assert len(set(pids)) == 3


@contextmanager
def fresh_slot() -> Iterator[None]:
    """With another child than the tests before."""
    slots.close_all()
    slots._local.__dict__.pop("slot", None)
    yield
    slots.close_all()
    slots._local.__dict__.pop("slot", None)


def test_a_worker_that_ends_begins_to_consume_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dramatiq goes through its consumers then, and fell over one more."""
    monkeypatch.setattr(slots, "stopping", threading.Event())
    hooks, broker = WorkerLifecycle(), StubBroker(middleware=[])
    hooks.consume(broker, ["one"])
    assert "quantum_tasks.one" in broker.get_declared_queues()
    slots.stopping.set()
    hooks.consume(broker, ["one", "another"])
    assert "another" not in str(broker.get_declared_queues())
