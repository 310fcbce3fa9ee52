"""Logging in, and being slowed down at guessing."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from tasks_app import access
from tasks_app.models import AuditEntry
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, post

pytestmark = pytest.mark.django_db

ADMIN_LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def ada(settings: Settings) -> User:
    settings.API_AUTH = "required"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ada", password=people.PASSWORD, is_staff=True)


def login(password: str, username: str = "ada", address: str = "127.0.0.1") -> HttpResponse:
    body = json.dumps({"username": username, "password": password})
    client = Client(REMOTE_ADDR=address)
    return client.post("/login", body, "application/json")  # type: ignore[return-value]


def admin_login(password: str, address: str = "127.0.0.1") -> bool:
    """Whether the admin lets her in."""
    client = Client(REMOTE_ADDR=address)
    response = client.post(ADMIN_LOGIN, {"username": "ada", "password": password})
    assert response.status_code in (200, 302)
    return response.status_code == 302


def test_a_session_opens_what_a_token_opens_until_the_logout() -> None:
    client = Client()
    body = json.dumps({"username": "ada", "password": people.PASSWORD})
    assert client.get("/tasks").status_code == 401
    assert client.post("/login", body, "application/json").status_code == 204
    assert client.get("/tasks").status_code == 200
    assert client.post("/logout").status_code == 204
    assert client.get("/tasks").status_code == 401


def test_the_session_cookie_is_kept_from_scripts_and_other_sites() -> None:
    cookie = login(people.PASSWORD).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_wrong_password_and_an_unknown_name_look_the_same() -> None:
    wrong = error(login("wrong"), 401, "not_authenticated")
    unknown = error(login("wrong", "nobody"), 401, "not_authenticated")
    assert wrong["error"] == unknown["error"]


def test_an_inactive_user_cannot_log_in(ada: User) -> None:
    User.objects.update(is_active=False)
    error(login(people.PASSWORD), 401, "not_authenticated")


@pytest.mark.parametrize("body", [{}, {"username": "ada"}, {"username": 1, "password": "x"}, []])
def test_what_is_no_login_is_refused(body: Any) -> None:
    error(post(body, "/login"), 400, "validation_error")
    assert not AuditEntry.objects.exists()


def test_five_failures_close_the_name_to_their_address_even_with_the_right_password() -> None:
    for _ in range(access.LOGIN_FAILURES):
        error(login("wrong"), 401, "not_authenticated")

    for password in ("wrong", people.PASSWORD):
        response = login(password)
        error(response, 429, "login_throttled")
        assert int(response["Retry-After"]) == access.LOGIN_WINDOW_S
    assert not admin_login(people.PASSWORD)
    assert AuditEntry.objects.count() == access.LOGIN_FAILURES  # the block is not prolonged


def test_nobody_can_lock_a_name_out() -> None:
    for _ in range(access.LOGIN_FAILURES + 1):
        login("wrong", address="198.51.100.7")
        admin_login("wrong", address="198.51.100.8")
    assert login(people.PASSWORD).status_code == 204
    assert admin_login(people.PASSWORD)


def test_an_address_that_tries_many_names_is_closed() -> None:
    for number in range(access.ADDRESS_FAILURES):
        error(login("wrong", f"name{number}"), 401, "not_authenticated")
    error(login(people.PASSWORD), 429, "login_throttled")
    assert not admin_login(people.PASSWORD)
    assert login(people.PASSWORD, address="198.51.100.7").status_code == 204


def test_failures_in_the_admin_count_as_well() -> None:
    for _ in range(access.LOGIN_FAILURES):
        assert not admin_login("wrong")
    error(login(people.PASSWORD), 429, "login_throttled")
    assert not admin_login(people.PASSWORD)


def test_other_names_and_tokens_stay_open(ada: User) -> None:
    User.objects.create_user("bob", password=people.PASSWORD)
    for _ in range(access.LOGIN_FAILURES):
        login("wrong")
    assert login(people.PASSWORD, "bob").status_code == 204
    assert people.ask("GET", "/tasks", people.token(ada)).status_code == 200


def test_one_failure_fewer_closes_nothing_and_old_ones_do_not_count() -> None:
    for _ in range(access.LOGIN_FAILURES):
        AuditEntry.objects.create(
            action="login_failed", target="ada", at=people.ago(seconds=access.LOGIN_WINDOW_S + 1)
        )
    for _ in range(access.LOGIN_FAILURES - 1):
        login("wrong")
    assert login(people.PASSWORD).status_code == 204


def test_a_failed_login_is_recorded_with_its_address_and_without_its_password() -> None:
    login("s3cret-guess")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.actor) == ("login_failed", "ada", "")
    assert entry.address == "127.0.0.1"
    assert entry.correlation_id
    assert "s3cret" not in str(entry.__dict__)
