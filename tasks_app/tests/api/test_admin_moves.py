"""What an operator may do to a task in the admin, who may, and what is noted of it."""

import re
import uuid
from urllib.parse import urlsplit

import dramatiq
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tasks_app.models import ApiToken, AuditEntry, OwnerLimits, Status, Task
from tasks_app.queue import broker
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.tests.api import people
from testing.service import eventually

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]

MOVES = ("cancel", "rerun", "ring")


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    for name in permissions:
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label="tasks_app", codename=name)
        )
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return staff("view_task", "change_task")


def address(task: Task, move: str) -> str:
    return reverse("admin:tasks_app_task_move", args=[task.task_id, move])


def page(task: Task) -> str:
    return reverse("admin:tasks_app_task_change", args=[task.task_id])


def offered(client: Client, task: Task) -> set[str]:
    html = client.get(page(task)).content.decode()
    return {url.split("/")[-2] for url in re.findall(r'action="([^"]*/do/[^"]*)"', html)}


def said(client: Client, task: Task, move: str) -> str:
    """What the page says that follows."""
    answer = client.post(address(task, move), follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


def audited() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action", "target"))


@pytest.mark.parametrize("status", list(Status))
def test_a_page_offers_what_the_task_can_undergo(operator: Client, status: Status) -> None:
    task = people.task_of(None, status)
    living = status in (Status.PENDING, Status.PROCESSING)
    assert offered(operator, task) == ({"cancel", "ring"} if living else set()) | {"rerun"}


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING])
def test_cancel(operator: Client, status: Status) -> None:
    task = people.task_of(None, status)
    assert "done" in said(operator, task, "cancel")
    task.refresh_from_db()
    assert task.current_status == Status.CANCELLED
    assert task.history.last().notes == "cancelled by operator"  # type: ignore[union-attr]
    assert audited() == [("operator", "task_cancelled", str(task.task_id))]


def test_what_has_ended_is_not_cancelled(operator: Client) -> None:
    task = people.task_of(None, Status.COMPLETED)
    assert "has ended" in said(operator, task, "cancel")
    task.refresh_from_db()
    assert (task.current_status, audited()) == (Status.COMPLETED, [])


def test_run_again_makes_the_same_task_of_the_same_owner(operator: Client) -> None:
    ada = people.user("ada")
    options = {"method": "stabilizer"}
    origin = people.task_of(
        ada, Status.COMPLETED, seed=7, options=options, name="vqe", tags=["h2"], priority=-3
    )
    answer = operator.post(address(origin, "rerun"))
    again = Task.objects.exclude(task_id=origin.task_id).get()
    assert urlsplit(answer.headers["Location"]).path == page(again)
    assert (again.current_status, again.rerun_of) == (Status.PENDING, origin.task_id)
    for name in ("circuit", "shots", "seed", "options", "name", "tags", "owner", "priority"):
        assert getattr(again, name) == getattr(origin, name), name
    assert audited() == [("operator", "task_rerun", str(origin.task_id))]
    eventually(lambda: broker.depths().ready == 1, what="a message came for it")


def test_run_again_keeps_within_the_owners_limits(operator: Client) -> None:
    ada = people.user("ada")
    origin = people.task_of(ada, Status.COMPLETED)
    OwnerLimits.objects.create(owner=ada, pending=1)
    people.task_of(ada)
    assert "limit 'pending' is 1" in said(operator, origin, "rerun")
    assert (Task.objects.count(), audited()) == (2, [])


def test_ring_again(operator: Client) -> None:
    task = people.task_of(None)
    before = Task.objects.get(task_id=task.task_id).enqueued_at
    assert "done" in said(operator, task, "ring")
    eventually(lambda: broker.depths().ready == 1, what="the message came")
    assert Task.objects.get(task_id=task.task_id).enqueued_at > before
    assert audited() == [("operator", "task_rung", str(task.task_id))]


@pytest.mark.parametrize("move", ["rerun", "ring"])
def test_without_the_queue_it_says_so_and_does_nothing(
    operator: Client, move: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = DoorbellBroker(url="amqp://user:pass@127.0.0.1:1/", middleware=[])
    monkeypatch.setattr(dramatiq, "get_broker", lambda: nobody)
    task = people.task_of(None)
    assert "RabbitMQ does not answer" in said(operator, task, move)
    assert (Task.objects.count(), audited()) == (1, [])


@pytest.mark.parametrize("move", MOVES)
def test_who_may_only_look_is_offered_nothing_and_refused(move: str) -> None:
    client, task = staff("view_task"), people.task_of(None)
    assert offered(client, task) == set()
    assert client.post(address(task, move)).status_code == 403
    assert (Task.objects.get().current_status, audited()) == (Status.PENDING, [])


@pytest.mark.parametrize("move", MOVES)
def test_strangers_links_and_forged_forms_do_nothing(operator: Client, move: str) -> None:
    task = people.task_of(None)
    assert Client().post(address(task, move)).status_code == 302  # to the login
    assert operator.get(address(task, move)).status_code == 405
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(User.objects.get(username="operator"))
    assert forged.post(address(task, move)).status_code == 403
    assert (Task.objects.get().current_status, audited()) == (Status.PENDING, [])


def test_what_there_is_not_is_not_found(operator: Client) -> None:
    task = people.task_of(None)
    assert operator.post(address(task, "explode")).status_code == 404
    task.task_id = uuid.uuid4()
    assert operator.post(address(task, "cancel")).status_code == 404


def test_a_users_page_has_its_limits_and_tokens(admin_client: Client) -> None:
    ada = people.user("ada")
    text = people.token(ada)
    url = reverse("admin:auth_user_change", args=[ada.pk])
    html = admin_client.get(url).content.decode()
    assert ApiToken.objects.get().label in html
    assert text not in html
    assert 'name="task_limits-0-pending"' in html
    assert 'name="api_tokens-0-label"' not in html  # to be looked at
    assert admin_client.get(reverse("admin:auth_user_add")).status_code == 200
