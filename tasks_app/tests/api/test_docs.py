"""GET /docs and /openapi.yaml: the description is current, complete, and needs no other host."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from tasks_app.tests.api.client import get, send

pytestmark = pytest.mark.django_db

DESCRIPTION = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def description() -> Any:
    return yaml.safe_load(DESCRIPTION.read_text())


def operations(description: Any) -> list[tuple[str, Any]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def test_the_file_in_docs_is_current() -> None:
    """If not: `make openapi`."""
    output = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=output)
    assert output.getvalue().strip() == DESCRIPTION.read_text().strip()


def test_the_service_serves_the_same() -> None:
    response = get("/openapi.yaml", accept="*/*")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == 'inline; filename="Quantum Tasks.yaml"'
    assert yaml.safe_load(response.content) == yaml.safe_load(DESCRIPTION.read_text())


def test_it_is_openapi_3_1_and_names_every_operation_once(description: Any) -> None:
    assert description["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, operation in operations(description)]
    assert len(names) == len(set(names)) > 15
    assert all(operation["summary"] for _, operation in operations(description))


def test_every_error_is_described_by_the_one_shape(description: Any) -> None:
    for name, operation in operations(description):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and name != "GET /health/ready":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (name, status)


def test_what_works_on_tasks_describes_outages_and_bad_requests(description: Any) -> None:
    for name, operation in operations(description):
        if "/tasks" in name or "/batches" in name:
            assert {"400", "503"} <= set(operation["responses"]), name
            assert any(status.startswith("2") for status in operation["responses"]), name


def test_submissions_have_examples_that_are_accepted(description: Any) -> None:
    for path in ("/tasks", "/tasks/batch"):
        content = description["paths"][path]["post"]["requestBody"]["content"]
        examples = content["application/json"]["examples"]
        assert len(examples) >= 2
        for example in examples.values():
            body = json.dumps(example["value"]).encode()
            assert send("POST", path, body).status_code == 202


def test_the_page_needs_no_other_host() -> None:
    response = get("/docs", accept="text/html")
    assert response.status_code == 200
    html = response.content.decode()
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)["']""", html)
    assert links
    for link in links:
        assert link.startswith("/") and not link.startswith("//"), link
    assert not re.findall(r"""["'](?:https?:)?//[^"']*["']""", html), html
    assert '"/openapi.yaml"' in get("/docs?script=", accept="*/*").content.decode()


def test_everything_that_the_page_loads_is_there() -> None:
    html = get("/docs", accept="text/html").content.decode()
    for link in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)["']""", html):
        response = get(link, accept="*/*")
        assert response.status_code == 200, link
        assert next(iter(response), b"")


@pytest.mark.parametrize("path", ["/docs/", "/openapi.yaml/"])
def test_a_trailing_slash_makes_no_difference(path: str) -> None:
    assert get(path, accept="*/*").status_code == 200


def test_pages_have_an_icon_and_so_does_who_asks_for_one_without_a_page() -> None:
    asked = get("/favicon.ico")
    assert asked.status_code == 302
    icon = asked["Location"]
    served = get(icon)
    assert (served.status_code, served["Content-Type"]) == (200, "image/svg+xml")
    for page in ("/docs", "/admin/login/"):
        assert f'<link rel="icon" href="{icon}">' in get(page, accept="text/html").content.decode()
