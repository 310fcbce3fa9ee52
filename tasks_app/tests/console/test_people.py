"""Who may do what in the console: logging in, tokens, and others' tasks."""

import pytest
from playwright.sync_api import expect

from tasks_app.tests.console.site import BELL, PASSWORD, Site, log_in, run, shown_counts


def test_where_one_must_log_in_one_comes_back_to_the_page_that_one_wanted(site: Site) -> None:
    task_id = site.as_ada("POST", "/tasks", {"circuit": BELL}).body["task_id"]
    with site.visit_closed(f"/console/tasks/{task_id}") as page:
        log_in(page, "ada", "wrong")
        expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
        log_in(page, "ada")
        expect(page.locator(".now .badge.completed")).to_be_visible()
        assert page.url.endswith(task_id)
        page.get_by_role("button", name="Run again").click()
        page.wait_for_url(lambda url: not url.endswith(task_id))
        expect(page.get_by_text("runs another one again")).to_be_visible()
        page.get_by_role("link", name="Run", exact=True).click()
        run(page)
        assert set(shown_counts(page)) == {"00", "11"}
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_session_that_is_over_leads_to_the_login(site: Site) -> None:
    with site.visit_closed() as page:
        log_in(page, "ada")
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
        page.context.clear_cookies()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_token_is_shown_once_and_revoked(site: Site) -> None:
    with site.visit_closed("/console/tokens") as page:
        log_in(page, "ada")
        page.get_by_label("What it is for").fill("laptop")
        page.get_by_label("Days until it ends").fill("30")
        page.get_by_label("read-only").check()
        page.get_by_role("button", name="Make a token").click()
        token = page.locator(".token-text").text_content()
        headers = {"Authorization": f"Bearer {token}"}
        assert site.closed.get("/tasks", **headers).status == 200
        assert site.closed.post("/tasks", {"circuit": BELL}, **headers).status == 403
        page.reload()
        assert str(token) not in page.content()
        row = page.get_by_role("row", name="laptop")
        row.get_by_role("button", name="Revoke").click()
        expect(row).to_contain_text("revoked")
        assert site.closed.get("/tasks", **headers).status == 401


def test_without_a_login_nobody_has_tokens(site: Site) -> None:
    with site.visit("/console/tokens") as page:
        expect(page.get_by_text("Tokens belong to a user")).to_be_visible()
        page.get_by_role("link", name="log in", exact=True).click()
        log_in(page, "ada")
        expect(page.get_by_role("button", name="Make a token")).to_be_visible()


@pytest.mark.parametrize(("who", "sees"), [("root", True), ("ada", False)])
def test_others_tasks_are_for_staff(site: Site, who: str, sees: bool) -> None:
    task_id = site.task()  # nobody's
    with site.visit_closed(f"/console/tasks/{task_id}") as page:
        log_in(page, who, PASSWORD)
        expect(
            page.get_by_role("heading", name="Task completed" if sees else "Not found")
        ).to_be_visible()
        assert page.get_by_role("link", name="Admin").count() == sees
