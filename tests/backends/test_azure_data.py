"""Azure's data plane: listings of every shape, bodies that break off, and what a signed URL opens."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice

import pytest
import urllib3

from storages.doctor import examine
from storages.errors import ConfigInvalid, Malformed, StorageError, Unavailable
from tests.backends.boxes.azure import AzureHarness
from tests.fakes.azure_clients import code_of
from tests.fakes.wire import Request, Response, Server


@pytest.fixture
def account() -> Iterator[AzureHarness]:
    with closing(AzureHarness()) as box:
        yield box


@pytest.fixture
def stub(settings) -> Iterator[Callable[..., list[Request]]]:
    """Azure replaced by a server that gives the bodies one after another, the last one for ever; the requests it got."""
    servers: list[Server] = []

    def start(*bodies: bytes) -> list[Request]:
        requests: list[Request] = []

        def answer(request: Request) -> Response:
            body = bodies[min(len(requests), len(bodies) - 1)]
            requests.append(request)
            return Response(200, {"content-length": str(len(body))}, body)

        servers.append(Server(answer))
        settings.AZURE_BLOB_ENDPOINT_TEMPLATE = f"{servers[0].url}/{{account}}"
        return requests

    yield start
    for server in servers:
        server.close()


def failure(box: AzureHarness, **settings: object) -> StorageError:
    return examine(lambda: box.client(**settings), {"list"}).error


def keys(client, **options) -> list[str]:
    return [item.key for page in client.list(**({"recursive": True} | options)) for item in page.objects]


def fetch(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, headers=headers, retries=False, timeout=10)


def blob(name: str, inside: str = "", mark: str = "") -> str:
    dates = "<Last-Modified>Sun, 22 Nov 2026 10:34:40 GMT</Last-Modified><Etag>0x8D1</Etag>"
    return f"<Blob><Name{mark}>{name}</Name><Properties>{dates}<Content-Length>0</Content-Length>{inside}</Properties></Blob>"


def listing_of(*blobs: str, marker: str = "") -> bytes:
    text = f"<EnumerationResults><Blobs>{''.join(blobs)}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    return b"\xef\xbb\xbf" + f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def test_directories_and_folder_markers_are_left_out(stub, account):
    directory = "<ResourceType>directory</ResourceType>"
    stub(listing_of(blob("a", directory), blob("a/b/"), blob("a/c", "<ResourceType>file</ResourceType>"), blob("d")))
    assert keys(account.client()) == ["a/c", "d"]


def test_names_that_xml_cannot_hold_come_percent_encoded(stub, account):
    stub(listing_of(blob("a%EF%BF%BE%25b", mark=' Encoded="true"'), blob("100%25 &amp;.txt")))
    assert keys(account.client()) == ["a\ufffe%b", "100%25 &.txt"]


def test_a_page_may_be_empty_and_still_have_a_next_one(stub, account):
    requests = stub(listing_of(marker="m 1+%"), listing_of(blob("a"), marker="m2"), listing_of(blob("b")))
    pages = list(account.client().list(recursive=True))
    assert [page.cursor for page in pages] == ["m 1+%", "m2", ""]
    assert [request.parameter("marker") for request in requests] == [None, "m 1+%", "m2"]
    assert {request.parameter("maxresults") for request in requests} == {"5000"}


def test_a_marker_that_repeats_ends_in_an_error_and_not_in_a_circle(stub, account):
    stub(listing_of(blob("a"), marker="m"))
    with pytest.raises(Unavailable, match="does not go on"):
        list(islice(account.client().list(recursive=True), 5))


@pytest.mark.parametrize(
    "body",
    [b"<html>login</html>", b"{}", b"", b"<!DOCTYPE a [<!ENTITY b 'c'>]><EnumerationResults/>", b"<ListBucketResult/>",
     listing_of(blob("a").replace("22 Nov", "22 Foo")), listing_of(blob("a").replace(">0<", ">x<")),
     listing_of(blob("a").replace("Name>", "Key>"))],
)  # fmt: skip
def test_what_is_no_listing_is_misconfigured_and_not_empty(stub, account, body):
    stub(body)
    assert isinstance(failure(account), ConfigInvalid)


def test_a_listing_goes_through_every_page_of_the_container(account):
    wanted = [f"p/{number:02}.txt" for number in range(11)]
    for name in [*wanted, "p-decoy.txt"]:
        account.put(name, b"x")
    assert keys(account.client("p/")) == wanted
    assert sum("comp=list" in request.query for request in account.fake.requests) == 3


def test_an_answer_that_breaks_off_is_no_end_of_the_blob(account):
    account.put("a.txt", b"0123456789")
    account.fake.cut_body_after(9, match="a.txt")
    with account.client().open("a.txt") as stream, pytest.raises(Unavailable):
        while stream.read(4):
            pass


@pytest.mark.parametrize("key", ["data/..\\..\\secret.txt", "data\\a.txt"])
def test_a_backslash_which_azure_takes_for_a_slash_leads_nowhere(account, key):
    client = account.client("data/")
    for call in (
        client.open,
        client.stat,
        client.delete,
        lambda key: client.presign(key, 60),
        lambda key: client.write(key, b""),
    ):
        with pytest.raises(Malformed):
            call(key)
    assert account.fake.requests == []


@pytest.mark.parametrize("name", ["a b?#%+&=.png", "folder//double.png", "ünïcode/日本.png", "100%25.png"])
def test_a_signed_url_loads_its_blob_by_range_as_what_its_name_says(account, name):
    account.put(name, b"0123456789")
    answer = fetch(account.client().presign(name, 60), Range="bytes=2-4")
    assert (answer.status, answer.data, answer.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert answer.headers["content-type"] == "image/png"


def test_a_signed_url_opens_no_other_blob_nothing_but_reading_and_nothing_after_its_end(account):
    for name in ("a.txt", "b.txt"):
        account.put(name, b"x")
    url = account.client().presign("a.txt", 60)
    assert code_of(fetch(url.replace("a.txt", "b.txt"))) == (403, "AuthenticationFailed")
    assert urllib3.request("DELETE", url, retries=False).status == 403
    assert fetch(re.sub("sp=r", "sp=rwd", url)).status == 403
    assert fetch(re.sub(r"se=\d{4}", "se=2099", url)).status == 403
    account.fake.advance(55)
    assert fetch(url).status == 200
    account.fake.advance(10)
    assert fetch(url).status == 403
    assert account.get("a.txt") == b"x"
