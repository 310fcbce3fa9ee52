"""`URL_PREFIX`: every link leads below it, whether the proxy leaves it in the path or not."""

import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest

from tasks_app.tests.api import people
from testing.service import Answer, Service

PREFIX = "/labs/quantum"


@pytest.fixture
def below(service: Service) -> Service:
    service.start_api(processes=1, URL_PREFIX=PREFIX)
    return service


def links(page: Answer) -> set[str]:
    """What a browser would load for this page, and where its scripts lead."""
    found = re.findall(r"""(?<!-)(?:href|src|action|url)[=:] *["']([^"'#]*)["']""", page.body)
    return {link for link in found if link and not link.startswith("data:")}


@pytest.mark.parametrize("taken", [False, True], ids=["left in the path", "taken by the proxy"])
def test_a_task_is_found_where_its_location_says(below: Service, taken: bool) -> None:
    sent_to = "" if taken else PREFIX
    answers = [below.post(f"{sent_to}/tasks", {"circuit": "OPENQASM 3.0;"}) for _ in range(2)]
    for answer in answers:
        assert answer.status == 202
        expected = f"http://127.0.0.1:{below.port}{PREFIX}/tasks/{answer.body['task_id']}"
        assert answer.headers["Location"] == expected
        assert below.get(urlsplit(expected).path).body["task_id"] == answer.body["task_id"]

    first = below.get(f"{sent_to}/tasks?page_size=1").body
    assert first["next"].startswith(f"http://127.0.0.1:{below.port}{PREFIX}/tasks?")
    second = below.get(first["next"].removeprefix(f"http://127.0.0.1:{below.port}"))
    assert second.body["results"][0]["task_id"] == answers[0].body["task_id"]


def test_a_person_gets_to_every_page_and_all_that_it_loads(below: Service) -> None:
    for path, leads_to in (
        (f"{PREFIX}/admin", "/admin/"),
        (f"{PREFIX}/admin/", "/admin/login/?next=/labs/quantum/admin/"),
    ):
        answer = below.get(path)
        assert (answer.status, answer.headers["Location"]) == (302, PREFIX + leads_to)

    for path in ("", "/", "/console/tasks", "/console/queue", "/docs", "/admin/login/"):
        page = below.get(PREFIX + path)
        assert page.status == 200
        loaded = links(page)
        assert len(loaded) > 3
        for link in loaded:
            assert link.startswith(PREFIX), link
            assert below.get(link).status in (200, 302), link
    assert f"{PREFIX}/openapi.yaml" in below.get(f"{PREFIX}/docs?script=").body
    description = below.get(f"{PREFIX}/openapi.yaml").body
    assert f"servers:\n- url: {PREFIX}\n" in description
    assert "\n  /tasks/{task_id}:" in description


def test_logging_in_to_the_admin_stays_below_it(below: Service) -> None:
    person = people.user("ada", is_staff=True, is_superuser=True)
    person.set_password(people.PASSWORD)
    person.save()
    login = f"{PREFIX}/admin/login/"
    cookies = SimpleCookie(below.get(login).headers["Set-Cookie"])
    assert cookies["csrftoken"]["path"] == PREFIX
    form = {
        "username": "ada",
        "password": people.PASSWORD,
        "csrfmiddlewaretoken": cookies["csrftoken"].value,
        "next": f"{PREFIX}/admin/",
    }
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"csrftoken={cookies['csrftoken'].value}",
    }
    answer = below.request("POST", login, urlencode(form), sent)
    assert (answer.status, answer.headers["Location"]) == (302, f"{PREFIX}/admin/")


def test_probes_from_inside_do_not_have_it(below: Service) -> None:
    for path in ("/health/live", "/health/ready", "/health", "/metrics"):
        assert below.get(path).status == below.get(PREFIX + path).status == 200


def test_what_only_begins_like_it_is_not_below_it(below: Service) -> None:
    answer = below.get(f"{PREFIX}x/tasks")
    assert answer.status == 404
    assert f"{PREFIX}/docs lists the routes" in answer.body["error"]


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_no_header_says_where_the_service_is(service: Service, prefix: str) -> None:
    service.start_api(processes=1, URL_PREFIX=prefix)
    for header in ("SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix"):
        answer = service.post("/tasks", {"circuit": "OPENQASM 3.0;"}, **{header: "/tasks"})
        assert answer.status == 202, (header, answer)
        here = f"http://127.0.0.1:{service.port}{prefix}/tasks/"
        assert answer.headers["Location"].startswith(here)


def test_https_sends_people_below_it_and_answers_probes(service: Service) -> None:
    service.start_api(processes=1, URL_PREFIX=PREFIX, HTTPS_ONLY="true")
    answer = service.get(f"{PREFIX}/docs")
    assert answer.headers["Location"] == f"https://127.0.0.1:{service.port}{PREFIX}/docs"
    assert service.get("/metrics").status == service.get(f"{PREFIX}/metrics").status == 200
