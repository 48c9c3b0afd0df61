"""Media types and file names of objects."""

import pytest
from django.http import HttpResponse

from storages.client import ObjectInfo
from storages.media.content import coding, disposition, media_type
from storages.media.headers import described


def info(key: str, content_type: str = "", encoding: str = "") -> ObjectInfo:
    return ObjectInfo(key, 1, None, "", content_type, encoding)


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
        ("a/b.png", "image/webp ; a=1;b = 2", "image/webp"),
        ("a/b.png", "image/webp;,text/html", "image/webp"),
        ("a/b.png", "image/webp; a=b\r\nSet-Cookie: a=b", "image/webp"),
        ("a/b.png", "image/webp, text/html", "image/png"),
        ("a/b.mp4", 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"', 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'),
        ("a/b.txt", "text/html;", "text/html;"),
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
        ("a.js", ""),
        ("a.mhtml", ""),
        ("a.bin", ""),
        ("a.png", "text/html"),
        ("a.png", "TEXT/HTML; charset=utf-8"),
        ("a.png", "image/svg+xml"),
        ("a.png", "application/atom+xml"),
        ("a.png", "multipart/x-mixed-replace"),
        ("a.png", "multipart/x-mixed-replace; boundary=text/plain"),
        ("a.svgz", ""),
        ("a.SVG", ""),
        ("a.HTML", "application/octet-stream"),
        ("a.html", "nonsense"),
        ("a.html", ", image/png"),
        ("a.wasm", ""),
        ("a.txt", "text/html;"),
        ("a.txt", "\ttext/html  ;charset=utf-8"),
        ("a.txt", "text/html\t"),
        ("a.txt", "tExT/hTmL"),
        ("a.png", "Image/SVG+XML; charset=utf-8"),
        ("a.png", "image/svg"),
        ("a.png", "application/xhtml+xml; charset=utf-8"),
        ("a.png", "text/xml"),
        ("a.png", "application/xml;x=y"),
        ("a.png", "text/xsl"),
        ("a.png", "text/javascript"),
        ("a.png", "application/javascript"),
        ("a.pdf", "text/html"),
        ("a.pdf", "application/pdf+xml"),
        ("a.png", "application/wasm"),
        ("a.png", "message/rfc822"),
        ("a.png", "text/cache-manifest"),
        ("a.png", "application/x-shockwave-flash"),
    ],
)
def test_types_that_may_run_script_are_attachments_in_a_sandbox(key, stored):
    assert disposition(info(key, stored)).startswith("attachment")
    answer = described(HttpResponse(), info(key, stored), 1)
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"  # no allow-scripts, no allow-same-origin
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("key", "stored"),
    [("a.pdf", ""), ("a.PDF", "binary/octet-stream"), ("a.png", "application/pdf"), ("a", "Application/PDF; x=y,text/html")],
)
def test_a_pdf_is_shown_in_frames_of_our_own_pages_and_can_be_nothing_else(key, stored):
    answer = described(HttpResponse(), info(key, stored), 1)
    assert answer["Content-Type"] == "application/pdf" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("inline")
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'self'"
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


def test_whatever_is_no_pdf_is_left_to_the_refusal_of_all_frames():
    assert "X-Frame-Options" not in described(HttpResponse(), info("a.png"), 1)


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("aws-chunked", ""),
        ("identity", ""),
        ("aws-chunked,gzip", "gzip"),
        ("GZIP , br", "gzip, br"),
        ("gz ip", ""),
        ("gzip\r\nSet-Cookie: a=b", ""),
        ("gzip,,br", ""),
    ],
)
def test_only_codings_of_the_bytes_themselves_are_told(stored, sent):
    assert coding(info("a.txt", encoding=stored)) == sent
    assert described(HttpResponse(), info("a.txt", encoding=stored), 1).get("Content-Encoding", "") == sent


@pytest.mark.parametrize(
    ("key", "encoding", "expected"),
    [("a.csv.gz", "gzip", "text/csv"), ("a.csv.gz", "", "application/gzip"), ("a.svgz", "gzip", "image/svg+xml")],
)
def test_a_compressed_name_has_the_inner_type_where_the_coding_is_told_beside_it(key, encoding, expected):
    assert media_type(info(key, encoding=encoding)) == expected


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
        ("a/b\u200f\u2066gnp.png", 'inline; filename="b__gnp.png"'),
        ("a/b\0c\x7f.png", 'inline; filename="b_c_.png"'),
        ("a/back\\slash.png", 'inline; filename="back_slash.png"'),
        ("a/日本 .png", "inline; filename*=utf-8''%E6%97%A5%E6%9C%AC%20.png"),
        ("a/folder.png/", 'inline; filename="folder.png"'),
    ],
)
def test_the_file_name_is_safe_to_save_and_to_send(key, expected):
    header = disposition(info(key))
    assert header == expected
    HttpResponse(headers={"Content-Disposition": header})


def test_a_very_long_name_keeps_its_extension():
    assert disposition(info("x" * 5000 + ".png")).endswith('x.png"')
    assert len(disposition(info("x" * 5000 + ".png"))) < 300
