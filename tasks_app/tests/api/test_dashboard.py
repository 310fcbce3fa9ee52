"""The first page of the admin tells how the service is doing."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import dramatiq
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tasks_app import backends, lifecycle, pace
from tasks_app.admin import dashboard
from tasks_app.models import Backend, Status, Task, Worker
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.tests.unit.tasks import SOMEWHERE, claimed, in_state, pending, processing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]


def text(client: Client) -> str:
    """The page as it is read."""
    html = client.get("/admin/").content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_it_counts_todays_tasks_and_leads_to_them(admin_client: Client) -> None:
    for status in Status:
        in_state(status)
    pending()
    found = dashboard.context()
    assert {each["label"]: each["tasks"] for each in found["statuses"]} == {
        "Pending": "2",
        **dict.fromkeys(("Processing", "Completed", "Failed", "Cancelled"), "1"),
    }
    for each in found["statuses"]:
        listed = admin_client.get(each["url"]).context["cl"].result_list
        assert len(listed) == int(each["tasks"])


def test_it_shows_failures_by_code_the_oldest_and_the_queue(admin_client: Client) -> None:
    oldest = pending()
    for code in ("timed_out", "syntax_error", "timed_out"):
        lifecycle.fail(claimed(pending()), code=code, message="No.")
    page = text(admin_client)
    assert re.search("Failures timed_out 2 syntax_error 1", page)
    assert "0 dead letters" in page
    found = dashboard.context()["oldest"]
    assert found is not None
    assert str(oldest) in found["url"]


def test_it_shows_what_waits_for_each_backend_and_who_serves_it(admin_client: Client) -> None:
    assert re.search(
        "aer 0 pending 0 of 0 running 0 messages, 0 consumers nobody", text(admin_client)
    )
    Backend.objects.create(name="boxed", kind="aer", online=False)
    Worker.objects.create(worker=SOMEWHERE, slots=2, walls=[], backends=["aer"])
    for cached in (backends._known, pace._pace_lately):
        cached.cache_clear()
    page = text(admin_client)
    assert "boxed 0 pending 0 of 0 running 0 messages, 0 consumers offline" in page
    assert re.search("aer 0 pending 0 of 2 running 0 messages, 0 consumers boxed", page)


def test_it_shows_the_workers_and_what_they_run(admin_client: Client) -> None:
    assert "None is alive" in text(admin_client)
    processing()
    Worker.objects.create(worker=SOMEWHERE, slots=2, walls=[])
    page = text(admin_client)
    assert f"{SOMEWHERE} 1 of 2 running" in page
    assert "without" in page


def test_the_bars_are_as_high_as_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PARTS", 1)
    for _ in range(3):
        in_state(Status.COMPLETED)
    in_state(Status.FAILED)
    bars = dashboard.context()["throughput"]
    assert [bar.title for bar in bars] == ["3 completed", "1 failed"]
    assert [bar.height for bar in bars] == [90, 30]
    assert [bar.y for bar in bars] == [30, 0]


def test_the_parts_are_of_equal_time() -> None:
    """From the first task to now."""
    for age_s in (80, 79, 50, 30, 10):
        submitted_at = timezone.now() - timedelta(seconds=age_s)
        Task.objects.create(circuit=";", shots=1, submitted_at=submitted_at)
    rows = [row for row in pace.lately(most=100, parts=4) if row["part"] is not None]
    assert [(row["part"], row["pending"]) for row in rows] == [(0, 2), (1, 1), (2, 1), (3, 1)]


def test_only_the_latest_tasks_are_looked_at() -> None:
    for _ in range(5):
        in_state(Status.COMPLETED)
    rows = [row for row in pace.lately(most=3, parts=4) if row["part"] is not None]
    assert sum(row["completed"] for row in rows) == 3


def test_an_empty_service_and_one_without_its_queue_have_a_page(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no task was submitted" in text(admin_client)
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)
    assert "RabbitMQ does not answer" in text(admin_client)


def test_staff_who_may_not_see_tasks_see_none_of_it(client: Client) -> None:
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert "Workers" not in text(client)


def test_hostile_names_are_shown_and_not_run(admin_client: Client) -> None:
    script = "<script>alert(1)</script>"
    Worker.objects.create(worker=script, slots=1, walls=None)
    html = admin_client.get("/admin/").content.decode()
    assert script not in html
    assert script in unescape(html)


def results() -> dict[str, dict[str, Any]]:
    return {
        "probabilities": {"probabilities": {"00": 0.75, "11": 0.25}},
        "expectation values": {"expectation_values": [0.5, -1], "standard_errors": [0.0, 0.01]},
        "sets": {"sets": [{"counts": {"0": 1}, "seed": 1}]},
        "a drawing": {"counts": {"0": 1}, "circuit": {"svg": "<svg onload='alert(1)'/>"}},
    }


SHOWN = {
    "probabilities": ("<code>00</code>", "75.0"),
    "expectation values": ("-1 ± 0.01",),
    "sets": ("/result", "sets"),
    "a drawing": ("data:image/svg+xml;base64,", "<code>0</code>"),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_a_tasks_page_shows_every_kind_of_result(admin_client: Client, kind: str) -> None:
    claim = claimed(pending())
    result = results()[kind] | {"shots": 1, "metadata": {}}
    assert lifecycle.complete(claim, result)
    html = admin_client.get(f"/admin/tasks_app/task/{claim.task_id}/change/").content.decode()
    for piece in SHOWN[kind]:
        assert piece in html
    assert "No outcomes" not in html
    assert "<svg onload" not in html
