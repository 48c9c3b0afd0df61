"""What a browser gets through nginx: the transfer is nginx's, everything else is the application's."""

import gzip
import http.client
import time
from urllib.parse import urlsplit

import pytest

from tests.e2e.nginx.site import CAP, OWN, PICTURE, SIZE, by_nginx, envelope

ASKED: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("GET", {"Range": "bytes=0-0"}),
    ("GET", {"Range": "bytes=100-299"}),
    ("GET", {"Range": f"bytes={SIZE - 1}-"}),
    ("GET", {"Range": "bytes=10-"}),
    ("GET", {"Range": "bytes=0-99999999"}),
    ("GET", {"Range": "bytes=-5"}),
    ("GET", {"Range": "bytes=-99999999"}),
    ("GET", {"Range": f"bytes={SIZE}-"}),
    ("GET", {"Range": "bytes=-0"}),
    ("GET", {"Range": "bytes=5-2"}),
    ("GET", {"Range": "bytes=0-1,5-6"}),
    ("GET", {"If-None-Match": "{etag}"}),
    ("GET", {"If-None-Match": '"other"', "Range": "bytes=2-3"}),
    ("GET", {"If-Match": "{etag}"}),
    ("GET", {"If-Match": '"other"'}),
    ("GET", {"If-Range": "{etag}", "Range": "bytes=2-3"}),
    ("GET", {"If-Range": '"other"', "Range": "bytes=2-3"}),
    ("GET", {"If-Modified-Since": "{modified}"}),
    ("GET", {"If-Unmodified-Since": "Mon, 04 May 2020 12:30:14 GMT"}),
    ("GET", {"Accept-Encoding": "gzip, br", "Origin": "https://elsewhere.example"}),
    ("HEAD", {}),
    ("HEAD", {"Range": "bytes=0-9"}),
    ("HEAD", {"If-None-Match": "{etag}"}),
]


def test_every_answer_is_the_same_behind_nginx_as_without_it(site, store, project):
    link = site.link(project)
    known = site.get(link, direct=True).headers
    sent_by_nginx = 0
    for method, headers in ASKED:
        sent = {name: value.format(etag=known["ETag"], modified=known["Last-Modified"]) for name, value in headers.items()}
        answers = [site.get(link, method, direct=direct, **sent) for direct in (True, False)]
        own, other = ({k.lower(): v for k, v in answer.headers.items() if k.lower() not in OWN} for answer in answers)
        assert answers[0].status == answers[1].status, (method, headers)
        assert own == other, (method, headers)
        if answers[0].status < 400:
            assert answers[0].data == answers[1].data, (method, headers)
        sent_by_nginx += method == "GET" and answers[0].status in (200, 206)
        assert len(by_nginx(store)) == sent_by_nginx, (method, headers)


def test_seeking_costs_one_stat_and_each_range_one_read(site, store, project):
    for start in range(0, 1000, 100):
        answer = site.get(site.link(project), Range=f"bytes={start}-")
        assert (answer.status, answer.data) == (206, PICTURE[start : start + CAP])
    assert [one.method for one in store.requests].count("HEAD") <= 2
    assert len(by_nginx(store)) == 10


