"""What every backend must do the same: the contract of storages.client.Client, asserted on a real container."""

import pickle

import pytest

from storages.backends import BACKENDS
from storages.backends.localfiles import LocalFilesImportStorage
from storages.doctor import examine
from storages.errors import (
    AccessDenied,
    BadCredentials,
    ConfigInvalid,
    Malformed,
    NotFound,
    RangeNotSatisfiable,
    Unavailable,
    Unsupported,
)
from storages.fields import secret_names
from storages.providers.aws import protocol as s3_protocol
from tests.backends.boxes.s3 import S3Harness
from tests.backends.harness import Harness
from tests.environment import tls_directory

BODY = bytes(range(100))
OCTETS = "application/octet-stream"  # the only type that the Files API of Databricks takes
CLASSES = ("bad_credentials", "no_permission", "not_found", "unreachable", "throttled", "misconfigured")
CANNOT_FAIL = {  # backends that have no such failure
    "bad_credentials": {"localfiles"},
    "no_permission": {"localfiles"},  # proven with a mode of 0 by a user who is not root, in test_localfiles.py
    "not_found": {"localfiles", "redis"},
    "unreachable": {"localfiles"},
    "throttled": {"localfiles", "redis"},
}


def names(box: Harness, client, **options) -> list[str]:
    """What the client lists, in the order of names: not every backend has an order."""
    options = {"recursive": True} | options
    return sorted(box.name_of(item.key) for page in client.list(**options) for item in page.objects)


def test_a_listing_takes_several_pages_and_gives_every_object_once(box):
    wanted = [f"p/{number:02}.txt" for number in range(40)]
    for name in wanted:
        box.put(name, b"x")
    pages = list(box.client("p/").list(recursive=True))
    assert len(pages) >= 3
    assert names(box, box.client("p/")) == wanted


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(box):
    for name in ("data/a.txt", "data/sub/b.txt", "data-private/c.txt", "data.txt"):
        box.put(name, b"x")
    assert names(box, box.client("data/")) == ["data/a.txt", "data/sub/b.txt"]


def test_without_recursion_only_direct_children_are_listed(box):
    wanted = ["r/a.txt", "r/sub/b.txt", "r/sub/deep/c.txt", "r/z.txt"]
    for name in wanted:
        box.put(name, b"x")
    client = box.client("r/")
    assert names(box, client, recursive=False) == (["r/a.txt", "r/z.txt"] if client.capabilities.folders else wanted)


def test_a_listing_resumes_behind_a_cursor(box):
    wanted = [f"c/{number:02}.txt" for number in range(11)]
    for name in wanted:
        box.put(name, b"x")
    first = next(iter(box.client("c/").list(recursive=True)))
    seen = [box.name_of(item.key) for item in first.objects]
    assert 0 < len(seen) < 11
    assert sorted(seen + names(box, box.client("c/"), after=first.cursor)) == wanted


def test_an_empty_container_lists_nothing(box):
    assert names(box, box.client()) == []


def test_a_listing_tells_size_time_and_a_validator_that_changes_with_the_content(box):
    box.put("one.txt", b"12345")
    [page] = box.client().list(recursive=True)
    before = page.objects[0]
    assert before.size == 5
    if not box.client().capabilities.versions:
        assert (before.modified, before.etag) == (None, "")
        return
    assert before.modified.tzinfo is not None and before.etag == box.client().stat(box.key("one.txt")).etag != ""
    box.put("one.txt", b"123456")
    assert box.client().stat(box.key("one.txt")).etag != before.etag


def test_hostile_names_survive_list_stat_open_write_and_uri(box):
    client = box.client("h/")
    for number, name in enumerate(box.hostile):
        client.write(box.key("h/" + name), str(number).encode())
    assert sorted(names(box, client)) == sorted("h/" + name for name in box.hostile)
    for number, name in enumerate(box.hostile):
        key = box.key("h/" + name)
        with client.open(key) as stream:
            assert stream.read(-1) == str(number).encode()
        assert client.stat(key).size == len(str(number))
        assert box.get("h/" + name) == str(number).encode()


