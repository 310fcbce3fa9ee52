"""The console's pages: who sees them, and what they say when something is wrong."""

import re
from unittest.mock import patch

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from tasks_app import access, backends, pace
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.circuits.job import OUTPUTS
from tasks_app.console.urls import urlpatterns
from tasks_app.console.views import OUTPUT_LABELS
from tasks_app.models import Backend, Batch, Status, Task
from tasks_app.tests.api import people

pytestmark = pytest.mark.django_db

MARKUP = "<script>alert(1)</script><b onmouseover='x'>\"&amp;"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def pages() -> dict[str, str]:
    """Every page's address, with a task and a batch of ada's."""
    ada = people.user("ada")
    task = people.task_of(ada, Status.COMPLETED).task_id
    batch = people.batch_of(ada, Status.PENDING, Status.FAILED).batch_id
    known = {"task": {"task_id": task}, "batch": {"batch_id": batch}}
    names = [str(pattern.name) for pattern in urlpatterns]
    return {name: reverse(f"console:{name}", kwargs=known.get(name)) for name in names}


def loaded(html: str) -> set[str]:
    return set(re.findall(r'(?:src|href)="/static/([^"]+)"', html))


def content(name: str) -> bytes:
    path = finders.find(name)
    assert isinstance(path, str), name
    with open(path, "rb") as file:
        return file.read()


def test_where_access_is_open_nobody_logs_in(settings: Settings) -> None:
    settings.API_AUTH = "open"
    for name, path in pages().items():
        response = Client().get(path)
        assert response.status_code == 200, name


def test_elsewhere_everybody_does_and_comes_back(settings: Settings) -> None:
    settings.API_AUTH = "required"
    browser = Client()
    for name, path in pages().items():
        response = browser.get(f"{path}?tag=a%26b")
        if name == "login":
            assert response.status_code == 200
        else:
            assert response.status_code == 302, name
            assert browser.get(response["Location"]).context["next"] == f"{path}?tag=a%26b"
    browser.force_login(people.user("ada"))
    for path in pages().values():
        assert browser.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""]
)
def test_a_login_leads_nowhere_else(elsewhere: str) -> None:
    response = Client().get("/console/login", {"next": elsewhere})
    assert response.context["next"] == "/"


def test_others_tasks_are_not_there(settings: Settings) -> None:
    settings.API_AUTH = "required"
    found = pages()
    stranger, staff = Client(), Client()
    stranger.force_login(people.user("bob"))
    staff.force_login(people.user("eve", is_staff=True))
    for name in ("task", "batch"):
        assert stranger.get(found[name]).status_code == 404
        assert staff.get(found[name]).status_code == 200
    assert "ada" not in stranger.get(found["tasks"]).content.decode()
    assert "ada" in staff.get(found["tasks"]).content.decode()
    assert not stranger.get(found["tasks"]).context["results"]
    assert not stranger.get(found["batches"]).context["results"]


def test_nothing_but_our_own_files_is_loaded_and_no_script_stands_in_a_page() -> None:
    for name, path in {**pages(), "nowhere": "/console/nowhere"}.items():
        response = Client().get(path)
        policy, html = response["Content-Security-Policy"], response.content.decode()
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy, name
        assert "unsafe" not in policy and response["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*(?: src=|application/json))", html), name
        assert not re.search(r"<style| style=| on[a-z]+=", html), name
        for file in loaded(html):
            assert finders.find(file), (name, file)


def test_what_a_script_imports_is_asked_for_with_it() -> None:
    assert "tasks_app/console/dom.js" in loaded(Client().get("/").content.decode())


def test_the_theme_that_was_chosen_is_the_page_s_own() -> None:
    browser = Client()
    assert 'data-theme=""' in browser.get("/").content.decode()
    browser.cookies["theme"] = "dark"
    for path in ("/", "/console/queue", "/console/nowhere"):
        assert 'data-theme="dark"' in browser.get(path).content.decode(), path
    browser.cookies["theme"] = '"><b>'
    assert "<b>" not in browser.get("/console/nowhere").content.decode()


def test_the_vendored_files_are_those_that_their_list_names() -> None:
    folder = "tasks_app/console/vendor"
    listed = set(re.findall(r"`([\w.-]+\.js)`", content(f"{folder}/README.md").decode()))
    assert listed == {"htmx.min.js"}
    assert b'version:"2.0.11"' in content(f"{folder}/htmx.min.js")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/console/nowhere", 404, "There is no page at this address."),
        (f"/console/tasks/{UNKNOWN}", 404, "There is no task with this id."),
        (f"/console/batches/{UNKNOWN}", 404, "There is no batch with this id."),
        ("/console/tasks?status=asleep", 400, "Not one of pending, processing"),
        ("/console/tasks?ordering=up", 400, "Not one of -submitted_at, submitted_at."),
        ("/console/tasks?colour=red", 400, "This field is not known."),
        ("/console/tasks?cursor=1", 404, "Invalid cursor"),
    ],
)
def test_an_error_is_a_page(path: str, status: int, said: str) -> None:
    response = Client().get(path)
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    html = response.content.decode()
    assert said in html and response["X-Correlation-ID"] in html


