"""Errors have one shape, whoever raises them, and show nothing of the inside."""

import json
import re
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from quantumtasks import urls
from tasks_app.api.urls import urlpatterns as api_routes
from tasks_app.tests.api.client import error, get, post, send, unknown_id
from tasks_app.tests.unit.tasks import pending

ROUTES = {
    "/tasks": {"GET", "POST"},
    "/tasks/batch": {"POST"},
    "/tasks/x": {"GET", "PATCH", "DELETE"},
    "/tasks/x/submission": {"GET"},
    "/tasks/x/rerun": {"POST"},
    "/tasks/x/cancel": {"POST"},
    "/tasks/x/result": {"GET"},
    "/batches": {"GET"},
    "/batches/x": {"GET"},
    "/batches/x/results": {"GET"},
    "/batches/x/cancel": {"POST"},
    "/batches/x/retry": {"POST"},
    "/backends": {"GET"},
    "/backends/x": {"GET"},
    "/queue": {"GET"},
    "/login": {"POST"},
    "/logout": {"POST"},
    "/tokens": {"GET", "POST"},
    "/tokens/1": {"DELETE"},
    "/health": {"GET"},
    "/health/live": {"GET"},
    "/health/ready": {"GET"},
    "/metrics": {"GET"},
    "/openapi.yaml": {"GET"},
    "/docs": {"GET"},
}


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the password is hunter2, in /srv/secret.py")


def is_away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("connection to 10.1.2.3 failed for user tasks_app")


urlpatterns = [path("fails", fails), path("is-away", is_away), *urls.urlpatterns]
handler400, handler404 = urls.handler400, urls.handler404
handler403, handler500 = urls.handler403, urls.handler500


def test_the_table_above_has_every_route() -> None:
    described = {route.replace("/x", "/<>").replace("/1", "/<>") for route in ROUTES}
    existing = {"/" + re.sub(r"<[^>]*>", "<>", str(route.pattern)) for route in api_routes}
    assert existing == described


@pytest.mark.django_db
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_method_that_a_route_lacks_is_refused_with_those_it_has(route: str, slash: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FROBNICATE"):
        if method in ROUTES[route]:
            continue
        response = send(method, route + slash)
        if response.status_code in (401, 403):  # strangers are not told what there is
            continue
        error(response, 405, "method_not_allowed")
        allowed = set(response["Allow"].split(", ")) - {"HEAD", "OPTIONS"}
        assert allowed == ROUTES[route]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "FROBNICATE"])
@pytest.mark.parametrize(
    "route",
    [
        "/nothing",
        "/tasks/a/b",
        "/TASKS",
        "/tasks.json",
        "/health/lively",
        "/tasks%00",
        "/static/nothing.js",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/<script>",
        "/" + "a" * 4000,
        "/%ff%fe",
    ],
)
@pytest.mark.django_db
def test_an_unknown_route_is_not_found(method: str, route: str) -> None:
    error(send(method, route), 404, "not_found")


@pytest.mark.django_db
def test_a_bug_is_a_500_without_details_and_logged_with_them(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    with capture_logs(processors=[format_exc_info]) as logs:
        response = get("/fails", **{"X-Correlation-ID": "find-me"})
    body = error(response, 500, "internal_error")
    (entry,) = [entry for entry in logs if entry["event"] == "internal_error"]
    assert "hunter2" in entry["exception"]
    assert "hunter2" not in json.dumps(body)
    assert body["correlation_id"] == "find-me"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_broken_in_another_way_than_away_is_a_500() -> None:
    task_id = pending()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_app_statushistory RENAME TO elsewhere")
        try:
            error(get(f"/tasks/{task_id}"), 500, "internal_error")
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO tasks_app_statushistory")


@pytest.mark.django_db
def test_an_outage_in_any_view_is_a_503(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    response = get("/is-away")
    body = error(response, 503, "database_unavailable")
    assert response["Retry-After"] == "2"
    assert "10.1.2.3" not in json.dumps(body)


@pytest.mark.django_db
def test_a_wrong_host_is_refused() -> None:
    for host in ("evil.example", "a b", "127.0.0.1:x", ""):
        response = get("/health/live", host=host)
        if response.status_code != 200:
            assert "ALLOWED_HOSTS" in error(response, 400, "malformed_request")["error"]
        else:
            assert host == ""


@pytest.mark.django_db
@pytest.mark.parametrize("route", [*ROUTES, "/nothing", "/static/nothing"])
def test_every_answer_has_a_correlation_id(route: str) -> None:
    with capture_logs() as logs:
        response = get(route, **{"X-Correlation-ID": "mine"})
    assert response["X-Correlation-ID"] == "mine"
    (entry,) = [entry for entry in logs if entry["event"] == "request"]
    assert entry["status"] == response.status_code


@pytest.mark.django_db
@pytest.mark.parametrize("route", ["/metrics", "/docs", "/openapi.yaml"])
def test_errors_are_json_also_where_answers_are_not(route: str) -> None:
    error(post({}, path=route), 405, "method_not_allowed")


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "a/b;q=x"])
def test_errors_are_json_whatever_the_client_prefers(accept: str) -> None:
    response = get(f"/tasks/{unknown_id()}", accept=accept)
    assert response.status_code in (404, 406)
    error(response, response.status_code, json.loads(response.content)["code"])


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["sessionid", "submission", "csrftoken", "anything"])
def test_a_cookie_with_a_null_character_is_refused(name: str) -> None:
    cookie = {"cookie": f'{name}="\\000{"x" * 40}"'}  # quoted, a cookie may have any character
    for route in ("/tasks", "/console/tasks", "/admin/", "/runtime/v1/instances/usage"):
        error(get(route, **cookie), 400, "malformed_request")
    for route in ("/tasks", "/logout", "/runtime/v1/jobs"):
        error(post({}, route, **cookie), 400, "malformed_request")
