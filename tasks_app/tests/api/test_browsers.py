"""What a browser is told, and what it is refused on behalf of another site's page."""

import json
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tasks_app.models import Status, Task
from tasks_app.tests.api import people
from tasks_app.tests.api.client import CIRCUIT, error, get, post, send

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str]) -> None:
    task = people.task_of(None)
    for method, path in (
        ("POST", f"/tasks/{task.task_id}/cancel"),
        ("DELETE", f"/tasks/{task.task_id}"),
        ("POST", "/tasks"),
        ("POST", "/login"),
    ):
        error(send(method, path, b"{}", **headers), 403, "cross_site_request")
    assert get(f"/tasks/{task.task_id}", **headers).status_code == 200
    assert Task.objects.get().current_status == Status.PENDING


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost", "Host": "localhost"},
        {"Origin": "https://console.example"},
    ],
)
def test_ones_own_page_and_programs_may(headers: dict[str, str], settings: object) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://console.example"]  # type: ignore[attr-defined]
    assert post({"circuit": CIRCUIT}, **headers).status_code == 202


def test_a_token_is_enough_from_wherever_it_comes() -> None:
    text = people.token(people.user("ada"))
    headers = {"Sec-Fetch-Site": "cross-site", **people.bearer(text)}
    assert post({"circuit": CIRCUIT}, **headers).status_code == 202


@pytest.mark.parametrize(
    "content_type", ["*/*", "application/*", "text/plain", "application/x-www-form-urlencoded"]
)
def test_only_json_is_json(content_type: str) -> None:
    refused = post({"circuit": CIRCUIT}, content_type=content_type)
    error(refused, 415, "unsupported_media_type")


def test_nothing_private_is_kept_and_nothing_foreign_is_loaded() -> None:
    User.objects.create_superuser("root", password=people.PASSWORD)
    browser = Client()
    browser.login(username="root", password=people.PASSWORD)
    task = people.task_of(None, Status.COMPLETED)
    for path in (
        *("/tasks", f"/tasks/{task.task_id}", f"/tasks/{task.task_id}/result", "/queue"),
        *("/health", "/metrics", "/nowhere", f"/tasks/{uuid.uuid4()}"),
    ):
        response = browser.get(path)
        assert response["Cache-Control"] == "no-store", path
        assert response["Content-Security-Policy"].startswith("default-src 'none'"), path
    for path in ("/docs", "/admin/", f"/admin/tasks_app/task/{task.task_id}/change/"):
        response = browser.get(path)
        assert "no-store" in response["Cache-Control"], path
        assert "default-src 'self'" in response["Content-Security-Policy"], path
        assert "<script>" not in response.content.decode(), path
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"], path


def test_small_requests_have_small_bodies() -> None:
    task = people.task_of(None)
    large = json.dumps({"username": "x" * 20_000}).encode()
    for method, path in (
        *(("POST", "/login"), ("POST", "/logout"), ("POST", "/tokens"), ("POST", "/admin/login/")),
        ("PATCH", f"/tasks/{task.task_id}"),
    ):
        error(send(method, path, large), 413, "payload_too_large")


@pytest.mark.parametrize("address", ["/admin/r/1/1/", "/admin/r/7/x/", "/admin/r/0/"])
def test_the_admins_shortcut_leads_nowhere(address: str, admin_client: Client) -> None:
    assert admin_client.get(address).status_code == 404