def test_while_the_database_is_away_the_pages_say_so() -> None:
    with patch.object(access, "visible_tasks", side_effect=OperationalError("no route")):
        response = Client().get("/console/tasks")
    assert response.status_code == 503 and response["Retry-After"]
    assert "The database is unavailable" in response.content.decode()
    assert "no route" not in response.content.decode()


def test_each_output_can_be_asked_for() -> None:
    assert set(OUTPUT_LABELS) == set(OUTPUTS)


def test_pages_are_only_read() -> None:
    for path in pages().values():
        assert Client().post(path).status_code == 405, path


def test_filters_that_are_left_empty_are_none() -> None:
    wanted = people.task_of(None, name="mine", tags=["a"])
    people.task_of(None, name="other")
    path = "/console/tasks?name=mine&tag=&submitted_after=&ordering=&ids=&status=pending"
    assert [task.pk for task in Client().get(path).context["results"]] == [wanted.pk]


def test_the_batch_of_a_list_may_be_spelled_in_any_way() -> None:
    batch = people.batch_of(None, Status.PENDING).batch_id
    for spelled in (str(batch), str(batch).upper(), batch.hex, f"{{{batch}}}", batch.urn):
        page = Client().get("/console/tasks", {"batch_id": spelled})
        assert f'<a href="/console/batches/{batch}">' in page.content.decode()


def test_where_there_are_several_backends_one_is_chosen() -> None:
    on_device = people.task_of(None, backend="noisy_line5")
    people.task_of(None)
    found = Client().get("/console/tasks?backend=noisy_line5").context["results"]
    assert [task.pk for task in found] == [on_device.pk]
    queue = Client().get("/console/queue").context["backends"]
    assert {each["name"]: each["pending"] for each in queue}["noisy_line5"] == 1
    assert queue[0]["name"] == DEFAULT_BACKEND
    assert '<option value="noisy_line5"' in Client().get("/").content.decode()


def test_without_a_device_there_is_no_example_for_it() -> None:
    with patch.object(backends, "known", return_value={DEFAULT_BACKEND: Backend(name="aer")}):
        response = Client().get("/")
    assert response.context["examples"]
    assert not any("backend" in example for example in response.context["examples"])
    assert 'id="backend"' not in response.content.decode()


def test_a_list_has_pages() -> None:
    for number in range(3):
        people.task_of(None, name=f"n{number}")
    first = Client().get("/console/tasks?page_size=2")
    assert [task.name for task in first.context["results"]] == ["n2", "n1"]
    second = Client().get(first.context["next"])
    assert [task.name for task in second.context["results"]] == ["n0"]
    back = Client().get(second.context["previous"])
    assert back.context["results"] == first.context["results"]


def test_markup_is_text() -> None:
    ada = people.user("ada", is_staff=True)
    batch = people.batch_of(ada, Status.FAILED)
    Batch.objects.filter(pk=batch.pk).update(name=MARKUP, tags=[MARKUP])
    Task.objects.filter(batch=batch).update(name=MARKUP, tags=[MARKUP])
    access.create_token(ada, label=MARKUP[:100])
    browser = Client()
    browser.force_login(ada)
    task = Task.objects.get(batch=batch)
    for path in (
        *("/console/tasks", "/console/batches", "/console/tokens"),
        *(f"/console/batches/{batch.pk}", f"/console/tasks/{task.pk}"),
        f"/console/tasks?name={MARKUP}&tag={MARKUP}",
    ):
        html = browser.get(path).content.decode()
        assert "<script>alert" not in html and "<b onmouseover" not in html, path


def test_the_queue_page_counts_the_last_hour() -> None:
    for status in (Status.COMPLETED, Status.COMPLETED, Status.FAILED, Status.PENDING):
        people.task_of(None, status)
    response = Client().get("/console/queue")
    assert "3 ended in the last hour, 1 of them failed" in response.content.decode()
    hour = pace.last_hour()
    assert len(hour) == 60 and sum(minute["ended"] for minute in hour) == 3
    assert [minute["minute"] for minute in hour] == sorted(minute["minute"] for minute in hour)
    assert response.context["now"]["pending"] == 1


def test_what_the_picture_leaves_out_is_said() -> None:
    for _ in range(3):
        people.task_of(None, Status.COMPLETED)
    with patch.object(pace, "HOUR_SAMPLE", 2):
        response = Client().get("/console/queue")
    assert "Of the latest 2 tasks." in response.content.decode()
