"""The console as visitors find it, and what they do there."""

import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, Response, expect

from testing import browser as browsers
from testing.service import Answer, Service

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = HEAD + "qubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n"
WRONG = BELL.replace("h q[0]", "hh q[0]")
# Each shot takes its time because of the reset in the middle.
LONG = BELL.replace("cx", "for int i in [1:2000] { reset q[0]; h q[0]; }\ncx", 1)
ROTATION = HEAD + "input float theta;\nqubit q;\nbit c;\nry(theta) q;\nc = measure q;\n"
PREFIX = "/labs/quantum"
PASSWORD = "Correct-horse-7"
PEOPLE = f"""
from django.contrib.auth.models import User
from tasks_app import access
User.objects.create_superuser("root", password="{PASSWORD}")
print(access.create_token(User.objects.create_user("ada", password="{PASSWORD}"), label="test")[1])
"""


@dataclass(frozen=True)
class Site:
    """The service where access is open, and the same where it is not, below a path."""

    browser: Browser
    open: Service
    closed: Service
    token: str  # ada's

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.open.port}"

    @property
    def closed_url(self) -> str:
        return f"http://127.0.0.1:{self.closed.port}{PREFIX}"

    def visit(self, path: str = "/", **options: Any) -> AbstractContextManager[Page]:
        """A new visitor's page."""
        return browsers.person(self.browser, self.url + path, **options)

    def visit_closed(self, path: str = "/") -> AbstractContextManager[Page]:
        """The same where one must log in."""
        return browsers.person(self.browser, self.closed_url + path)

    def as_ada(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """What ada's program asks there."""
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        answer = self.closed.request(method, path, json.dumps(body), sent)
        assert answer.status < 300, answer
        return answer

    def task(self, circuit: str = BELL, **options: Any) -> str:
        """A task that has ended."""
        return str(self.open.finished(self.open.accepted(circuit, **options))["task_id"])

    def batch(self, body: Any) -> str:
        """A batch that has ended."""
        answer = self.open.post("/tasks/batch", body)
        assert answer.status == 202, answer
        batch_id = str(answer.body["batch_id"])
        assert self.open.get(f"/batches/{batch_id}?wait=60").status == 200
        return batch_id


def write(page: Page, program: str) -> None:
    page.get_by_label("OpenQASM program").fill(program)


def run(page: Page) -> Any:
    """Press the button and wait for the result; what was submitted."""
    with page.expect_response(_is_submission) as accepted:
        page.get_by_role("button", name="Run", exact=True).click()
    task_id = accepted.value.json()["task_id"]
    expect(page.locator(f"#outcome:has(a[href$='{task_id}']) .badge.completed")).to_be_visible()
    return accepted.value.request.post_data_json


def _is_submission(response: Response) -> bool:
    return response.request.method == "POST" and response.url.endswith("/tasks")


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def shown_counts(page: Page) -> dict[str, int]:
    titles = page.locator("figure .row title").all_text_contents()
    parts = [re.fullmatch(r"(\S+): ([\d,]+)\s.*", title) for title in titles]
    return {part[1]: int(part[2].replace(",", "")) for part in parts if part}
