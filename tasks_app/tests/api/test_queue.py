"""Queue positions, estimates and `GET /queue`: measured or null."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks_app import pace
from tasks_app.api import read_task
from tasks_app.models import Status, Task, Worker
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, get, post
from testing.service import Service, eventually

pytestmark = pytest.mark.django_db


def read(path: str) -> Any:
    return json.loads(get(path).content)


def task(task_id: object) -> Any:
    """A task, read when its estimate is due to be measured anew."""
    pace._pace_lately.cache_clear()
    return read(f"/tasks/{task_id}")


def completed(*, waited_s: float, ran_s: float, ago_s: float = 60) -> None:
    """A task of the past with these measured times."""
    begun = timezone.now() - timedelta(seconds=ago_s)
    started = begun + timedelta(seconds=waited_s)
    made = people.task_of(None, Status.COMPLETED, submitted_at=begun)
    ended = started + timedelta(seconds=ran_s)
    people.rewrite(made, started_at=started, completed_at=ended)


def test_positions_count_who_came_before() -> None:
    made = [people.task_of(None, enqueued_at=people.ago(minutes=minutes)) for minutes in (3, 2, 1)]
    assert [task(each.task_id)["queue_position"] for each in made] == [0, 1, 2]
    post({}, f"/tasks/{made[0].task_id}/cancel")
    assert [task(each.task_id)["queue_position"] for each in made] == [None, 0, 1]


def test_far_from_the_head_there_is_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_task, "MAX_POSITION", 3)
    made = [people.task_of(None, enqueued_at=people.ago(minutes=9 - n)).task_id for n in range(6)]
    assert [task(each)["queue_position"] for each in made] == [0, 1, 2, 3, None, None]
    assert task(made[-1])["estimated_start_at"] is None


def test_elements_of_a_batch_have_positions_of_their_own() -> None:
    body = json.loads(post({"circuit": CIRCUIT, "tasks": [{}] * 5}, "/tasks/batch").content)
    positions = [task(task_id)["queue_position"] for task_id in body["task_ids"]]
    assert positions == [0, 1, 2, 3, 4]


def test_a_long_queue_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONG_QUEUE", 2)
    found = []
    for _ in range(30):
        people.task_of(None)
        found.append(pace.pending())
    assert found[:2] == [1, 2]
    assert min(found[2:]) >= 3
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_app_task")
    assert pace.pending() == 30


@pytest.mark.parametrize("status", [status for status in Status if status != Status.PENDING])
def test_only_what_waits_has_a_position_and_an_estimate(status: Status) -> None:
    body = task(people.task_of(None, status).task_id)
    assert (body["queue_position"], body["estimated_start_at"]) == (None, None)


def test_a_start_is_estimated_from_measured_times_and_living_workers() -> None:
    for _ in range(3):
        completed(waited_s=1, ran_s=1000, ago_s=2000)
    people.task_of(None, enqueued_at=people.ago(minutes=2))
    people.task_of(None, enqueued_at=people.ago(minutes=1))
    Worker.objects.create(worker="w", slots=4)

    body = task(people.task_of(None).task_id)

    assert body["queue_position"] == 2
    assert 0 < _seconds_until(body["estimated_start_at"]) <= 2 * 1000 / 4


def test_no_start_is_invented_without_workers_or_without_measured_times() -> None:
    waiting = people.task_of(None).task_id
    assert task(waiting)["estimated_start_at"] is None
    Worker.objects.create(worker="w", slots=4)
    assert task(waiting)["estimated_start_at"] is None
    completed(waited_s=1, ran_s=10)
    assert task(waiting)["estimated_start_at"] is not None
    Worker.objects.update(seen_at=people.ago(minutes=1))
    assert task(waiting)["estimated_start_at"] is None


def test_behind_circuits_without_end_nobody_is_told_now() -> None:
    for _ in range(3):
        completed(waited_s=0, ran_s=0.01)
    for _ in range(2):
        endless = people.task_of(None, Status.PROCESSING)
        people.rewrite(endless, started_at=people.ago(seconds=100))
    Worker.objects.create(worker="w", slots=2)

    first, second = (task(people.task_of(None).task_id) for _ in range(2))

    assert _seconds_until(first["estimated_start_at"]) > 45
    assert _seconds_until(second["estimated_start_at"]) > 90


def test_who_has_as_many_running_as_may_is_told(settings: Any) -> None:
    settings.LIMIT_MAX_RUNNING = 1
    Worker.objects.create(worker="w", slots=2)
    waiting = people.task_of(None).task_id
    assert task(waiting)["message"] == "The task waits for a worker."
    people.task_of(None, Status.PROCESSING)
    assert "as many tasks running as may" in task(waiting)["message"]


def _seconds_until(time: str) -> float:
    return (datetime.fromisoformat(time) - timezone.now()).total_seconds()


def test_what_failed_took_its_time_too() -> None:
    for _ in range(3):
        completed(waited_s=1, ran_s=10)
        failed = people.task_of(None, Status.FAILED)
        people.rewrite(failed, started_at=people.ago(seconds=300), completed_at=people.ago())
    assert read("/queue")["run_p90_s"] == pytest.approx(300, abs=5)


def test_the_queue_tells_what_was_measured() -> None:
    for waited, ran in ((1, 10), (2, 20), (3, 30)):
        completed(waited_s=waited, ran_s=ran)
    completed(waited_s=1000, ran_s=1000, ago_s=7200)
    people.task_of(None, Status.PROCESSING)
    people.task_of(None, submitted_at=people.ago(minutes=5))
    people.task_of(None)
    Worker.objects.create(worker="a", slots=4)
    Worker.objects.create(worker="b", slots=2)
    Worker.objects.create(worker="dead", slots=8, seen_at=people.ago(minutes=1))

    queue = read("/queue")

    assert 300 <= queue.pop("oldest_pending_s") < 400
    assert 0 <= queue.pop("running_s") < 100
    assert queue == {
        **{"pending": 2, "processing": 1, "workers": 2, "slots": 6},
        **{"wait_p50_s": 2.0, "wait_p90_s": 2.8, "run_p50_s": 20.0, "run_p90_s": 28.0},
    }


def test_a_new_service_knows_nothing_and_says_so() -> None:
    assert read("/queue") == {
        **{"pending": 0, "processing": 0, "oldest_pending_s": 0.0, "workers": 0, "slots": 0},
        **dict.fromkeys(("running_s", "wait_p50_s", "wait_p90_s", "run_p50_s", "run_p90_s")),
    }


def test_the_queue_follows_real_workers(service: Service) -> None:
    service.start_api(processes=1)
    waiting = service.accepted()
    queue = service.get("/queue").body
    assert (queue["pending"], queue["workers"], queue["slots"]) == (1, 0, 0)

    worker = service.start_worker(processes=2, threads=1)
    service.finished(waiting)

    def both() -> Any:
        queue = service.get("/queue").body
        return queue if (queue["workers"], queue["slots"]) == (2, 2) else None

    queue = eventually(both, what="both worker processes report themselves")
    assert (queue["pending"], queue["processing"]) == (0, 0)
    done = Task.objects.get()
    assert done.completed_at and done.started_at
    ran = (done.completed_at - done.started_at).total_seconds()
    assert queue["run_p50_s"] == queue["run_p90_s"] == pytest.approx(ran)
    worker.stop()
    assert service.get("/queue").body["workers"] == 0
