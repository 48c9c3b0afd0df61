"""The quick way through a listing finds what the XML parser finds, or leaves the listing to it."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storages.errors import ConfigInvalid
from storages.providers.aws import listing as s3
from storages.providers.azure import listing as azure
from tests.benchmarks.plane_answers import _azure

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
TIMES = ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05+02:00", "yesterday", "")
CHARACTERS = st.sampled_from(["a", "/", "%41", "%2B", "+", "%0A", "%E6", "%97", "é", "日", " ", "&amp;", "&#10;", "&", "<", ">", "]]>", '"', "'", "\r\n", "\t",
     "\x01", "\ufffe", "\u200b", "%", "<!-- -->", "<Key>", "</Key>", "</Contents>", "<Contents>", "<x/>"])  # fmt: skip
TEXT = st.lists(CHARACTERS, max_size=6).map("".join)
QUOTES = st.sampled_from(["", '"', "&quot;", "&#34;", "&apos;", '""'])
EXTRA = st.sampled_from(
    ["", "<StorageClass>STANDARD</StorageClass>", "<StorageClass/>", "<Owner><ID>7</ID><DisplayName>me</DisplayName></Owner>"]
)


@st.composite
def contents(draw: Callable[..., Any]) -> str:
    quote, etag = draw(QUOTES), draw(st.sampled_from(["abc-2", "", "a&quot;b", "é"]))
    size = draw(st.sampled_from(["0", "12", "00012", "", "-1", "x", "9" * 30, "٣"]))
    time = draw(st.sampled_from(TIMES))
    middle = draw(st.sampled_from(["", "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"]))
    parts = [f"<Key>{draw(TEXT)}</Key>", f"<LastModified>{time}</LastModified>", f"<ETag>{quote}{etag}{quote}</ETag>{middle}"]
    parts += [f"<Size>{size}</Size>", draw(EXTRA)]
    return f"<Contents>{''.join(draw(st.sampled_from([parts, parts[::-1]])))}</Contents>"


@st.composite
def documents(draw: Callable[..., Any]) -> bytes:
    """Listings of S3 of all sorts, most of them broken in some way."""
    between = draw(st.sampled_from(["", "\n", "<!-- x -->", "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"]))
    inner = between.join(draw(st.lists(contents(), min_size=1, max_size=4)))
    before = draw(st.sampled_from(["", "<Name>n</Name>", "<!--", "<![CDATA[", "<?x ", "<Name>", '<Name a="']))
    after = draw(st.sampled_from(["", "<IsTruncated>true</IsTruncated>", "-->", "]]>", "?>", "</Name>", '"></Name>', "<Name/>"]))
    head = draw(
        st.sampled_from(
            [HEAD, "<ListBucketResult>", "\ufeff" + HEAD, HEAD.replace("UTF-8", "ISO-8859-1"), "", "<!DOCTYPE a>" + HEAD]
        )
    )
    end = draw(st.sampled_from(["</ListBucketResult>", "", "</ListBucketResult>\n", "</ListBucketResult><a/>"]))
    return f"{head}{before}{inner}{after}{end}".encode("utf-8", "surrogatepass")


def outcome(parse: Callable[[bytes], Any], body: bytes) -> Any:
    """What ``parse`` makes of ``body``, or that it takes it for no listing."""
    try:
        return parse(body)
    except (KeyError, ValueError, ConfigInvalid):
        return "no listing"


@settings(deadline=None)
@given(body=documents())
def test_a_listing_of_s3_reads_the_same_in_both_ways(body):
    assert outcome(s3.parse_list, body) == outcome(s3.parse_any, body)


@settings(deadline=None)
@given(keys=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5), data=st.data())
def test_any_key_of_a_well_formed_listing_is_told_by_both(keys, data):
    encode = data.draw(
        st.sampled_from([lambda key: escape(key), lambda key: s3_encoded(key), lambda key: s3_encoded(key).replace("%20", "+")])
    )
    rows = [
        f"<Contents><Key>{encode(key)}</Key><LastModified>{TIMES[0]}</LastModified><ETag>&quot;1&quot;</ETag><Size>1</Size></Contents>"
        for key in keys
    ]
    body = f"{HEAD}{''.join(rows)}</ListBucketResult>".encode()
    assert outcome(s3.parse_list, body) == outcome(s3.parse_any, body)


def s3_encoded(key: str) -> str:
    from urllib.parse import quote

    return quote(key, safe="/~")


def test_the_usual_listing_takes_the_quick_way(monkeypatch):
    row = f"<Contents><Key>a%2Bb+c/1</Key><LastModified>{TIMES[0]}</LastModified><ETag>&quot;1-2&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
    body = f"{HEAD}<IsTruncated>false</IsTruncated>{row * 3}<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>".encode()
    wanted = s3.parse_any(body)
    monkeypatch.setattr(s3, "parse_any", lambda rest: empty_of(rest, s3.parse_any, b"<Contents>", monkeypatch))
    assert s3.parse_list(body) == wanted


def empty_of(rest: bytes, _: Any, entry: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Undoes the patch and parses what must hold no entry any more."""
    assert entry not in rest
    monkeypatch.undo()
    return (s3 if entry == b"<Contents>" else azure).parse_any(rest)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("img00000001", "é日 %41"),
        lambda text: text.replace("img00000001", "a&amp;b"),
        lambda text: text.replace("<Blob><Name>images/img00000001.jpg</Name>", '<Blob><Name Encoded="true">a%EF%BF%BE</Name>'),
        lambda text: text.replace(
            "<Etag>0x8DE49A1B2C3D4E5</Etag>", '<Etag>"0x8"</Etag><ResourceType>directory</ResourceType>', 1
        ),
        lambda text: text.replace("<BlobType>", "<ResourceType>directory</ResourceType><BlobType>", 2),
        lambda text: text.replace("<ServerEncrypted>true</ServerEncrypted>", "<ServerEncrypted/>"),
        lambda text: text.replace("<OrMetadata />", "<Metadata><Name>x</Name></Metadata><OrMetadata />"),
        lambda text: text.replace("02 Jan 2026", "02 Foo 2026"),
        lambda text: text.replace("</Blob><Blob>", "</Blob> <Blob>"),
        lambda text: text.replace("</Blob><Blob>", "</Blob><BlobPrefix><Name>p/</Name></BlobPrefix><Blob>", 1),
        lambda text: text.replace("images/img00000001.jpg", "images/folder/"),
        lambda text: text.replace("<Content-Length>1024<", "<Content-Length>x<", 1),
    ],
)
def test_a_listing_of_azure_reads_the_same_in_both_ways(change):
    body = change(_azure(0, 5).decode()).encode()
    assert outcome(azure.parse_list, body) == outcome(azure.parse_any, body)


def test_the_usual_listing_of_azure_takes_the_quick_way(monkeypatch):
    body = _azure(0, 5)
    wanted = azure.parse_any(body)
    monkeypatch.setattr(azure, "parse_any", lambda rest: empty_of(rest, azure.parse_any, b"<Blob>", monkeypatch))
    assert azure.parse_list(body) == wanted and len(wanted.objects) == 5
