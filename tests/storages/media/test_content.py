"""Media types and file names of objects."""

import pytest
from django.http import HttpResponse

from storages.client import ObjectInfo
from storages.media.content import disposition, media_type


def info(key: str, content_type: str = "") -> ObjectInfo:
    return ObjectInfo(key, 1, None, "", content_type)


@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("a/b.png", "", "image/png"),
        ("a/b.PNG", "binary/octet-stream", "image/png"),
        ("a/b.png", "application/octet-stream", "image/png"),
        ("a/b.png", "image/webp", "image/webp"),
        ("a/b", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("a/b.bin.xyz", "", "application/octet-stream"),
        ("noextension", "", "application/octet-stream"),
        ("a/b.jsonl", "", "application/x-ndjson"),
        ("a/b.wav", "", "audio/wav"),
        ("a/b.flac", "", "audio/flac"),
        ("a/b.mp4", "", "video/mp4"),
        ("a/b.webp", "", "image/webp"),
        ("a/b.jpg", "", "image/jpeg"),
        ("a/b.csv.gz", "", "application/gzip"),
        ("data:text/html,x.png", "", "image/png"),
        ("odd?name#x.png", "", "image/png"),
        ("a/b.png", "nonsense", "image/png"),
        ("a/b.png", "text/html\r\nSet-Cookie: a=b", "image/png"),
    ],
)
def test_the_media_type_is_the_storages_or_the_extensions(key, stored, expected):
    assert media_type(info(key, stored)) == expected


@pytest.mark.parametrize("key", ["a.png", "a.jpg", "a.mp4", "a.wav", "a.txt", "a.csv", "a.json"])
def test_passive_types_are_shown_inline(key):
    assert disposition(info(key)).startswith("inline")


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        ("a.html", ""),
        ("a.htm", ""),
        ("a.svg", ""),
        ("a.xml", ""),
        ("a.xhtml", ""),
        ("a.pdf", ""),
        ("a.js", ""),
        ("a.mhtml", ""),
        ("a.bin", ""),
        ("a.png", "text/html"),
        ("a.png", "TEXT/HTML; charset=utf-8"),
        ("a.png", "image/svg+xml"),
        ("a.png", "application/atom+xml"),
        ("a.png", "multipart/x-mixed-replace"),
    ],
)
def test_types_that_may_run_script_are_attachments(key, stored):
    assert disposition(info(key, stored)).startswith("attachment")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b c.png", 'inline; filename="b c.png"'),
        ('a/b"c.png', 'inline; filename="b\\"c.png"'),
        ("a/grün.png", "inline; filename*=utf-8''gr%C3%BCn.png"),
        ("a/..\\..\\b.png", 'inline; filename=".._.._b.png"'),
        ("a/b\r\nX: y.png", 'inline; filename="b__X: y.png"'),
        ("a/b\u202egnp.png", 'inline; filename="b_gnp.png"'),
        ("a/b\ud800.png", 'inline; filename="b_.png"'),
    ],
)
def test_the_file_name_is_safe_to_save_and_to_send(key, expected):
    header = disposition(info(key))
    assert header == expected
    HttpResponse(headers={"Content-Disposition": header})


def test_a_very_long_name_keeps_its_extension():
    assert disposition(info("x" * 5000 + ".png")).endswith('x.png"')
    assert len(disposition(info("x" * 5000 + ".png"))) < 300
