"""Looking at a page as a person and as a machine: screenshots in both themes and two widths, axe-core, console, hosts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from axe_playwright_python.base import AXE_SCRIPT as AXE
from axe_playwright_python.base import AxeResults
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.server import RunningServer

SWITCHES = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
WIDTHS = {"wide": (1360, 900), "narrow": (360, 740)}  # CSS pixels
# WCAG 2.2 AA and everything below it, by axe-core's tags
RULES: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
# a theme changes colours alone, and colours do not change with the width
CONTRAST = RULES | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
SHAPE = RULES | {"rules": {"color-contrast": {"enabled": False}}}
CHECKED = {("wide", "light"): RULES, ("wide", "dark"): CONTRAST, ("narrow", "light"): SHAPE, ("narrow", "dark"): None}
EMAIL, PASSWORD = "sailor@harbour.example", "a-long-password-1"


@dataclass
class Visitor:
    """A browser page and what went wrong on it. ``may_fail``: console errors that a test provokes on purpose."""

    page: Page
    service: RunningServer
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    may_fail: bool = False
    allowed_hosts: set[str] = field(default_factory=set)

    def open(self, path: str) -> Page:
        self.page.goto(self.service.url + path)
        return self.page

    def sign_in(self) -> None:
        self.open("/user/login/")
        self.page.fill("input[name=username]", EMAIL)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("main [type=submit]")
        self.page.wait_for_url(lambda url: "/user/login" not in url)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an API call with the first user's token."""
        options = {} if body is None else {"json": body}
        headers = {"Authorization": f"Token {self.service.token}"}
        answer = urllib3.request(method, self.service.url + path, headers=headers, **options)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def glance(self, name: str, rules: dict[str, Any] | None = RULES) -> None:
        """The page as it is now: a screenshot (where $SCREENSHOTS says), axe-core, and nothing may stick out sideways."""
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
        if rules:
            if not self.page.evaluate("'axe' in window"):
                self.page.evaluate(AXE)
            found = AxeResults(self.page.evaluate("rules => axe.run(rules)", rules))
            assert found.violations_count == 0, f"{name}\n{found.generate_report()}"
        spill = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert spill <= 0, f"{name} is {spill} px too wide"

    def look(self, name: str) -> None:
        """A glance at the page wide and narrow, light and dark; colours are compared by machine where the page is wide."""
        before = self.page.viewport_size
        for width, (across, down) in WIDTHS.items():
            self.page.set_viewport_size({"width": across, "height": down})
            for scheme in ("light", "dark"):
                self.page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
                self.glance(f"{name}-{width}-{scheme}", CHECKED[width, scheme])
        self.page.set_viewport_size(before)
        self.page.evaluate("document.documentElement.dataset.theme = 'auto'")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a machine without it fails here (.ci/run installs it)."""
    assert (binary := shutil.which("chromium")), "chromium is missing: apt-get install chromium"
    # Playwright's loop runs in this thread, so that Django takes all that follows for asynchronous; none of it is
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=[*SWITCHES.split(), "--mute-audio"])
        yield browser
        browser.close()


@contextmanager
def visiting(service: RunningServer, browser: Browser, *, signed_in: bool = True, **options: Any) -> Iterator[Visitor]:
    """A visitor of ``service``. Fails at the end if the console told of an error or another host was asked."""
    across, down = WIDTHS["wide"]
    context = browser.new_context(**{"viewport": {"width": across, "height": down}} | options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    visitor = Visitor(page, service)
    page.on("console", lambda said: visitor.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    here = urlsplit(service.url).netloc

    def note(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme.startswith("http") and parts.netloc not in {here, *visitor.allowed_hosts}:
            visitor.elsewhere.append(url)

    page.on("request", lambda request: note(request.url))
    try:
        if signed_in:
            visitor.sign_in()
        yield visitor
        assert visitor.elsewhere == [], "another host was asked"
        assert visitor.may_fail or visitor.errors == [], visitor.errors
    finally:
        context.close()
