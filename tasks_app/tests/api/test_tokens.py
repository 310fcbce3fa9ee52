"""Tokens: made in three ways, shown once, hashed at rest, and of no use once revoked."""

import io
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from tasks_app import access
from tasks_app.api import tokens
from tasks_app.models import ApiToken, AuditEntry
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"qt_[\w-]{43}")


@pytest.fixture(autouse=True)
def access_is_required(settings: Settings) -> None:
    settings.API_AUTH = "required"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=people.PASSWORD)


def opens(text: str) -> bool:
    status = people.ask("GET", "/tasks", text).status_code
    assert status in (200, 401)
    return status == 200


def is_stored(text: str) -> bool:
    """Whether any column of any table holds the text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{text}%"]
            )
            if cursor.fetchone()[0]:
                return True
    return False


def create(client: Client, body: Any, **headers: str) -> HttpResponse:
    response: HttpResponse = client.post(  # type: ignore[assignment]
        "/tokens", json.dumps(body), content_type="application/json", headers=headers or None
    )
    return response


def test_one_is_made_with_a_session_which_needs_its_csrf_token(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    credentials = json.dumps({"username": "ada", "password": people.PASSWORD})
    assert client.post("/login", credentials, "application/json").status_code == 204

    error(create(client, {"label": "laptop"}), 403, "permission_denied")
    csrf = client.cookies["csrftoken"].value
    response = create(
        client,
        {"label": "laptop", "read_only": True, "expires_in_days": 7},
        **{"X-CSRFToken": csrf},
    )

    assert response.status_code == 201, response.content
    body = json.loads(response.content)
    assert TOKEN.fullmatch(body["token"])
    assert opens(body["token"])
    assert not is_stored(body["token"])
    assert is_stored("laptop")  # so the search above would have found it
    token = ApiToken.objects.get()
    assert (token.owner, token.read_only) == (ada, True)
    assert token.expires_at is not None
    assert (token.expires_at - timezone.now()).days in (6, 7)


def test_one_is_made_on_the_command_line(ada: User) -> None:
    out = io.StringIO()
    call_command("create_token", "ada", "--label", "ci", "--days", "30", "--read-only", stdout=out)
    text = out.getvalue().strip()
    assert TOKEN.fullmatch(text)
    assert opens(text)
    assert not is_stored(text)
    token = ApiToken.objects.get()
    assert (token.label, token.read_only, token.expires_at is not None) == ("ci", True, True)
    assert AuditEntry.objects.get().action == "token_created"
    with pytest.raises(CommandError, match="nobody"):
        call_command("create_token", "nobody")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["", "--days=1"], ["ada\0"], ["ada", "--label="], ["ada", f"--label={'x' * 101}"]),
        *(["ada", "--label=\udcff"], ["ada", "--days=0"], ["ada", "--days=-5"]),
        *(["ada", "--days=3651"], ["ada", "--days=x"], ["ada", f"--days={'9' * 5000}"]),
    ],
    ids=lambda arguments: ascii(arguments)[:40],
)
def test_the_command_line_refuses_what_the_api_does(ada: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="give"):
        call_command("create_token", *arguments)
    assert not ApiToken.objects.exists()


def test_one_is_made_in_the_admin_and_shown_once(ada: User) -> None:
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    response = client.post(
        "/admin/tasks_app/apitoken/add/",
        {"owner": ada.pk, "label": "robot", "expires_at_0": "", "expires_at_1": ""},
    )
    assert response.status_code == 302
    shown = TOKEN.findall(client.get(response["Location"]).content.decode())

    assert len(shown) == 1
    assert opens(shown[0])
    assert not is_stored(shown[0])
    assert not TOKEN.search(client.get(response["Location"]).content.decode())
    assert ApiToken.objects.get().owner == ada
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("root", "token_created")


def test_none_is_made_in_the_admin_that_opens_nothing(ada: User) -> None:
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    past = {"expires_at_0": "2026-01-01", "expires_at_1": "00:00"}
    form = {"owner": ada.pk, "label": "robot", **past}
    assert client.post("/admin/tasks_app/apitoken/add/", form).status_code == 200
    assert not ApiToken.objects.exists()


def test_one_is_revoked_in_the_admin(ada: User) -> None:
    text = people.token(ada)
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    client.post(
        "/admin/tasks_app/apitoken/",
        {"action": "revoke", "_selected_action": [ApiToken.objects.get().pk]},
    )
    assert not opens(text)
    assert AuditEntry.objects.get().action == "token_revoked"


def test_one_is_never_edited_or_deleted_in_the_admin(ada: User) -> None:
    people.token(ada)
    token = ApiToken.objects.get()
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    where = f"/admin/tasks_app/apitoken/{token.pk}"
    assert client.post(f"{where}/change/", {"label": "other"}).status_code == 403
    assert client.post(f"{where}/delete/", {"post": "yes"}).status_code == 403
    assert ApiToken.objects.get().label == "test"


def test_one_is_revoked_by_its_owner_and_opens_nothing_from_then_on(ada: User) -> None:
    text, other = people.token(ada), people.token(ada)
    first = ApiToken.objects.earliest("id")
    assert people.ask("DELETE", f"/tokens/{first.pk}", text).status_code == 204
    assert not opens(text)
    assert opens(other)
    at = ApiToken.objects.earliest("id").revoked_at
    assert people.ask("DELETE", f"/tokens/{first.pk}", other).status_code == 204
    assert ApiToken.objects.earliest("id").revoked_at == at  # when it was first revoked


def test_the_list_shows_ones_own_without_their_texts(ada: User) -> None:
    text = people.token(ada)
    people.token(people.user("bob"))
    (shown,) = json.loads(people.ask("GET", "/tokens", text).content)
    assert set(shown) == {"id", "label", "read_only", "created_at", "expires_at", "revoked_at"}


def test_an_expired_token_and_an_inactive_owners_open_nothing(ada: User) -> None:
    text = people.token(ada)
    assert not opens(people.expired(ada))
    assert opens(text)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert not opens(text)


def test_a_token_goes_with_its_owner_and_tasks_stay(ada: User) -> None:
    text = people.token(ada)
    task = people.task_of(ada)
    client = Client()
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    client.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    assert not opens(text)
    task.refresh_from_db()
    assert task.owner is None


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer {}x", "Bearer {} {}", "Bearer ä"])
def test_what_is_no_token_opens_nothing(ada: User, header: str) -> None:
    text = people.token(ada)
    client = Client()
    response: Any = client.get("/tasks", headers={"Authorization": header.format(text, text)})
    error(response, 401, "not_authenticated")


def test_who_sends_no_token_is_told_how() -> None:
    response: Any = Client().get("/tasks")
    assert "Authorization: Bearer" in error(response, 401, "not_authenticated")["error"]


def test_the_scheme_is_written_in_any_case(ada: User) -> None:
    headers = {"Authorization": f"bEARER  {people.token(ada)}"}
    assert Client().get("/tasks", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "label"),
        ({"label": ""}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"label": "x", "read_only": "yes"}, "read_only"),
        ({"label": "x", "expires_in_days": 0}, "expires_in_days"),
        ({"label": "x", "owner": "bob"}, "owner"),
    ],
)
def test_what_describes_no_token_is_refused(ada: User, body: Any, field: str) -> None:
    response = people.ask("POST", "/tokens", people.token(ada), json.dumps(body).encode())
    assert field in error(response, 400, "validation_error")["details"]
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("token_id", ["0", "9" * 30])
def test_an_unknown_token_cannot_be_revoked(ada: User, token_id: str) -> None:
    error(people.ask("DELETE", f"/tokens/{token_id}", people.token(ada)), 404, "not_found")


def test_tokens_have_a_number_and_pages(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_TOKENS", 3)
    monkeypatch.setattr(tokens, "PAGE_SIZE", 2)
    text = people.token(ada)
    people.expired(ada)
    people.revoked(ada)
    people.token(ada)
    assert people.ask("POST", "/tokens", text, b'{"label": "third"}').status_code == 201
    error(people.ask("POST", "/tokens", text, b'{"label": "fourth"}'), 409, "too_many_tokens")

    with pytest.raises(CommandError, match="ada has 3 tokens"):
        call_command("create_token", "ada")

    found, path = [], "/tokens"
    while page := json.loads(people.ask("GET", path, text).content):
        assert len(page) <= 2
        found += [each["id"] for each in page]
        path = f"/tokens?before={found[-1]}"
    assert found == sorted(found, reverse=True)
    assert len(found) == 5
    error(people.ask("GET", "/tokens?before=x", text), 400, "validation_error")


def test_staff_makes_no_token_for_somebody_who_may_more() -> None:
    root = User.objects.create_superuser("root", password=people.PASSWORD)
    clerk = User.objects.create_user("clerk", password=people.PASSWORD, is_staff=True)
    clerk.user_permissions.set(
        Permission.objects.filter(codename__in=("add_apitoken", "view_user", "view_apitoken"))
    )
    browser = Client()
    browser.login(username="clerk", password=people.PASSWORD)
    form = {"label": "mine", "expires_at_0": "", "expires_at_1": ""}
    page = browser.post("/admin/tasks_app/apitoken/add/", {**form, "owner": root.pk})
    assert page.status_code == 200
    assert "Select a valid choice" in page.content.decode()
    assert not ApiToken.objects.exists()
    browser.post("/admin/tasks_app/apitoken/add/", {**form, "owner": clerk.pk})
    assert ApiToken.objects.get().owner == clerk
