"""Import Settings & Preview: the first objects, why others are left out, thumbnails, and what hostile names do not do."""

import json

import pytest

from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def person(alice, project, s3_settings) -> Person:
    """Behind a connection that works."""
    person = Person(alice, project).begin("s3")
    filled = {name: value for name, value in s3_settings.items() if name != "project"}
    assert person.post("connection", **filled).status_code == 302
    return person


def test_a_preview_shows_keys_sizes_pictures_and_more_on_demand(person, s3):
    for number in range(30):
        s3.put("data", f"ships/{number:02}.png", b"pixels" * 1000, "image/png")
    page = person.post("preview", use_blob_urls="True", prefix="ships").content.decode()
    assert page.count('class="thumbnail"') == 24 and "ships/00.png" in page and "5.9" in page
    assert "thumbnail?key=ships%2F00.png" in page and "preview?shown=24" in page
    more = person.post("preview?shown=24").content.decode()
    assert more.count('class="thumbnail"') == 6 and "ships/29.png" in more and "Load more" not in more


def test_why_objects_are_left_out_is_counted_by_reason(person, s3):
    for key in ("a.png", "b.png", "notes.txt", "deep/c.png"):
        s3.put("data", key, b"pixels")
    person.post("preview", use_blob_urls="True", regex_filter=".*png")
    page = person.page("left-out")
    assert "2 new objects" in page and "1 left out" in page and "notes.txt" in page and "File Name Filter" in page
    assert "Some left out" in page and "deep/" in page and "sub-folders" in page


def test_nothing_found_and_a_failing_storage_are_told(person, s3):
    page = person.post("preview", use_blob_urls="True").content.decode()
    assert "No objects were found." in page
    s3.refuse_all()
    page = person.post("preview", use_blob_urls="True", prefix="other").content.decode()
    assert "No objects were found." not in page and 'class="banner error"' in page


def test_a_broken_filter_is_told_beside_its_field_and_nothing_is_listed(person, s3):
    before = len(s3.requests)
    page = person.post("preview", use_blob_urls="True", regex_filter="([").content.decode()
    assert "Not a regular expression" in error_of(page, "regex_filter") and 'value="(["' in page
    assert len(s3.requests) == before


def test_a_prefix_that_holds_nothing_is_found_out_before_the_review(person, s3):
    answer = person.post("settings", use_blob_urls="True", prefix="no/such")
    assert answer.status_code == 200 and "no object lies under this prefix" in answer.content.decode()


def test_the_first_task_is_read_from_a_task_file(person, s3):
    s3.put("data", "tasks.jsonl", json.dumps({"data": {"image": "s3://data/a.png"}, "annotations": [{"result": []}]}).encode())
    person.post("settings", use_blob_urls="False")
    page = person.page("summary")
    assert "Made from" in page and "tasks.jsonl" in page and "with 1 annotation" in page and "s3://data/a.png" in page
    s3.put("data", "tasks.jsonl", b"{not json")
    assert "The first object gives no task" in person.page("summary")


def test_hostile_names_do_no_harm(person, s3):
    for key in (HOSTILE, "\u202egnp.exe.png", "x" * 1000 + ".png"):
        s3.put("data", key, b"pixels")
    page = person.post("preview", use_blob_urls="True").content.decode()
    assert f'title="{"x" * 1000}.png"' in page, "keys are cut to two lines, and whole when pointed at"
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;.png" in page
    assert "<img src=x" not in person.page("summary") and "<img src=x" not in person.page("left-out")


def picture(person, key):
    return person.client.get(f"{person.draft}/thumbnail", {"key": key})


def test_a_thumbnail_is_the_object_with_the_headers_of_media(person, s3):
    s3.put("data", "a b/ü.png", b"pixels", "image/png")
    person.post("preview", use_blob_urls="True", prefix="a b")
    answer = picture(person, "a b/ü.png")
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, b"pixels")
    assert answer["Content-Type"] == "image/png" and answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"] and answer["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("key", "kind", "body"),
    [
        ("in/page.html", "text/html", b"<script>"),
        ("in/vector.svg", "image/svg+xml", b"<svg/>"),
        ("in/lying.png", "text/html", b"<script>"),
        ("outside.png", "image/png", b"pixels"),
        ("in/../outside.png", "image/png", b"pixels"),
        ("in/deep/a.png", "image/png", b"pixels"),
        ("in/huge.png", "image/png", b"x" * (8 * 1024**2 + 1)),
        ("in/missing.png", "", None),
        ("in/\x00.png", "", None),
        ("", "", None),
    ],
)
def test_nothing_else_comes_as_a_thumbnail(person, s3, key, kind, body):
    s3.put("data", "in/ok.png", b"pixels", "image/png")
    if body is not None:
        s3.put("data", key, body, kind)
    person.post("preview", use_blob_urls="True", prefix="in")
    assert picture(person, key).status_code == 404
    assert picture(person, "in/ok.png").status_code == 200
