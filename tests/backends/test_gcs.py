"""Cloud Storage: listings, bytes, permissions and classes of failure."""

import gzip
import itertools
import json
import time
from urllib.parse import parse_qs

import pytest

from storages.client import ObjectInfo
from storages.errors import (
    AccessDenied,
    BadCredentials,
    ConfigInvalid,
    NotFound,
    Throttled,
    TimedOut,
    Unavailable,
)
from tests.backends.boxes.gcs_fixtures import asked, failure
from tests.backends.boxes.gcs_fixtures import gcs as gcs  # noqa: F401 - the fixture
from tests.fakes.wire import Response, Server

PAGE = {"items": [{"name": "a", "size": "1", "updated": "2026-01-02T03:04:05.678Z", "generation": "7", "contentType": "x/y"}]}


def names(pages):
    return [item.key for page in pages for item in page.objects]


def answering(settings, status, body):
    """A server that answers everything the same, in the place of Cloud Storage."""
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    server = Server(lambda request: Response(status, headers, body))
    settings.GCS_API_ENDPOINT = server.url
    return server


def test_a_listing_asks_for_the_next_page_and_for_little_else(gcs):
    for number in range(9):
        gcs.put(f"p/{number}", b"x")
    pages = list(gcs.client("p/").list(recursive=True))
    assert (len(pages), names(pages), pages[-1].cursor) == (3, [f"p/{number}" for number in range(9)], "")
    query = parse_qs(asked(gcs, "storage")[0].query)
    assert query["fields"] == ["items(name,size,updated,generation,contentType),nextPageToken"]
    assert (query["prefix"], query["maxResults"]) == (["p/"], ["1000"])


@pytest.mark.parametrize("recursive", [True, False])
def test_every_cursor_resumes_behind_what_was_seen(gcs, recursive):
    for name in ("c/", "c/a", "c/b/1", "c/b/2", "c/b-1", "c/c/", "c/d", "c/ü", "c/z/9", "c/😀", "c/y"):
        gcs.put(name, b"x")
    gcs.fake.page_cap = 2
    pages = list(gcs.client("c/").list(recursive=recursive))
    wanted = ["c/a", "c/b-1", "c/b/1", "c/b/2", "c/d", "c/y", "c/z/9", "c/ü", "c/😀"]
    assert names(pages) == [name for name in wanted if recursive or name.count("/") == 1]
    for number, page in enumerate(pages[:-1]):
        rest = gcs.client("c/").list(recursive=recursive, after=page.cursor)
        assert names(pages[: number + 1]) + names(rest) == names(pages)


def test_the_generation_is_the_validator_of_list_stat_and_open(gcs):
    client = gcs.client()
    [page] = client.list(recursive=True)
    with client.open("a.png", 2, 3) as stream:
        assert page.objects[0].etag == client.stat("a.png").etag == stream.info.etag == "1700000000000001"


@pytest.mark.parametrize(
    "body",
    [b"<html>sign in</html>", b"[]", b'{"items": [{"name": "a"}]}', b'{"items": 5}', b'{"items": [{}]}', b'"x"', b"[" * 50_000,
     b'{"items": [], "nextPageToken": 5}', b'{"items": [{"name":"a","size":"x","updated":"2026-01-02T03:04:05Z","generation":"1"}]}'],
)  # fmt: skip
def test_an_answer_that_is_no_listing_is_misconfigured(gcs, settings, body):
    with answering(settings, 200, body):
        assert type(failure(gcs)) is ConfigInvalid


def test_a_listing_whose_page_token_repeats_ends_as_unavailable(gcs, settings):
    with answering(settings, 200, json.dumps(PAGE | {"nextPageToken": "t"}).encode()):
        with pytest.raises(Unavailable, match="repeats"):
            list(itertools.islice(gcs.client().list(recursive=True), 5))


def test_an_empty_page_in_the_middle_does_not_end_a_listing(gcs, settings):
    answers = iter([{"nextPageToken": "1"}, PAGE | {"nextPageToken": "2"}, {"nextPageToken": "3"}, {}])

    def answer(request):
        body = json.dumps(next(answers)).encode()
        return Response(200, {"content-length": str(len(body))}, body)

    with Server(answer) as server:
        settings.GCS_API_ENDPOINT = server.url
        pages = list(gcs.client().list(recursive=True))
    assert (names(pages), [page.cursor for page in pages]) == (["a"], ["a", "a", ""])


def test_a_compressed_object_keeps_its_stored_bytes_and_ranges(gcs):
    stored = gzip.compress(b"plain text " * 100, mtime=0)
    gcs.fake.put("data", "t.txt", stored, "text/plain", encoding="gzip")
    client = gcs.client()
    with client.open("t.txt") as stream:
        assert (stream.read(), stream.info.size) == (stored, len(stored))
    with client.open("t.txt", 2, 9) as stream:
        assert stream.read() == stored[2:10]
    assert client.stat("t.txt").size == len(stored)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [(401, "authError", BadCredentials), (401, "required", BadCredentials), (403, "forbidden", AccessDenied),
     (403, "insufficientPermissions", AccessDenied), (403, "accountDisabled", AccessDenied), (404, "notFound", NotFound),
     (403, "rateLimitExceeded", Throttled), (429, "rateLimitExceeded", Throttled), (503, "backendError", Unavailable),
     (500, "internalError", Unavailable), (400, "UserProjectMissing", ConfigInvalid), (400, "invalid", ConfigInvalid),
     (408, "requestTimeout", TimedOut), (302, "moved", ConfigInvalid), (502, "unheard", Unavailable)],
)  # fmt: skip
def test_every_refusal_has_its_class(gcs, status, reason, kind):
    gcs.fake.fail_next(2, status, reason, match="/storage/v1/")
    error = failure(gcs)
    assert type(error) is kind and f"HTTP {status}" in str(error) and "on demand" not in str(error)
    assert error.verb == "list"


