"""GET /tasks: what hostile query strings make of it."""

import json
from urllib.parse import quote

import pytest

from tasks_app.tests.api.client import error, get
from tasks_app.tests.unit.tasks import pending

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "name=%00",
        "tag=%00",
        "tag=" + "x" * 65,
        "name=",
        "ids=x",
        "ids=%00",
        "ids=" + ",".join(["018f5b6e-0000-7000-8000-000000000000"] * 501),
        "batch_id=1",
        "submitted_after=yesterday",
        "submitted_after=0001-01-01T00:00:00%2B14:00",
        "submitted_before=9999-12-31T23:59:59-14:00",
        "submitted_before=%00",
        "ordering=circuit",
        "page_size=0",
        "page_size=-1",
        "page_size=501",
        "page_size=x",
        "page_size=" + "9" * 5000,
        "unknown=1",
        "%00=1",
        "%ED%A0%80=1",
    ],
)
def test_a_bad_filter_is_refused(query: str) -> None:
    error(get(f"/tasks?{query}"), 400, "validation_error")


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "cD0%3D", "bz0tMQ==", "cD0lMDA=", quote("é"), "cD0yMDI2", "A" * 3000]
)
def test_a_cursor_that_is_none_is_no_fault_of_ours(cursor: str) -> None:
    pending()
    response = get(f"/tasks?cursor={cursor}")
    if response.status_code != 200:
        error(response, response.status_code, json.loads(response.content)["code"])
        assert response.status_code in (400, 404)


@pytest.mark.parametrize("charset", ["zlib", "utf-16", "nonsense"])
def test_a_query_is_utf_8_whatever_the_content_type_says(charset: str) -> None:
    response = get(f"/tasks?name={quote('é')}", content_type=f"application/json; charset={charset}")
    assert response.status_code == 200, response.content
