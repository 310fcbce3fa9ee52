"""What holds on every page: markup is text, and anybody can use it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tasks_app.tests.console.site import BELL, HEAD, PASSWORD, Site, log_in, run
from testing import browser as browsers

AXE = Path(__file__).parent / "axe" / "axe.min.js"
FIRST_PAGE_REQUESTS = 10  # before its load event
FIRST_PAGE_BYTES = 150_000
# What the page is made of: sizes by name, of what came before its load event and after it.
LOADED = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const parts = performance.getEntriesByType("resource").filter((e) => e.name.includes("/static/"));
  const isLater = (part) => part.startTime >= page.loadEventStart;
  const sizes = (found) => Object.fromEntries(found.map((e) => [e.name, e.transferSize]));
  return [sizes([page, ...parts.filter((e) => !isLater(e))]), sizes(parts.filter(isLater))];
}"""
EVIL = "<b/class=evil><img/src=x/onerror=alert(1)><script>alert(1)</script>\"'&amp;"


def is_dark(page: Page) -> bool:
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(", "))) < 200


def ready(page: Page) -> None:
    """Its scripts have asked the API and shown the answer."""
    page.wait_for_function("() => !document.querySelector('#task > .muted, #results[hidden]')")


def problems(page: Page, *rules: str) -> list[str]:
    """What axe-core calls serious."""
    options = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found: Any = page.evaluate("options => axe.run(options)", options)
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def check(page: Page) -> None:
    """Nothing serious, in light and in dark."""
    ready(page)
    page.evaluate(AXE.read_text())
    assert not problems(page), page.url
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert not problems(page, "color-contrast"), page.url


def test_axe_finds_nothing_serious_on_any_page(site: Site, rich: dict[str, str]) -> None:
    with site.visit() as page:
        run(page)
        check(page)
        for path in rich.values():
            page.goto(site.url + path)
            for summary in page.locator("summary").all():
                summary.click()
            check(page)
    with site.visit_closed("/console/tokens") as page:
        log_in(page, "ada")
        expect(page.get_by_role("button", name="Make a token")).to_be_visible()
        check(page)


def test_every_page_fits_a_phone(site: Site, rich: dict[str, str]) -> None:
    with site.visit(**browsers.PHONE) as page:
        run(page)
        expect(page.locator("#outcome .canvas svg")).to_be_in_viewport()
        for path in rich.values():
            page.goto(site.url + path)
            ready(page)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= browsers.PHONE["viewport"]["width"], path


def test_the_first_page_asks_for_little(site: Site) -> None:
    with site.visit() as page:
        run(page)
        sizes, later = page.evaluate(LOADED)
        assert len(sizes) <= FIRST_PAGE_REQUESTS, sizes
        assert any(name.endswith("/histogram.js") for name in later), later
        assert sum(sizes.values()) + sum(later.values()) < FIRST_PAGE_BYTES


def test_dark_is_as_the_system_has_it_until_somebody_chooses(site: Site) -> None:
    with site.visit(color_scheme="dark") as page:
        assert is_dark(page)
        page.get_by_role("button", name="Light or dark").click()
        assert not is_dark(page)
        page.goto(f"{site.url}/console/queue")
        assert not is_dark(page)
    with site.visit() as page:
        assert not is_dark(page)
        page.get_by_role("button", name="Light or dark").click()
        assert is_dark(page)


def test_a_circuit_is_run_by_keyboard_alone(site: Site) -> None:
    with site.visit() as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, "#circuit")
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(BELL)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#outcome .badge.completed")).to_be_visible()
        tab_to(page, "#outcome .more a")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Task completed")).to_be_visible()
        tab_to(page, "#task .head button")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"60 presses of Tab do not lead to {selector}")


@pytest.fixture(scope="module")
def evil(site: Site) -> list[str]:
    """Ada's tasks and batch, with markup wherever a client may put text."""
    labels = {"name": EVIL, "tags": [EVIL[:64]]}
    header = {"X-Correlation-ID": EVIL.replace(" ", "")}
    bodies = [
        {"circuit": f"// {EVIL}\n{BELL}", "outputs": ["counts", "circuit"], **labels},
        {"circuit": f"{HEAD}{EVIL}", **labels},
        {"circuit": BELL, "parameters": {EVIL: 1}, **labels},
        {"circuit": f'{HEAD}include "{EVIL.replace(chr(34), "")}";', **labels},
    ]
    made = [site.as_ada("POST", "/tasks", body, **header).body["task_id"] for body in bodies]
    ended = [site.as_ada("GET", f"/tasks/{task_id}?wait=60").body for task_id in made]
    assert sum("class=evil" in (task["error_message"] or "") for task in ended) >= 1
    batch = site.as_ada("POST", "/tasks/batch", {"tasks": [{"circuit": BELL}], **labels}).body
    site.as_ada("POST", "/tokens", {"label": EVIL[:100]})
    site.closed.post("/login", {"username": EVIL, "password": "x"})
    return [*(f"tasks/{task_id}" for task_id in made), f"batches/{batch['batch_id']}"]


def test_markup_is_text_on_every_page_of_the_console(site: Site, evil: list[str]) -> None:
    with site.visit_closed("/console/tokens") as page:
        log_in(page, "ada")
        expect(page.get_by_role("cell", name=EVIL[:64])).to_be_visible()
        for path in ("tasks", "batches", *evil):
            page.goto(f"{site.closed_url}/console/{path}")
            expect(page.get_by_text("class=evil").first).to_be_visible()
            harmless(page)
        task_id = evil[0].removeprefix("tasks/")
        page.goto(f"{site.closed_url}/?task={task_id}")
        expect(page.get_by_label("OpenQASM program")).to_have_value(f"// {EVIL}\n{BELL}")
        harmless(page)


def test_markup_is_text_on_every_page_of_the_admin(site: Site, evil: list[str]) -> None:
    with site.visit_closed("/admin/") as page:
        page.get_by_label("Username").fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        tasks = [f"task/{path.removeprefix('tasks/')}/change" for path in evil if "tasks/" in path]
        for path in ("task", *tasks, "apitoken", "auditentry", "worker"):
            page.goto(f"{site.closed_url}/admin/tasks_app/{path}/")
            harmless(page)
            if path not in ("task", "worker"):  # which show nobody's words
                expect(page.get_by_text("class=evil").first).to_be_visible()


def harmless(page: Page) -> None:
    """No element of that markup exists, and none of its scripts was even refused."""
    ready(page)
    assert page.locator(".evil, img[src=x]").count() == 0, page.url