KEYS = [
    "what?ever#a%b+c&d=e.bin", "two  spaces.bin", "a//b.bin", "/leading.bin", "//two.bin", "trailing/", "per%2Fcent%20%.bin",
    "日本/ünï çödé é 🚢.bin", "$media_url ${media_host}.bin", "quote'\"back\\slash|<>^`{}[]~!*(),:;@.bin", "tab\tline\nend\r.bin",
    "é" * 512, "https://elsewhere.example/x.bin", ".hidden", "...", "x" * 1020 + ".bin",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_key_reaches_the_storage_byte_for_byte_as_it_was_signed(site, store, key):
    store.put("data", key, key.encode(), "text/plain")
    project = site.storage(store.url)
    store.requests.clear()
    answer = site.get(site.link(project, key), Range="bytes=0-")
    assert (answer.status, answer.data) == (206, key.encode())
    assert len(by_nginx(store)) == 1


@pytest.mark.parametrize(("name", "kind"), [("page.html", "text/html"), ("drawing.svg", "image/svg+xml"), ("a.xml", "text/xml")])
def test_active_content_cannot_run_on_our_origin(site, store, project, name, kind):
    store.put("data", name, b"<script>alert(1)</script>", kind)
    answer = site.get(site.link(project, name))
    assert (answer.status, answer.data) == (200, b"<script>alert(1)</script>")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(by_nginx(store)) == 1


def test_an_object_that_is_replaced_after_its_size_was_told_is_not_mixed(site, store, project):
    assert site.get(site.link(project), Range="bytes=0-9").data == PICTURE[:10]
    store.put("data", "a.png", bytes(SIZE), "image/png")
    assert "replaced" in envelope(site.get(site.link(project), Range="bytes=10-19"), 502)["detail"]
    time.sleep(3.1)  # until the old version is forgotten
    assert site.get(site.link(project), Range="bytes=10-19").data == bytes(10)


def test_a_backend_that_cannot_sign_is_served_by_the_application(site):
    (site.server.files / "ships").mkdir(exist_ok=True)
    (site.server.files / "ships" / "1.png").write_bytes(PICTURE)
    site.storage("", "localfiles", path=str(site.server.files / "ships"), use_blob_urls=True)
    answer = site.get("/data/local-files/?d=ships/1.png", Range="bytes=1-3")
    assert (answer.status, answer.data) == (206, PICTURE[1:4])


def test_a_browser_that_leaves_ends_the_request_to_the_storage_at_once(site, store, project):
    """Told by the line that nginx writes at the end, while the storage has not answered yet."""
    link = site.link(project)
    assert site.get(link, Range="bytes=0-0").status == 206
    store.delay(3, n=1)
    connection = http.client.HTTPConnection(urlsplit(site.front).netloc, timeout=10)
    connection.request("GET", link, headers={"Authorization": f"Token {site.server.token}"})
    while not store.rules[0].left == 0:
        time.sleep(0.01)
    connection.close()
    began = time.monotonic()
    while " 499 " not in site.logged()[-1]:
        assert time.monotonic() - began < 1
        time.sleep(0.02)


@pytest.mark.parametrize(("kind", "uri"), [("gcs", "gs://data/"), ("azure_spi", "azure-blob://{container}/")])
def test_the_other_vendors_objects_come_through_nginx_too(site, clouds, kind, uri):
    box = clouds.google if kind == "gcs" else clouds.azure
    key = "a b/100%25?#+é//c.png"
    box.put(key, PICTURE)
    project = site.storage("", kind, presign=False, **box.settings())
    link = site.link(project, key, uri.format(container=clouds.azure.container))
    box.fake.requests.clear()
    whole, part = site.get(link), site.get(link, Range="bytes=-7")
    assert (whole.status, whole.data) == (200, PICTURE)
    assert (part.status, part.data, part.headers["Content-Range"]) == (206, PICTURE[-7:], f"bytes {SIZE - 7}-{SIZE - 1}/{SIZE}")
    signed = [one for one in box.fake.requests if "X-Goog-Signature=" in one.query or "sig=" in one.query]
    assert len(signed) == 2
    plain = {name.lower() for name in site.get(link, direct=True).headers}
    assert {name.lower() for name in whole.headers} - plain <= OWN


def test_a_compressed_object_comes_as_it_is_stored(site, clouds):
    packed = gzip.compress(PICTURE)
    clouds.google.fake.put("data", "packed.txt", packed, "text/plain", encoding="gzip")
    link = site.link(site.storage("", "gcs", presign=False, **clouds.google.settings()), "packed.txt", "gs://data/")
    whole = site.get(link)
    assert (whole.data, whole.headers["Content-Encoding"], whole.headers["Content-Length"]) == (packed, "gzip", str(len(packed)))
    assert site.get(link, Range="bytes=5-9").data == packed[5:10]