def test_a_bucket_that_does_not_exist_is_not_found(gcs):
    assert isinstance(failure(gcs, bucket="elsewhere"), NotFound)


@pytest.mark.parametrize(
    ("revoked", "verbs", "verb", "grant"),
    [("list", {"list"}, "list", "storage.objects.list"), ("get", {"list", "read"}, "read", "storage.objects.get"),
     ("create", {"list", "write"}, "write", "storage.objects.create"), ("delete", {"list", "write"}, "write", "overwriting"),
     ("delete", {"delete"}, "delete", "storage.objects.delete")],
)  # fmt: skip
def test_a_revoked_permission_is_named_with_its_grant(gcs, revoked, verbs, verb, grant):
    gcs.fake.revoke(gcs.fake.email, "data", f"storage.objects.{revoked}")
    error = failure(gcs, *verbs)
    assert isinstance(error, AccessDenied) and error.verb == verb and grant in error.grant


@pytest.mark.parametrize("verb", ["list", "get", "create", "delete"])
def test_each_call_needs_its_own_permission_and_no_other(gcs, verb):
    client = gcs.client()
    calls = {
        "list": lambda: list(client.list(recursive=True)),
        "get": lambda: (client.stat("a.png"), client.open("a.png").close()),
        "create": lambda: client.write("new.json", b"{}"),
        "delete": lambda: client.delete("new.json"),
    }
    gcs.fake.revoke(gcs.fake.email, "data", *(f"storage.objects.{other}" for other in calls if other != verb))
    calls[verb]()
    for other in calls.keys() - {verb}:
        if other != "delete" or verb == "create":  # what is absent is deleted without being asked for more
            with pytest.raises(AccessDenied):
                calls[other]()


def test_the_probes_of_a_target_leave_no_trace(gcs):
    gcs.fake.requests.clear()
    assert failure(gcs, "list", "write", "delete") is None
    assert {logged.method for logged in asked(gcs, "storage")} == {"GET"} and gcs.fake.keys("data") == ["a.png"]


def test_a_write_says_its_length_and_type_and_an_empty_one_is_possible(gcs):
    client = gcs.client()
    client.write("w.json", b"{}")
    client.write("empty", b"", "text/plain")
    assert (client.stat("w.json").content_type, client.stat("empty").content_type) == ("application/json", "text/plain")
    assert (gcs.get("w.json"), gcs.get("empty")) == (b"{}", b"")


def test_a_body_that_breaks_off_is_never_taken_for_whole(gcs):
    gcs.fake.cut_body_after(9, match="/download/")
    with pytest.raises(Unavailable), gcs.client().open("a.png") as stream:
        stream.read()


@pytest.mark.parametrize(
    ("change", "field"),
    [({"bucket": ""}, "bucket"), ({"bucket": None}, "bucket"), ({"bucket": "a/../b"}, "bucket"), ({"bucket": "UPPER"}, "bucket"),
     ({"bucket": "data?x="}, "bucket"), ({"bucket": "data\n"}, None), ({"prefix": "a/../b"}, "prefix")],
)  # fmt: skip
def test_a_malformed_setting_is_named_before_anything_is_sent(gcs, change, field):
    error = failure(gcs, **change)
    assert (error.field if error else None) == field
    assert not field or gcs.fake.requests == []


def test_the_prescription_holds_roles_and_the_cors_rule(gcs):
    client, member = gcs.client(), f"serviceAccount:{gcs.fake.email}"
    for verbs, role in (({"list", "read", "sign"}, "Viewer"), ({"list", "write"}, "User"), ({"delete"}, "User")):
        assert client.policy(verbs) == {"bucket": {"bindings": [{"role": f"roles/storage.object{role}", "members": [member]}]}}
    [rule] = client.cors_rule("https://labels.example")
    assert (rule["origin"], rule["method"]) == (["https://labels.example"], ["GET", "HEAD"]) and "Range" in rule["responseHeader"]


def test_twenty_thousand_keys_are_parsed_in_far_less_than_a_second_of_processor_time(gcs, settings):
    items = [PAGE["items"][0] | {"name": f"p/{number:04}.txt"} for number in range(1000)]
    with answering(settings, 200, json.dumps({"items": items}).encode()):
        client = gcs.client()
        list(client.list(recursive=True))
        began = time.thread_time()
        for _ in range(20):
            [page] = client.list(recursive=True)
        spent = time.thread_time() - began
    assert page.objects[0] == ObjectInfo("p/0000.txt", 1, page.objects[0].modified, "7", "x/y")
    assert spent < 1.0, f"{20_000 / spent:.0f} keys a second"


def test_a_slash_in_a_name_is_part_of_the_name(gcs):
    gcs.put("deep/er/1.json", b"{}")
    client = gcs.client()
    assert client.stat("deep/er/1.json").size == 2
    client.delete("deep/er/1.json")
    assert gcs.get("deep/er/1.json") is None


def test_a_page_that_ends_in_a_folder_resumes_behind_that_folder(gcs):
    for name in ("f/a", "f/b/1", "f/c", "f/d"):
        gcs.put(name, b"x")
    gcs.fake.page_cap = 2
    assert [page.cursor for page in gcs.client("f/").list(recursive=False)] == ["f/b/", ""]
