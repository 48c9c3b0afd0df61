"""What a real Chromium makes of media links: video and audio seek, images load both ways, no object runs a script."""

import io
import math
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
from playwright.sync_api import Browser, Page, Response, expect

from tests.e2e.server import RunningServer, running
from tests.fakes.s3 import S3Fake

CAP = 32768  # bytes of one range, so that no file here is read with less than four of them
WEBM = (Path(__file__).parent / "media" / "ships.webm").read_bytes()
SECONDS = {"video": 12, "audio": 10}
PIXELS = 3
SCRIPT = "document.title = 'the script ran'; parent.document.title = 'the script ran'"
ACTIVE = {
    "page.html": ("text/html", f"<!doctype html><title>still</title><script>{SCRIPT}</script>"),
    "drawing.svg": (
        "image/svg+xml",
        f'<svg xmlns="http://www.w3.org/2000/svg" width="3" height="3"><script>{SCRIPT}</script><rect width="3" height="3"/></svg>',
    ),
    "disguised.png": ("TEXT/HTML ; charset=utf-8", f"<!doctype html><title>still</title><script>{SCRIPT}</script>"),
    "twofold.png": ("image/png;,text/html", f"<!doctype html><title>still</title><script>{SCRIPT}</script>"),
    "feed": ("application/xhtml+xml", f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{SCRIPT}</script></html>'),
}
SHOWN = "twofold.png"  # as the image that it is not


class Stage(NamedTuple):
    """A signed-in page, and the link of each object by its name."""

    page: Page
    links: dict[str, str]
    answers: list[Response]

    def show(self, body: str) -> None:
        """``body`` on the server's origin, in place of a text that comes without the policy of our own pages."""
        self.page.goto("/static/users/site.css")
        self.page.evaluate("body => { document.body.innerHTML = body; document.title = 'still' }", body)


def sound(seconds: int) -> bytes:
    """A WAV file with a tone: 8,000 samples of 16 bits a second."""
    rate, file = 8000, io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        samples = (int(9000 * math.sin(n / 9)) for n in range(rate * seconds))
        writer.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


def picture() -> bytes:
    """A bitmap of 3 × 3 white pixels (BITMAPINFOHEADER, 24 bits, rows padded to 12 bytes)."""
    pixels = b"\xff" * 12 * PIXELS
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, PIXELS, PIXELS, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("watched"), "sqlite", RESOLVER_PROXY_MAX_RANGE_SIZE=str(CAP)) as service:
        yield service


@pytest.fixture
def stage(request: pytest.FixtureRequest, server: RunningServer, browser: Browser, s3: S3Fake) -> Iterator[Stage]:
    """Objects of every kind in a bucket, a task that shows them, a user who signed in by the form. Parameter: presign."""
    for name, (kind, text) in ACTIVE.items():
        s3.put("data", name, text.encode(), kind)
    s3.put("data", "ships.webm", WEBM, "video/webm")
    s3.put("data", "horn.wav", sound(SECONDS["audio"]), "audio/wav")
    s3.put("data", "white.bmp", picture(), "image/bmp")
    links = linked(server, s3, [*ACTIVE, "ships.webm", "horn.wav", "white.bmp"], presign=request.param)
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/user/login/")
    page.locator("input[name=email], input[name=username]").fill("sailor@harbour.example")
    page.locator("input[name=password]").fill("a-long-password-1")
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{server.url}/")
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    yield Stage(page, links, answers)
    context.close()


def linked(server: RunningServer, s3: S3Fake, names: list[str], *, presign: bool) -> dict[str, str]:
    """The resolver link of each object in a new project's task."""
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key, "s3_endpoint": s3.url, "bucket": "data"}
    project = post(server, "/api/projects/", {"title": "Watched"})["id"]
    post(server, "/api/storages/s3/", {"project": project, "presign": presign, **keys})
    data = {name: f"s3://data/{name}" for name in names}
    post(server, f"/api/projects/{project}/import", [{"data": data}])
    [task] = server.get(f"/api/tasks/?project={project}").json()["tasks"]
    return task["data"]


