"""The audit: who did what, never changed."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from tasks_app.models import AuditEntry, Status
from tasks_app.tests.api import people
from tasks_app.tests.api.client import post

pytestmark = pytest.mark.django_db


def test_what_is_done_to_tokens_tasks_and_batches_is_recorded(settings: Settings) -> None:
    settings.API_AUTH = "required"
    ada = people.user("ada")
    token = people.token(ada)
    task = people.task_of(ada).task_id
    batch = people.batch_of(ada, Status.PENDING).batch_id

    for method, path, body in (
        ("POST", f"/tasks/{task}/cancel", b""),
        ("DELETE", f"/tasks/{task}", b""),
        ("POST", f"/batches/{batch}/cancel", b""),
        ("POST", "/tokens", b'{"label": "ci"}'),
    ):
        assert people.ask(method, path, token, body).status_code < 300

    recorded = AuditEntry.objects.order_by("id").values_list("actor", "action", "target")
    assert list(recorded)[:3] == [
        ("ada", "task_cancelled", str(task)),
        ("ada", "task_deleted", str(task)),
        ("ada", "batch_cancelled", str(batch)),
    ]
    actor, action, target = recorded[3]
    assert (actor, action) == ("ada", "token_created")
    assert "ci" in target
    assert "qt_" not in target
    for entry in AuditEntry.objects.all():
        assert entry.address == "127.0.0.1"
        assert entry.correlation_id


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        *(("192.0.2.7", "192.0.2.7"), ("10.0.0.1, 192.0.2.7", "192.0.2.7")),
        *(("fe80::1%eth0", "fe80::1"), (f"fe80::1%{'z' * 300}", "fe80::1")),
        *(("nobody", "127.0.0.1"), ("%eth0", "127.0.0.1"), ("192.0.2.7:80", "127.0.0.1")),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
@pytest.mark.parametrize("proxy", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_the_address_is_the_one_that_a_trusted_proxy_names(
    settings: Settings, proxy: str, seen: str, kept: str
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    client = Client(headers={"X-Forwarded-For": seen}, REMOTE_ADDR=proxy)
    response = client.post(f"/tasks/{people.task_of(None).task_id}/cancel")
    assert response.status_code == 200
    assert AuditEntry.objects.get().address == kept


def test_what_was_refused_is_not_recorded(settings: Settings) -> None:
    settings.API_AUTH = "required"
    task = people.task_of(people.user("ada"), Status.FAILED).task_id
    people.ask("POST", f"/tasks/{task}/cancel", people.token(people.user("bob")))
    people.ask("POST", f"/tasks/{task}/cancel", people.token(people.user("ada")))
    people.ask("POST", f"/tasks/{task}/cancel", None)
    assert not AuditEntry.objects.exists()


def test_an_entry_cannot_be_changed_or_deleted_in_sql() -> None:
    task = people.task_of(None)
    post({}, f"/tasks/{task.task_id}/cancel")
    for statement in (
        "UPDATE tasks_app_auditentry SET actor = 'somebody else'",
        "DELETE FROM tasks_app_auditentry",
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert AuditEntry.objects.count() == 1


def test_the_admin_shows_entries_and_changes_none() -> None:
    task = people.task_of(None)
    post({}, f"/tasks/{task.task_id}/cancel")
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    where = "/admin/tasks_app/auditentry/"
    assert str(task.task_id) in client.get(where).content.decode()
    entry = AuditEntry.objects.get()
    assert client.get(f"{where}{entry.pk}/change/").status_code == 200
    for path in ("add/", f"{entry.pk}/change/", f"{entry.pk}/delete/"):
        assert client.post(where + path, {"actor": "x", "post": "yes"}).status_code == 403
