"""A foreign site against our pages, and hostile names in them, in a browser that would run what is not kept from running."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.looking import Visitor
from tests.e2e.server import until
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture

NAMES = ("<img src=x onerror=document.title='ran'>", "<script>document.title='ran'</script>")
TAILS = {".png": b"no picture", ".json": b"{"}  # an object for a task, a file that is an issue
LONG = 1024 - 64  # bytes of a key; S3 allows 1,024


@contextmanager
def site(page: str) -> Iterator[str]:
    """The origin of a foreign site that shows ``page`` at every path. It differs in the port alone, so cookies are sent along."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *said: object) -> None:
            """The test's output is not the place."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def harbour(visitor: Visitor, s3: S3Fake) -> tuple[int, dict[str, int]]:
    """A project with a hostile title and two synced sources of hostile keys: of files (.png), and of tasks (.json) that are broken."""
    for name in NAMES:
        for tail, body in TAILS.items():
            s3.put("data", f"{name}\u202e{'k' * (LONG - len(name) - 8)}{tail}", body)
    project = visitor.api("POST", "/api/projects/", {"title": NAMES[0]})["id"]
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key, "s3_endpoint": s3.url, "bucket": "data"}
    shared = keys | {"project": project, "title": NAMES[1], "recursive_scan": True, "presign": False}
    sources = {}
    for tail in TAILS:
        wanted = {"regex_filter": rf".*\{tail}", "use_blob_urls": tail == ".png"}
        pk = sources[tail] = visitor.api("POST", "/api/storages/s3", shared | wanted)["id"]
        visitor.api("POST", f"/api/storages/s3/{pk}/sync")
    for pk in sources.values():
        until(
            lambda pk=pk: visitor.api("GET", f"/api/storages/s3/{pk}")["status"].startswith("completed"), 20, "the sync has ended"
        )
    return project, sources


def check_shown(page: Page, *wanted: str) -> None:
    """Each hostile text is there to be read, and nothing came of it."""
    for text in wanted:
        expect(page.locator("main").get_by_text(text).locator("visible=true").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("[...document.scripts].filter(one => !one.src && one.type !== 'application/json').length") == 0
    assert page.title() != "ran"


def test_hostile_names_are_text_on_every_page_that_shows_them(visitor: Visitor, harbour: tuple[int, dict[str, int]]) -> None:
    project, sources = harbour
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.open("/projects")
    check_shown(page, NAMES[0])
    home = f"/projects/{project}/settings/storage"
    check_shown(visitor.open(home), NAMES[1])
    visitor.open(f"{home}/source/s3/{sources['.png']}/edit")
    visitor.open(page.url.removeprefix(visitor.service.url).replace("/connection", "/settings"))
    page.get_by_role("button", name="Load preview").click()
    expect(page.locator(".objects .key")).to_have_count(2)
    check_shown(page, *NAMES)
    run = visitor.api("GET", f"/api/storages/s3/{sources['.json']}")["last_run"]
    check_shown(visitor.open(f"{home}/source/s3/{sources['.json']}/runs/{run}"), *NAMES)
    check_shown(visitor.open(f"/projects/{project}/data"), *NAMES)
    page.locator("main td a").first.click()
    page.wait_for_url(f"**/projects/{project}/data/*")
    check_shown(page, NAMES[0])
    assert [url for url in asked if url.endswith("/x")] == []


def test_a_foreign_page_cannot_show_ours_in_a_frame(visitor: Visitor) -> None:
    visitor.may_fail = True  # Chromium tells why the frame stays empty
    framed = [f"{visitor.service.url}{path}" for path in ("/projects", "/user/login/", "/user/account")]
    with site("".join(f'<iframe src="{url}"></iframe>' for url in framed)) as foreign:
        visitor.allowed_hosts.add(foreign.split("/")[2])
        visitor.page.goto(foreign)
        frames = visitor.page.frames[1:]
        assert [frame.url for frame in frames] == ["chrome-error://chromewebdata/"] * len(framed)
        assert not any("Quayside" in frame.content() for frame in frames)
    assert sum("frame" in said for said in visitor.errors) >= len(framed), visitor.errors


def test_a_foreign_page_cannot_post_to_our_forms_nor_read_them(visitor: Visitor) -> None:
    visitor.may_fail = True  # Chromium logs the refusals
    project = visitor.api("POST", "/api/projects/", {"title": "Harbour"})["id"]
    path = f"/projects/{project}/settings"
    form = f'<form method="post" action="{escape(visitor.service.url + path)}"><input name="title" value="Taken over"><button></form>'
    with site(form) as foreign:
        visitor.allowed_hosts.add(foreign.split("/")[2])
        page = visitor.page
        page.goto(foreign)
        read = "url => fetch(url, {credentials: 'include'}).then(answer => answer.text(), () => 'kept away')"
        assert page.evaluate(read, visitor.service.url + path) == "kept away"
        with page.expect_request(lambda request: request.method == "POST") as sent, page.expect_navigation() as came:
            page.locator("button").click()
    assert "sessionid=" in sent.value.all_headers()["cookie"], "without the session nothing was tried"
    assert came.value.status == 403
    expect(page.locator("main")).to_contain_text("did not come from this server")
    assert visitor.api("GET", f"/api/projects/{project}/")["title"] == "Harbour"
