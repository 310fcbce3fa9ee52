"""A real browser for the console's tests, and what it may not do on any page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from testing import packages

PATIENCE_MS = 60_000  # with whatever must come, on however busy a machine
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}


@contextmanager
def started() -> Iterator[Browser]:
    """The browser, to which no host but loopback has an address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=packages.chromium(),
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """What a page asked for and complained of."""

    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def person(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Somebody with a browser of their own, who is at `url`.

    Fails if a page asked another host for anything, or if a script or the browser complained:
    what a page's policy forbids is such a complaint.
    """
    context = browser.new_context(**DESKTOP | options)
    context.set_default_timeout(PATIENCE_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched = Watched()
    context.on("request", lambda request: watched.hosts.add(urlsplit(request.url).netloc))
    context.on("console", lambda message: _note(watched, message))
    context.on("weberror", lambda error: watched.complaints.append(str(error.error)))
    context.on("dialog", lambda dialog: dialog.accept())
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()
    assert watched.hosts <= {urlsplit(url).netloc, ""}, watched.hosts
    assert not watched.complaints, watched.complaints


def _note(watched: Watched, message: Any) -> None:
    # An answer with an error's status, which a test may ask for, is told as one too.
    if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
        watched.complaints.append(message.text)
