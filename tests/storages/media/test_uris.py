"""Where URIs are found in strings, and that every key survives the way into a link and back."""

import base64
import copy
from time import thread_time
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storages.media.uris import decode, encode, find, occurring, replace

SCHEMES = ("s3", "gs", "azure-blob", "dbx")

WHOLE = [
    "s3://b/k.png",
    "s3://b/a b.png",
    "s3://b/a?b#c%20d+e&f=g",
    "s3://b//double//slash",
    "s3://b/größe/日本.png",
    's3://b/it\'s "quoted" <x>.png',
    "s3://b/trailing.",
    "s3://b/s3://c/k",
    "gs://b/k",
    "azure-blob://c/k",
    "dbx://Volumes/main/default/v/k.png",
]
INSIDE = [
    ("see s3://b/k.jpg for more", ["s3://b/k.jpg"]),
    ("It is s3://b/k.jpg.", ["s3://b/k.jpg"]),
    ("Is it (s3://b/k.jpg)?", ["s3://b/k.jpg"]),
    ("![x](s3://b/k(1).png)", ["s3://b/k(1).png"]),
    ("both s3://b/1.png and gs://c/2.png", ["s3://b/1.png", "gs://c/2.png"]),
    ("s3://b/1.png, s3://b/2.png", ["s3://b/1.png", "s3://b/2.png"]),
    ("s3://b/1.png,s3://b/2.png", ["s3://b/1.png", "s3://b/2.png"]),
    ("s3://b/1.png\ns3://b/2.png", ["s3://b/1.png", "s3://b/2.png"]),
    ('<img src="s3://b/a b.png"/>', ["s3://b/a b.png"]),
    ("<img src='s3://b/a\"b.png'/>", ['s3://b/a"b.png']),
    ('<a href="s3://b/k?a=1&b=2">x</a>', ["s3://b/k?a=1&b=2"]),
    ('<img src="s3://b/1.png"><img src="s3://b/2.png">', ["s3://b/1.png", "s3://b/2.png"]),
    ("<img src=s3://b/1.png>", ["s3://b/1.png"]),
    ("<p>s3://b/1.png</p>", ["s3://b/1.png"]),
    ('srcset="s3://b/1.png 1x, s3://b/2.png 2x"', ["s3://b/1.png", "s3://b/2.png"]),
    ('{"u": "s3://b/k"}', ["s3://b/k"]),
    ('an open "s3://b/k quote', ["s3://b/k"]),
    ("`s3://b/k`", ["s3://b/k"]),
]
NOWHERE = [
    "",
    "text",
    "s3:/",
    "s3:/b/k",
    "s3 is great",
    "S3://b/k",
    "https3://b/k",
    "x-s3://b/k",
    "http://b/k",
    "s3://",
    "ftp://b/k",
]


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in find(text, SCHEMES)]


@pytest.mark.parametrize("uri", WHOLE)
def test_a_value_that_is_a_uri_keeps_every_character_of_its_key(uri):
    assert found(uri) == [uri]


@pytest.mark.parametrize("uri", WHOLE)
def test_blanks_around_a_value_that_is_a_uri_do_not_belong_to_it(uri):
    assert found(f" \n{uri}\t") == [uri]


@pytest.mark.parametrize(("text", "expected"), INSIDE)
def test_every_uri_inside_a_text_is_found(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize("text", NOWHERE)
def test_text_without_a_known_scheme_holds_no_uri(text):
    assert found(text) == []


def test_only_the_schemes_that_were_asked_for_are_found():
    assert find("s3://b/k", ()) == []
    assert find("s3://b/k", ("gs",)) == []


def test_lists_and_dicts_are_rewritten_at_any_depth_and_the_original_is_left_alone():
    data = {"s3://b/key": "s3://b/1", "n": [1, None, True, {"deep": ["<img src='s3://b/2'>", "text"]}]}
    before = copy.deepcopy(data)
    assert replace(data, SCHEMES, str.upper) == {
        "s3://b/key": "S3://B/1",
        "n": [1, None, True, {"deep": ["<img src='S3://B/2'>", "text"]}],
    }
    assert data == before
    assert sorted(occurring(data, SCHEMES)) == ["s3://b/1", "s3://b/2"]


def test_nesting_deeper_than_the_interpreters_stack_is_rewritten():
    data: object = "s3://b/k"
    for _ in range(5000):
        data = [data]
    result = replace(data, SCHEMES, str.upper)
    for _ in range(5000):
        result = result[0]
    assert result == "S3://B/K"
    assert list(occurring(data, SCHEMES)) == ["s3://b/k"]


HOSTILE = [
    "'s3://" * 10_000,
    '"s3://b/' + "a" * 100_000,
    "see s3://" + ")" * 100_000,
    "s3://b/ " * 10_000,
    "\"s3://b/a' " * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_searched_in_linear_time(text):
    started = thread_time()  # of this thread alone, however busy the machine is
    find(text, SCHEMES)
    assert thread_time() - started < 1


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_every_uri_survives_the_way_into_a_link_and_back(key):
    uri = "s3://bucket/" + key
    link = "/tasks/1/resolve/?fileuri=" + encode(uri)
    assert decode(parse_qs(urlsplit(link).query)["fileuri"][0]) == [uri]


@pytest.mark.parametrize("uri", WHOLE)
def test_fileuri_is_accepted_without_padding_in_the_standard_alphabet_and_as_plain_text(uri):
    raw = uri.encode()
    forms = [
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        base64.b64encode(raw).decode(),
        uri,
        quote(uri),
        quote(uri, safe=""),
    ]
    for form in forms:
        received = parse_qs(urlencode({"fileuri": form}))["fileuri"][0]
        assert uri in decode(received)


def test_padding_is_kept_in_links_as_label_studio_does():
    assert encode("s3://bucket/a.png") == "czM6Ly9idWNrZXQvYS5wbmc="


@pytest.mark.parametrize(
    "fileuri", ["", " ", "!!!", "abc", "aGVsbG8=", "////", "%%%", "/etc/passwd", "ÿþ", "=====", "czM6Ly\x00"]
)
def test_text_that_is_no_uri_in_any_form_decodes_to_nothing(fileuri):
    assert decode(fileuri) == []


@given(st.text())
def test_no_fileuri_breaks_the_decoder(fileuri):
    assert all("://" in uri for uri in decode(fileuri))
