"""What the heartbeat does to the slots of a worker process."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tasks_app import lifecycle
from tasks_app.circuits import Job, SandboxStopped
from tasks_app.tests.unit.tasks import RESULT, Session, processing
from tasks_app.worker import slots
from tasks_app.worker.slots import Slot
from testing.service import eventually

pytestmark = pytest.mark.django_db
SLOW = (
    "OPENQASM 3.0; qubit[20] q; bit[20] c; c = measure q;"
    "for int i in [0:9999] { U(0.1, 0, 0) q; } c = measure q;"
)


@pytest.fixture
def slot() -> Iterator[Slot]:
    yield slots.current()
    slots.close_all()
    del slots._local.slot


def test_a_claim_that_has_just_been_completed_is_not_called_lost(slot: Slot) -> None:
    claim = processing()
    with slot.holding(claim):
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

    with slot.holding(claim), capture_logs() as logs:
        simulation = runner.start(lambda: slot.sandbox.run(Job(circuit=SLOW, shots=100_000)))
        heart.do(lambda: eventually(stopped, what="the simulation is stopped"))
        with pytest.raises(SandboxStopped):
            simulation()
    heart.close()
    runner.close()