def test_a_uri_leads_back_to_its_key_and_no_further_than_the_root(box):
    client = box.client("u/")
    if not client.capabilities.media or client.scheme == "file":
        assert client.key_of(client.uri(box.key("u/a.txt"))) is None
        return
    for name in box.hostile:
        assert client.key_of(client.uri(box.key("u/" + name))) == box.key("u/" + name)
    assert client.key_of(client.uri("u-private/a.txt")) is None
    assert client.key_of("other://data/u/a.txt") is None


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(0, None, BODY), (0, 0, BODY[:1]), (99, 99, BODY[99:]), (99, None, BODY[99:]), (10, 19, BODY[10:20]), (90, 200, BODY[90:]), (1, 98, BODY[1:99])],
)  # fmt: skip
def test_ranges_are_inclusive_and_clipped_to_the_end(box, start, end, wanted):
    box.put("r.bin", BODY)
    with box.client().open(box.key("r.bin"), start, end) as stream:
        assert (stream.start, stream.length, stream.info.size) == (start, len(wanted), 100)
        assert stream.read(-1) == wanted


def test_a_range_behind_the_end_is_refused_with_the_size(box):
    box.put("r.bin", BODY)
    with pytest.raises(RangeNotSatisfiable) as refused:
        box.client().open(box.key("r.bin"), 100)
    assert refused.value.size == 100


def test_an_empty_object_opens_as_nothing(box):
    box.put("empty", b"")
    for end in (None, 0):
        with box.client().open(box.key("empty"), 0, end) as stream:
            assert (stream.read(-1), stream.length, stream.info.size) == (b"", 0, 0)


def test_a_stream_can_be_read_in_pieces_and_closed_in_the_middle(box):
    box.put("big", b"z" * 300_000)
    stream = box.client().open(box.key("big"))
    assert stream.read(1000) == b"z" * 1000
    stream.close()
    with box.client().open(box.key("big"), 5, 104) as stream:
        assert b"".join(iter(lambda: stream.read(30), b"")) == b"z" * 100


@pytest.mark.parametrize("verb", ["stat", "open"])
def test_a_missing_object_is_not_found(box, verb):
    with pytest.raises(NotFound):
        getattr(box.client(), verb)(box.key("missing"))


def test_a_write_replaces_the_object_and_makes_its_folders(box):
    client = box.client()
    for body in (b'{"a":1}', b"{}"):
        client.write(box.key("deep/er/1.json"), body)
        assert box.get("deep/er/1.json") == body


def test_a_write_says_that_it_is_json_where_the_store_keeps_such_a_word(box):
    box.client().write(box.key("1.json"), b"{}")
    wanted = "" if box.name in ("redis", "localfiles") else OCTETS if box.name == "databricks" else "application/json"
    assert box.client().stat(box.key("1.json")).content_type == wanted


def test_targets_in_one_container_are_in_one_place_whatever_their_prefix(box):
    client = box.client("a/")
    assert client.place == box.client("b/").place != ""


def test_deleting_twice_is_no_error(box):
    box.put("gone", b"x")
    for _ in range(2):
        box.client().delete(box.key("gone"))
    assert box.get("gone") is None


def test_presign_gives_a_url_or_says_that_it_cannot(box):
    import urllib3

    box.put("m/a b+c.png", BODY)
    client = box.client()
    if not client.capabilities.presign:
        with pytest.raises(Unsupported):
            client.presign(box.key("m/a b+c.png"), 60)
        return
    browser = urllib3.PoolManager(ca_certs=str(tls_directory() / "ca.pem"))
    answer = browser.request("GET", client.presign(box.key("m/a b+c.png"), 60), headers={"Range": "bytes=5-9"})
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (206, BODY[5:10], "image/png")


def test_the_connection_check_tries_every_verb_and_leaves_nothing_behind(box):
    report = examine(lambda: box.client("t/"), {"list", "write", "delete"})
    assert [(probe.verb, probe.error) for probe in report.probes] == [("list", None), ("write", None), ("delete", None)]
    assert names(box, box.client("t/")) == []
    box.put("t/one.txt", b"1")
    report = examine(lambda: box.client("t/"), {"list", "read", "sign"})
    signs = [("sign", None)] if box.client().capabilities.presign else []
    assert [(probe.verb, probe.error) for probe in report.probes] == [("list", None), ("read", None), *signs]


