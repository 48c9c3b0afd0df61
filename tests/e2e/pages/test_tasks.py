"""The table of tasks and the page of one task, with real media, in both themes and widths."""

import io
import math
import re
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.pages.looking import Visitor
from tests.e2e.server import until
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture

WEBM = (Path(__file__).parents[1] / "media" / "ships.webm").read_bytes()
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp" + "x" * 700


def png(red: int, green: int, blue: int, side: int = 96) -> bytes:
    """A picture of one colour (PNG specification §5: signature, IHDR, IDAT, IEND)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def horn() -> bytes:
    """One second of sound: 8,000 samples of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 9))) for n in range(8000)))
    return file.getvalue()


def pdf() -> bytes:
    """A page with two words (ISO 32000-1 §7.5: header, body, cross-reference table, trailer)."""
    text = b"BT /F1 24 Tf 40 80 Td (Hello harbour) Tj ET"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 144]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    stream = b"<</Length %d>>stream\n%s\nendstream" % (len(text), text)
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    parts, offsets = b"%PDF-1.4\n", []
    kids = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    for number, body in enumerate([b"<</Type/Catalog/Pages 2 0 R>>", kids, page, stream, font], 1):
        offsets.append(len(parts))
        parts += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return parts + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(parts)


class Harbour:
    """A project whose bucket has objects of every kind."""

    def __init__(self, visitor: Visitor, s3: S3Fake, *, presign: bool) -> None:
        for number, colour in enumerate(((30, 90, 160), (200, 120, 40), (40, 140, 90))):
            s3.put("data", f"ships/{number}.png", png(*colour), "image/png")
        s3.put("data", "horn.wav", horn(), "audio/wav")
        s3.put("data", "ships.webm", WEBM, "video/webm")
        s3.put("data", "manual.pdf", pdf(), "application/pdf")
        s3.put("data", "log.txt", b"05:00 calm sea\n06:00 <script>document.title='ran'</script>\n", "text/plain")
        s3.put("data", "berths.json", b'{"berths": [1, 2, 3]}', "application/json")
        s3.put("data", "torn.png", b"no picture at all", "image/png")
        self.visitor, keys = visitor, {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
        self.project = visitor.api("POST", "/api/projects/", {"title": "Harbour"})["id"]
        settings = {"project": self.project, "title": "Pier", "bucket": "data", "s3_endpoint": s3.url, "presign": presign}
        self.storage = visitor.api(
            "POST", "/api/storages/s3/", settings | keys | {"use_blob_urls": True, "recursive_scan": True}
        )["id"]
        s3.create_bucket("target")
        out = settings | keys | {"title": "Lagoon", "bucket": "target"}
        del out["presign"]
        visitor.api("POST", "/api/storages/export/s3", out)

    def sync(self) -> list[int]:
        self.visitor.api("POST", f"/api/storages/s3/{self.storage}/sync")
        route = f"/api/storages/s3/{self.storage}"
        until(lambda: self.visitor.api("GET", route)["status"].startswith("completed"), 20, "the sync has ended")
        return self.add()

    def add(self, *data: dict[str, Any]) -> list[int]:
        if data:
            self.visitor.api("POST", f"/api/projects/{self.project}/import", [{"data": one} for one in data])
        tasks = self.visitor.api("GET", f"/api/tasks/?project={self.project}&page_size=100")["tasks"]
        return sorted(task["id"] for task in tasks)

    @property
    def path(self) -> str:
        return f"/projects/{self.project}/data"


@pytest.fixture
def harbour(visitor: Visitor, s3: S3Fake, request: pytest.FixtureRequest) -> Iterator[Harbour]:
    made = Harbour(visitor, s3, presign=getattr(request, "param", True))
    visitor.allowed_hosts.add(s3.url.removeprefix("http://"))
    yield made
    visitor.api("DELETE", f"/api/projects/{made.project}/")


def everything() -> dict[str, str]:
    names = {"image": "ships/0.png", "sound": "horn.wav", "film": "ships.webm", "manual": "manual.pdf", "log": "log.txt"}
    return {key: f"s3://data/{name}" for key, name in (names | {"berths": "berths.json"}).items()} | {"note": "Seen at dawn."}


@pytest.mark.parametrize("harbour", [True, False], indirect=True, ids=["presigned", "proxy"])
def test_every_kind_of_media_is_shown_whichever_way_it_comes(harbour: Harbour, request: pytest.FixtureRequest) -> None:
    task = harbour.add(everything())[0]
    visitor, page = harbour.visitor, harbour.visitor.open(f"{harbour.path}/{task}")
    expect(page.locator("figure img")).to_have_js_property("naturalWidth", 96)
    for tag in ("audio", "video"):
        page.wait_for_function(f"document.querySelector('figure {tag}').readyState >= 1")
        assert page.locator(f"figure {tag}").evaluate("player => player.duration > 0.5")
    frame = page.locator("figure iframe")
    expect(frame).to_be_visible()
    expect(frame).to_have_attribute("src", re.compile("/resolve/"))
    document = until(
        lambda: next((one for one in page.frames if one.parent_frame and one.url != "about:blank"), None), 10, "the PDF"
    )
    assert not document.url.startswith("chrome-error:"), "the frame was refused"
    expect(page.get_by_role("link", name="Open manual in a new tab")).to_have_attribute("target", "_blank")
    page.get_by_text("berths", exact=True).first.scroll_into_view_if_needed()
    expect(page.locator("figure pre", has_text="calm sea")).to_contain_text("<script>document.title='ran'</script>")
    expect(page.locator("figure pre", has_text="berths")).to_be_visible()
    assert page.title() != "ran" and page.locator("[data-broken]:visible").count() == 0
    visitor.look(f"task-{request.node.callspec.id}")


def test_the_table_is_searched_and_paged_by_keyboard_and_the_back_button_works(harbour: Harbour) -> None:
    pictures = [{"image": f"s3://data/ships/{number % 3}.png"} for number in range(22)]
    kinds = [{"text": "A calm sea, and " + "water " * 40}, {"sound": "s3://data/horn.wav"}, {"film": "s3://data/ships.webm"}]
    assert len(harbour.sync()) == 9
    ids = harbour.add(*kinds, everything(), {"manual": "s3://data/manual.pdf"}, {HOSTILE: HOSTILE}, *pictures)
    body = {"result": [{"type": "choices", "value": {"choices": ["ship"]}, "from_name": "a", "to_name": "b"}]}
    harbour.visitor.api("POST", f"/api/tasks/{ids[1]}/annotations/", body)
    page = harbour.visitor.open(harbour.path)
    expect(page.locator("tbody tr")).to_have_count(30)
    expect(page.locator(".thumb img").first).to_have_js_property("naturalWidth", 96)
    harbour.visitor.look("tasks")
    page.get_by_role("link", name="Next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(7)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(30)
    page.get_by_label("Annotations").select_option("yes")
    page.get_by_label("File name contains").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "annotated=yes" in page.url
    expect(page.get_by_label("Annotations")).to_have_value("yes")
    page.get_by_role("link", name=str(ids[1]), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task {ids[1]}")
    expect(page.locator("#source-title")).to_be_visible()
    until(lambda: page.reload() and page.locator(".exports .badge.good").count(), 10, "the annotation is exported")
    page.locator("summary", has_text="Annotation").click()
    expect(page.get_by_label("Result of annotation")).to_contain_text("ship")
    harbour.visitor.look("task-annotated")
    page.get_by_role("link", name=f"Task {ids[2]}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task {ids[2]}")
    page.go_back()
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("File name contains").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No task matches")).to_be_visible()
    harbour.visitor.look("tasks-none-found")


def test_media_that_do_not_load_are_replaced_by_words_that_say_why(harbour: Harbour) -> None:
    harbour.visitor.may_fail = True  # Chromium logs each 404
    names = ("lost.png", "torn.png", "lost.wav", "lost.pdf", "lost.txt")
    task = harbour.add({name: f"s3://data/{name}" for name in names} | {"far": "s3://elsewhere/1.png"})[0]
    page = harbour.visitor.open(f"{harbour.path}/{task}")
    for name in names[:4]:
        expect(page.locator("figure", has_text=name).locator("[data-broken]")).to_be_visible()
    expect(page.locator("figure", has_text="lost.wav")).to_contain_text("still exists")
    expect(page.locator("figure", has_text="torn.png")).to_contain_text("damaged")
    expect(page.locator("figure", has_text="lost.txt")).to_contain_text("does not exist")
    expect(page.locator("figure", has_text="s3://elsewhere").or_(page.locator("figure", has_text="far"))).to_contain_text(
        "No storage"
    )
    harbour.visitor.look("task-broken")
    page = harbour.visitor.open(harbour.path)
    expect(page.get_by_text("Not loaded")).to_be_visible()
    harbour.visitor.look("tasks-broken")


@pytest.mark.parametrize("harbour", [False], indirect=True, ids=["proxy"])
def test_a_proxied_picture_that_is_gone_says_so_in_the_resolvers_own_words(harbour: Harbour) -> None:
    harbour.visitor.may_fail = True
    page = harbour.visitor.open(f"{harbour.path}/{harbour.add({'image': 's3://data/lost.png', 'torn': 's3://data/torn.png'})[0]}")
    expect(page.locator("figure", has_text="lost.png")).to_contain_text("s3://data/lost.png does not exist")
    expect(page.locator("figure", has_text="torn.png")).to_contain_text("damaged")


def test_an_empty_project_and_a_hostile_task_keep_their_layout(harbour: Harbour) -> None:
    harbour.visitor.open(harbour.path)
    harbour.visitor.look("tasks-empty")
    deep: Any = "bottom"
    for _ in range(90):
        deep = [deep]
    task = harbour.add({HOSTILE: HOSTILE, "deep": deep, "long": "sea" * 300_000, "url": "javascript:alert(1)"})[0]
    page = harbour.visitor.open(f"{harbour.path}/{task}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task {task}")
    harbour.visitor.look("task-hostile")
    harbour.visitor.open(harbour.path)
    harbour.visitor.look("tasks-hostile")