def post(server: RunningServer, route: str, body: Any) -> Any:
    answer = urllib3.request("POST", server.url + route, json=body, headers={"Authorization": f"Token {server.token}"})
    assert answer.status == 201, answer.data
    return answer.json()


PLAY = """async (element) => {
    const seen = [], told = (name) => new Promise((done, fail) => {
        element.addEventListener(name, done, {once: true});
        element.addEventListener("error", () => fail(new Error(`${name}: ${element.error && element.error.message}`)), {once: true});
    });
    if (element.readyState < 1) await told("loadedmetadata");
    for (const second of [element.duration - 1, 1, element.duration / 2]) {
        const sought = told("seeked");
        element.currentTime = second;
        await sought;
        if (element.readyState < 2) await told("canplay");
        seen.push([second, element.currentTime, element.readyState]);
    }
    element.muted = true;
    await element.play();
    const before = element.currentTime;
    while (element.currentTime === before) await new Promise((done) => setTimeout(done, 50));
    return {duration: element.duration, seen, width: element.videoWidth || 0};
}"""


@pytest.mark.parametrize("stage", [False], indirect=True, ids=["proxy"])
@pytest.mark.parametrize(("tag", "name"), [("video", "ships.webm"), ("audio", "horn.wav")])
def test_media_play_and_seek_in_both_directions_through_ranges(stage: Stage, tag: str, name: str) -> None:
    stage.show(f'<{tag} controls preload="auto" src="{stage.links[name]}"></{tag}>')
    played = stage.page.locator(tag).evaluate(PLAY)
    assert abs(played["duration"] - SECONDS[tag]) < 0.1
    for wanted, reached, ready in played["seen"]:
        assert abs(wanted - reached) < 0.05 and ready >= 2  # HAVE_CURRENT_DATA
    assert (played["width"] > 0) == (tag == "video")
    media = [answer for answer in stage.answers if "/resolve/" in answer.url]
    parts = [answer.headers["content-range"] for answer in media if answer.status == 206]
    assert len(parts) >= 3 and len(parts) == len(media), [(answer.status, answer.headers) for answer in media]
    assert any(not part.startswith("bytes 0-") for part in parts)
    assert all(int(answer.headers["content-length"]) <= CAP for answer in media)


@pytest.mark.parametrize("stage", [True, False], indirect=True, ids=["presigned", "proxy"])
def test_an_image_loads_from_the_bucket_by_a_redirect_and_through_the_proxy(
    stage: Stage, s3: S3Fake, request: pytest.FixtureRequest
) -> None:
    stage.show(f'<img alt="" src="{stage.links["white.bmp"]}">')
    image = stage.page.locator("img")
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") == PIXELS
    chain = [
        (answer.status, answer.url.startswith(s3.url))
        for answer in stage.answers
        if "white.bmp" in answer.url or "/resolve/" in answer.url
    ]
    presigned = "presigned" in request.node.name
    assert chain == ([(303, False), (200, True)] if presigned else [(200, False)])


@pytest.mark.parametrize("stage", [False], indirect=True, ids=["proxy"])
@pytest.mark.parametrize("name", ACTIVE)
def test_an_object_that_is_opened_runs_no_script_on_our_origin(stage: Stage, name: str) -> None:
    page, link = stage.page, stage.links[name]
    stage.show("")
    with page.expect_response(lambda answer: "/resolve/" in answer.url):
        page.evaluate("link => document.body.append(Object.assign(document.createElement('iframe'), {src: link}))", link)
    page.wait_for_timeout(200)  # a script would have run by now
    assert page.title() == "still"
    if name == SHOWN:
        page.goto(link)
    else:
        with page.expect_download():
            page.evaluate("link => { location = link }", link)
    assert "ran" not in page.title()