@pytest.mark.parametrize("code", CLASSES)
def test_each_class_of_failure_is_told_with_the_verb_that_failed(box, code):
    if (arrange := box.trouble.get(code)) is None:
        assert box.name in CANNOT_FAIL[code], "say how this backend fails, or that it cannot"
        return
    settings = arrange(box)
    report = examine(lambda: box.client("t/", **settings), {"list", "write"})
    assert report.error is not None and report.error.code == code, report.error
    assert report.error.verb == ("connect" if report.client is None else "list")
    if code == "no_permission":
        assert report.error.grant
    assert sum(probe.error is not None for probe in report.probes) == 1


def test_neither_repr_nor_pickle_of_a_client_shows_a_secret(box):
    client = box.client()
    secrets = [box.settings()[name] for name in secret_names(BACKENDS[box.name].import_model) if box.settings().get(name)]
    with pytest.raises(TypeError):
        pickle.dumps(client)
    assert not any(secret in shown for secret in secrets for shown in (repr(client), str(client)))


def test_a_link_that_leads_out_of_a_directory_is_neither_listed_nor_opened_nor_written_through(tmp_path, documents):
    (tmp_path / "secret.txt").write_text("secret")
    inside = documents / "in"
    inside.mkdir()
    (inside / "file.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "folder").symlink_to(tmp_path)
    (inside / "good.txt").write_text("good")
    (inside / "kept.txt").symlink_to(inside / "good.txt")
    client = LocalFilesImportStorage(path=str(inside)).client()
    assert [item.key for page in client.list(recursive=True) for item in page.objects] == [
        f"{inside}/good.txt",
        f"{inside}/kept.txt",
    ]
    for name in ("file.txt", "folder/secret.txt", "../in/../../secret.txt"):
        for verb in (client.open, client.stat):
            with pytest.raises(NotFound):
                verb(f"{inside}/{name}")
    for name in ("folder/new.txt", "../new.txt", "folder/../../new.txt"):
        with pytest.raises(AccessDenied):
            client.write(f"{inside}/{name}", b"x")
        with pytest.raises(AccessDenied):
            client.delete(f"{inside}/{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.txt"]


def test_keys_that_http_clients_fold_are_refused_before_a_request_is_made(s3):
    client = S3Harness.client_of(s3)
    for key in ("a/../b.json", "./a.json", "../other/secret"):
        for call in (client.open, client.stat, client.delete):
            with pytest.raises(Malformed):
                call(key)
    assert s3.requests == []
    with pytest.raises(ConfigInvalid):
        S3Harness.client_of(s3, prefix="data/..")


def test_an_endpoint_that_ignores_the_range_is_not_believed(s3, monkeypatch):
    s3.put("data", "r.bin", BODY)
    monkeypatch.setattr("storages.providers.aws.protocol.sign", unranged(s3_protocol.sign))
    with pytest.raises(Unavailable, match="range"):
        S3Harness.client_of(s3).open("r.bin", 5, 9)


def unranged(sign):
    """The signature of a request that lost its Range on the way, as behind a careless proxy."""
    return lambda method, url, headers, *rest: sign(method, url, {k: v for k, v in headers.items() if k != "Range"}, *rest)


def test_the_servers_own_identity_is_lent_only_where_the_operator_allows_it_and_never_to_a_custom_endpoint(
    s3, settings, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASERVERIDENTITY01")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the server's own secret")
    no_keys = {"aws_access_key_id": None, "aws_secret_access_key": None}
    client = S3Harness.client_of(s3, s3_endpoint=None, **no_keys)
    assert "AKIASERVERIDENTITY01" in client.presign("a.png", 60) and "data.s3.us-east-1.amazonaws.com" in client.presign(
        "a.png", 60
    )
    with pytest.raises(BadCredentials):
        S3Harness.client_of(s3, **no_keys)
    settings.ALLOW_AMBIENT_CREDENTIALS = False
    with pytest.raises(BadCredentials):
        S3Harness.client_of(s3, s3_endpoint=None, **no_keys)
