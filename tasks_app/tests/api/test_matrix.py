"""Every route crossed with everybody who may ask, from the URLconf itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tasks_app.api.urls import urlpatterns
from tasks_app.models import ApiToken, Status
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error

pytestmark = pytest.mark.django_db

LABELS = {"name": "mine", "tags": ["a"]}
CREDENTIALS = {"username": "ada", "password": people.PASSWORD}


@dataclass(frozen=True)
class Route:
    """How to ask, what the answer is for those who may, and whose affair it is."""

    ok: int
    whose: str  # everybody's, known users', the owner's and staff's, or only the owner's
    target: Callable[[User], object] | None = None  # what the path names
    body: Any = None


def task(status: Status) -> Callable[[User], object]:
    return lambda owner: people.task_of(owner, status).task_id


def batch(status: Status) -> Callable[[User], object]:
    return lambda owner: people.batch_of(owner, status).batch_id


def own_token(owner: User) -> object:
    return ApiToken.objects.create(owner=owner, label="old", sha256="0" * 64).pk


ROUTES = {
    ("GET", "tasks"): Route(200, "known"),
    ("POST", "tasks"): Route(202, "known", body={"circuit": CIRCUIT}),
    ("POST", "tasks/batch"): Route(202, "known", body={"tasks": [{"circuit": CIRCUIT}]}),
    ("GET", "tasks/<str:task_id>"): Route(200, "owner", task(Status.PENDING)),
    ("PATCH", "tasks/<str:task_id>"): Route(200, "owner", task(Status.PENDING), LABELS),
    ("DELETE", "tasks/<str:task_id>"): Route(204, "owner", task(Status.FAILED)),
    ("GET", "tasks/<str:task_id>/submission"): Route(200, "owner", task(Status.PENDING)),
    ("POST", "tasks/<str:task_id>/rerun"): Route(202, "owner", task(Status.FAILED), {"shots": 2}),
    ("POST", "tasks/<str:task_id>/cancel"): Route(200, "owner", task(Status.PENDING)),
    ("GET", "tasks/<str:task_id>/result"): Route(200, "owner", task(Status.COMPLETED)),
    ("GET", "batches"): Route(200, "known"),
    ("GET", "batches/<str:batch_id>"): Route(200, "owner", batch(Status.PENDING)),
    ("GET", "batches/<str:batch_id>/results"): Route(200, "owner", batch(Status.COMPLETED)),
    ("POST", "batches/<str:batch_id>/cancel"): Route(200, "owner", batch(Status.PENDING)),
    ("POST", "batches/<str:batch_id>/retry"): Route(202, "owner", batch(Status.FAILED)),
    ("GET", "backends"): Route(200, "known"),
    ("GET", "backends/<str:name>"): Route(200, "known", lambda _: "aer"),
    ("GET", "queue"): Route(200, "known"),
    ("POST", "login"): Route(204, "everybody", body=CREDENTIALS),
    ("POST", "logout"): Route(204, "everybody"),
    ("GET", "tokens"): Route(200, "user"),
    ("POST", "tokens"): Route(201, "user", body={"label": "laptop"}),
    ("DELETE", "tokens/<int:token_id>"): Route(204, "only owner", own_token),
    ("GET", "health"): Route(200, "everybody"),
    ("GET", "health/live"): Route(200, "everybody"),
    ("GET", "health/ready"): Route(200, "everybody"),
    ("GET", "metrics"): Route(200, "everybody"),
    ("GET", "openapi.yaml"): Route(200, "everybody"),
    ("GET", "docs"): Route(200, "everybody"),
}
REFUSED: dict[str, Callable[[], str | None]] = {
    "nobody": lambda: None,
    "a revoked token": lambda: people.revoked(people.user("ada")),
    "an expired token": lambda: people.expired(people.user("ada")),
    "an inactive user": lambda: people.token(people.user("carl", is_active=False)),
    "an unknown token": lambda: "qt_unknown",
}
KNOWN: dict[str, Callable[[], str]] = {
    "the owner": lambda: people.token(people.user("ada")),
    "the owner's read-only token": lambda: people.token(people.user("ada"), read_only=True),
    "another user": lambda: people.token(people.user("bob")),
    "staff": lambda: people.token(people.user("eve", is_staff=True)),
}
EACH_ROUTE = pytest.mark.parametrize(
    ("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES]
)


def routes_that_exist() -> set[tuple[str, str]]:
    found = set()
    for pattern in urlpatterns:
        view: Any = pattern.callback
        names = getattr(view, "actions", None) or [
            name for name in view.view_class.http_method_names if hasattr(view.view_class, name)
        ]
        found |= {
            (name.upper(), str(pattern.pattern))
            for name in names
            if name not in ("head", "options")
        }
    return found


def expected(route: Route, method: str, who: str) -> int:
    if route.whose == "everybody":
        return route.ok
    if who in REFUSED:
        return 401
    if who == "the owner's read-only token" and method != "GET":
        return 403
    strangers = {"owner": ["another user"], "only owner": ["another user", "staff"]}
    return 404 if who in strangers.get(route.whose, []) else route.ok


def address(path: str, route: Route) -> str:
    if route.target is None:
        return f"/{path}"
    before, _, rest = path.partition("<")
    return f"/{before}{route.target(people.user('ada'))}{rest.partition('>')[2]}"


@pytest.fixture(autouse=True)
def passwords_are_cheap_to_check(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ada = people.user("ada")
    ada.set_password(people.PASSWORD)
    ada.save()


def test_every_route_has_an_entry_here() -> None:
    assert routes_that_exist() == set(ROUTES)


@EACH_ROUTE
@pytest.mark.parametrize("who", [*REFUSED, *KNOWN])
def test_where_access_is_required(settings: Settings, method: str, path: str, who: str) -> None:
    settings.API_AUTH = "required"
    route = ROUTES[method, path]
    text = {**REFUSED, **KNOWN}[who]()
    body = json.dumps(route.body).encode() if route.body is not None else b""

    response = people.ask(method, address(path, route), text, body)

    wanted = expected(route, method, who)
    assert response.status_code == wanted, response.content[:300]
    if wanted == 401:
        error(response, 401, "not_authenticated")
        assert response["WWW-Authenticate"] == "Bearer"
    elif wanted == 403:
        assert "read-only" in error(response, 403, "permission_denied")["error"]
    elif wanted == 404:
        error(response, 404, "not_found")


@EACH_ROUTE
def test_where_access_is_open_nobody_needs_a_token_but_for_tokens(
    settings: Settings, method: str, path: str
) -> None:
    settings.API_AUTH = "open"
    route = ROUTES[method, path]
    body = json.dumps(route.body).encode() if route.body is not None else b""

    response = people.ask(method, address(path, route), None, body)

    wanted = 401 if route.whose in ("user", "only owner") else route.ok
    assert response.status_code == wanted, response.content[:300]


@EACH_ROUTE
def test_a_session_is_as_good_as_a_token_but_needs_its_csrf_token(
    settings: Settings, method: str, path: str
) -> None:
    settings.API_AUTH = "required"
    route = ROUTES[method, path]
    body = json.dumps(route.body).encode() if route.body is not None else b""
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.user("ada"))
    where = address(path, route)

    forged = client.generic(method, where, body, content_type="application/json")

    guarded = method != "GET" and route.whose != "everybody"
    assert forged.status_code == (403 if guarded else route.ok)
    if guarded:
        client.cookies["csrftoken"] = "x" * 32
        meant = client.generic(
            method, where, body, "application/json", headers={"X-CSRFToken": "x" * 32}
        )
        assert meant.status_code == route.ok


def test_an_unknown_task_and_anothers_task_look_the_same(settings: Settings) -> None:
    settings.API_AUTH = "required"
    theirs = people.task_of(people.user("bob")).task_id
    mine = people.token(people.user("ada"))

    answers = [
        people.ask("GET", f"/tasks/{task_id}", mine)
        for task_id in (theirs, "00000000-0000-7000-8000-000000000000")
    ]

    first, second = [error(answer, 404, "not_found") for answer in answers]
    assert first | {"correlation_id": ""} == second | {"correlation_id": ""}


def test_lists_show_ones_own_and_staff_sees_all(settings: Settings) -> None:
    settings.API_AUTH = "required"
    mine = people.task_of(people.user("ada")).task_id
    theirs = people.task_of(people.user("bob")).task_id
    nobodys = people.task_of(None).task_id

    def listed(owner: User) -> set[str]:
        body = json.loads(people.ask("GET", "/tasks", people.token(owner)).content)
        return {task["task_id"] for task in body["results"]}

    assert listed(people.user("ada")) == {str(mine)}
    assert listed(people.user("eve", is_staff=True)) == {str(mine), str(theirs), str(nobodys)}
