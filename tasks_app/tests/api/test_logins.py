"""Logging in, and being slowed down at guessing."""

import json
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from tasks_app import logins, retention
from tasks_app.models import AuditEntry
from tasks_app.postgresql import base
from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, post
from tasks_app.tests.unit.tasks import together

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


class Slow(MD5PasswordHasher):
    """By when a password is hashed the request's time for the database is over."""

    def encode(self, password: str, salt: str) -> str:
        base._deadline.set(0.0)
        return super().encode(password, salt)


def test_a_machine_may_take_its_time_to_hash(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Slow"]
    assert login(people.PASSWORD).status_code == 204
    assert login("wrong").status_code == 401
    assert AuditEntry.objects.filter(action="login_failed").exists()


def test_a_login_has_sessions_that_have_expired_forgotten() -> None:
    for key, days in (("old", 1), ("new", -1)):
        Session.objects.create(session_key=key, expire_date=people.ago(days=days))
    login(people.PASSWORD)
    assert Session.objects.filter(session_key__in=("old", "new")).get().session_key == "new"


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
    for _ in range(logins.NAME_FAILURES):
        error(login("wrong"), 401, "not_authenticated")

    for password in ("wrong", people.PASSWORD):
        response = login(password)
        error(response, 429, "login_throttled")
        assert int(response["Retry-After"]) == logins.WINDOW_S
    assert not admin_login(people.PASSWORD)
    assert AuditEntry.objects.count() == logins.NAME_FAILURES  # the block is not prolonged


def test_nobody_can_lock_a_name_out() -> None:
    for _ in range(logins.NAME_FAILURES + 1):
        login("wrong", address="198.51.100.7")
        admin_login("wrong", address="198.51.100.8")
    assert login(people.PASSWORD).status_code == 204
    assert admin_login(people.PASSWORD)


def test_an_address_that_tries_many_names_is_closed() -> None:
    for number in range(logins.ADDRESS_FAILURES):
        error(login("wrong", f"name{number}"), 401, "not_authenticated")
    error(login(people.PASSWORD), 429, "login_throttled")
    assert not admin_login(people.PASSWORD)
    assert login(people.PASSWORD, address="198.51.100.7").status_code == 204


def test_addresses_of_one_ipv6_network_are_one() -> None:
    for number in range(logins.NAME_FAILURES):
        login("wrong", address=f"2001:db8::{number}:1")
    assert login(people.PASSWORD, address="2001:db8::ffff:0:0:1").status_code == 429
    assert login(people.PASSWORD, address="2001:db8:0:1::1").status_code == 204


def test_failures_in_the_admin_count_as_well() -> None:
    for _ in range(logins.NAME_FAILURES):
        assert not admin_login("wrong")
    error(login(people.PASSWORD), 429, "login_throttled")
    assert not admin_login(people.PASSWORD)


def test_other_names_and_tokens_stay_open(ada: User) -> None:
    User.objects.create_user("bob", password=people.PASSWORD)
    for _ in range(logins.NAME_FAILURES):
        login("wrong")
    assert login(people.PASSWORD, "bob").status_code == 204
    assert people.ask("GET", "/tasks", people.token(ada)).status_code == 200


def test_one_failure_fewer_closes_nothing_and_old_ones_do_not_count() -> None:
    for _ in range(logins.NAME_FAILURES):
        AuditEntry.objects.create(
            action="login_failed", target="ada", at=people.ago(seconds=logins.WINDOW_S + 1)
        )
    for _ in range(logins.NAME_FAILURES - 1):
        login("wrong")
    assert login(people.PASSWORD).status_code == 204


def test_a_failed_login_is_recorded_with_its_address_and_without_its_password() -> None:
    login("s3cret-guess")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.actor) == ("login_failed", "ada", "")
    assert entry.address == "127.0.0.1"
    assert entry.correlation_id
    assert "s3cret" not in str(entry.__dict__)


def test_failed_logins_are_forgotten_after_a_month_and_nothing_else_is() -> None:
    for action in ("login_failed", "token_created"):
        for days in (31, 29):
            AuditEntry.objects.create(action=action, at=people.ago(days=days))

    assert retention.purge_failed_logins() == 1

    assert AuditEntry.objects.filter(action="token_created").count() == 2
    for entry in AuditEntry.objects.filter(at__gt=people.ago(days=30)):
        with pytest.raises(IntegrityError), transaction.atomic():
            if entry.action == "login_failed":
                AuditEntry.objects.filter(pk=entry.pk).update(at=people.ago(days=99))
            else:
                entry.delete()


def test_a_new_password_leaves_the_tokens_and_says_so(ada: User) -> None:
    text = people.token(ada)
    browser = Client()
    browser.login(username="ada", password=people.PASSWORD)
    page = browser.get("/admin/password_change/").content.decode()
    assert "API tokens stay valid" in page

    ada.set_password("Another-horse-8")
    ada.save()

    entry = AuditEntry.objects.get(action="password_changed")
    assert entry.target == "ada; 1 tokens stay valid"
    assert people.ask("GET", "/tasks", text).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_passwords_tried_together_five_are_looked_at(settings: Settings) -> None:
    statuses = [
        response.status_code
        for _ in range(15)
        for response in together(*[partial(login, "wrong")] * 4)
    ]
    assert statuses.count(401) == logins.NAME_FAILURES
    assert set(statuses) == {401, 429}
    assert AuditEntry.objects.count() == logins.NAME_FAILURES


@pytest.mark.django_db(transaction=True)
def test_more_logins_than_places_are_put_off_and_not_hashed() -> None:
    with ExitStack() as stack:
        for _ in range(logins.PLACES):
            stack.enter_context(logins._place())
        response = login(people.PASSWORD)
        error(response, 429, "login_throttled")
        assert int(response["Retry-After"]) == logins.BUSY_S
    assert login(people.PASSWORD).status_code == 204
