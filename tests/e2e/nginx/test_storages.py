"""What a storage may do to the answer that nginx fetches from it: send the bytes, and nothing else."""

from urllib.parse import urlsplit

import pytest
import urllib3

from tests.e2e.nginx.site import OWN, PICTURE, SIZE, by_nginx, envelope
from tests.environment import tls_directory
from tests.fakes.tls import create_certificates, server_context
from tests.fakes.wire import Response, Server


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(403, 403), (401, 403), (404, 404), (410, 404), (500, 502), (502, 502), (503, 429), (504, 504), (400, 502), (416, 502),
     (412, 502), (301, 502), (302, 502), (307, 502), (429, 429), (451, 502), (304, 502)],
)  # fmt: skip
def test_a_failure_of_the_storage_is_an_error_of_ours_without_a_word_of_theirs(site, endpoint, theirs, ours):
    told = {"content-length": "6", "location": "http://elsewhere.example/", "set-cookie": "a=b", "x-amz-id-2": "theirs"}
    url, seen = endpoint(Response(theirs, told if theirs != 304 else {}, b"theirs" if theirs != 304 else b""))
    answer = site.get(site.link(site.storage(url)))
    envelope(answer, ours)
    assert len(seen) == 1
    assert b"theirs" not in answer.data and not {"location", "set-cookie", "x-amz-id-2"} & {
        name.lower() for name in answer.headers
    }
    assert answer.headers["Cache-Control"] == "no-store" and "Content-Disposition" not in answer.headers


def test_a_storage_that_goes_away_before_its_answer_is_a_502(site, endpoint):
    url, seen = endpoint(Response(200, drop=True))
    envelope(site.get(site.link(site.storage(url))), 502)


def test_a_body_that_breaks_off_breaks_the_connection_off(site, store, project):
    site.get(site.link(project), "HEAD")
    store.cut_body_after(1000, match="a.png")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        site.get(site.link(project))


def test_a_storage_gives_no_orders_and_sets_nothing(site, endpoint):
    elsewhere, reached = endpoint(Response(200, {"content-length": "6"}, b"theirs"))
    orders = {
        "x-accel-redirect": "/_media", "x-media-url": f"{elsewhere}/?X-Amz-Signature=1", "x-media-host": "localhost",
        "content-length": str(SIZE), "set-cookie": "a=b", "x-amz-meta-note": "named by a user",
        "x-accel-limit-rate": "1", "content-type": "text/html", "content-disposition": "inline", "clear-site-data": '"*"',
        "content-security-policy": "default-src *", "access-control-allow-origin": "*", "service-worker-allowed": "/",
        "x-amz-request-id": "1", "x-amz-id-2": "2", "x-goog-generation": "3", "x-ms-version": "4", "etag": '"theirs"',
        "cache-control": "public", "vary": "*", "content-encoding": "gzip", "expires": "Mon, 04 May 2099 12:30:14 GMT",
    }  # fmt: skip
    url, seen = endpoint(Response(200, orders, PICTURE))
    project = site.storage(url)
    answer = site.get(site.link(project))
    own = site.get(site.link(project), "HEAD", direct=True)
    assert (answer.status, answer.data) == (200, PICTURE)
    same = {name.lower() for name in own.headers} - OWN
    passed = {name.lower() for name in answer.headers} - OWN - same
    assert passed <= {"x-media-url", "x-media-host", "x-amz-meta-note"}, "names that have no meaning to a browser may pass"
    assert not reached
    assert {name: answer.headers[name] for name in same} == {name: own.headers[name] for name in same}


def test_the_storage_sees_nothing_of_the_browsers_request(site, endpoint):
    headers = {"Cookie": "sessionid=secret", "Range": "bytes=2-5", "Referer": "http://x", "If-Match": "*", "X-Own": "1"}
    url, seen = endpoint(Response(206, {"content-length": "4", "content-range": f"bytes 2-5/{SIZE}"}, PICTURE[2:6]))
    answer = site.get(site.link(site.storage(url)), **headers)
    assert (answer.status, answer.data, answer.headers["Content-Range"]) == (206, PICTURE[2:6], f"bytes 2-5/{SIZE}")
    assert dict(seen[0].headers) == {
        "host": urlsplit(url).netloc, "range": "bytes=2-5", "if-match": '"v1"', "accept-encoding": "identity", "user-agent": "quayside",
    }  # fmt: skip


def test_a_storage_with_tls_is_verified_by_its_name(site, store):
    with Server(store._answer, server_context(tls_directory())) as secured:
        port = urlsplit(secured.url).port
        project = site.storage(f"https://localhost:{port}")
        store.requests.clear()
        assert site.get(site.link(project)).data == PICTURE
        assert len(by_nginx(store)) == 1
        project = site.storage(f"https://127.0.0.1:{port}")
        store.requests.clear()
        assert site.get(site.link(project)).data == PICTURE
        assert not by_nginx(store), "nginx verifies names only: the application fetches from an address"


def test_a_storage_that_shows_a_strangers_certificate_is_not_read(site, store, tmp_path):
    create_certificates(tmp_path)
    with Server(store._answer, server_context(tls_directory())) as secured:
        link = site.link(site.storage(f"https://localhost:{urlsplit(secured.url).port}"))
        assert site.get(link).data == PICTURE
        secured.tls = server_context(tmp_path)  # the application still knows the object; only nginx connects again
        store.requests.clear()
        envelope(site.get(link), 502)
        assert not store.requests


def test_no_signed_url_is_written_to_a_log(site, store, project, endpoint):
    site.get(site.link(project))
    for broken in (Response(200, drop=True), Response(500), Response(200, {"content-length": "100"}, b"short", cut_after=5)):
        url, _ = endpoint(broken)
        try:
            site.get(site.link(site.storage(url)))
        except urllib3.exceptions.ProtocolError:
            continue
    logged = "\n".join(site.logged()) + (site.logs / "error.log").read_text()
    assert f"/projects/{project}/resolve/" in logged and 'upstream="' in logged
    assert "X-Amz" not in logged and "fileuri" not in logged
