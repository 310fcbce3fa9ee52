"""Query parameters: those that a route takes are described, and any other is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from tasks_app.tests.api import people
from tasks_app.tests.api.client import error, get, post, send
from tasks_app.tests.api.test_matrix import EACH_ROUTE, ROUTES, address

pytestmark = pytest.mark.django_db

DESCRIPTION = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"


@EACH_ROUTE
def test_what_a_route_does_not_know_is_named(method: str, path: str) -> None:
    where = address(path, ROUTES[method, path])
    refused = error(send(method, f"{where}?wiat=30"), 400, "validation_error")
    assert list(refused["details"]) == ["wiat"]
    assert "wiat: This query parameter is not known." in refused["error"]


def described() -> list[tuple[str, str, list[str]]]:
    paths: Any = yaml.safe_load(DESCRIPTION.read_text())["paths"]
    return [
        (method, path, [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(("method", "path", "names"), described())
def test_it_is_told_what_is_known_as_it_is_described(
    method: str, path: str, names: list[str]
) -> None:
    path = path.format(task_id=people.task_of(None).task_id, batch_id=1, token_id=1, name="aer")
    told = error(send(method.upper(), f"{path}?wiat=30"), 400, "validation_error")["error"]
    known = f"Known here: {', '.join(sorted(names))}." if names else "None is known here."
    assert told.endswith(known)
    if names:
        query = "&".join(f"{name}=-" for name in names)
        assert b"not known" not in send(method.upper(), f"{path}?{query}").content


def test_many_are_not_repeated_at_length() -> None:
    names = "&".join(f"{'n' * 500}{number}" for number in range(500))
    assert len(error(get(f"/tasks?{names}"), 400, "validation_error")["details"]) <= 20


def test_what_is_known_to_one_method_is_not_to_another() -> None:
    assert get("/tasks?page_size=1").status_code == 200
    assert send("HEAD", "/tasks?page_size=1").status_code == 200
    error(post({}, "/tasks?page_size=1"), 400, "validation_error")
    error(send("PUT", "/tasks?page_size=1"), 405, "method_not_allowed")


def test_the_admin_and_files_take_what_they_like(client: Client) -> None:
    client.force_login(people.user("root", is_staff=True, is_superuser=True))
    assert client.get("/admin/?x=1").status_code == 200
    assert client.get("/static/tasks_app/icon.svg?v=1").status_code == 200
    assert client.get("/?x=1").status_code == 200
