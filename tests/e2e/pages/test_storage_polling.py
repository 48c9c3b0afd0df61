"""A hundred open pages with cards that follow a sync: what a look costs the real server, and what others notice of them."""

import re
import statistics
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from tests.e2e.pages.looking import Visitor
from tests.e2e.server import RunningServer
from tests.e2e.test_polling import cpu, waits
from tests.fakes.s3 import S3Fake

PAGES, SECONDS = 100, 6  # each page asks every two seconds
# seconds: of a look (a quarter are first loads of the page), and of half of the other requests; 13 to 19 ms and 4 to 16 ms were seen
MOST_CPU, MOST_WAIT = 0.03, 0.5


@pytest.fixture
def s3() -> Iterator[S3Fake]:
    """Pages of four keys, so that a slow listing moves on in many steps."""
    with S3Fake(page_cap=4) as fake:
        fake.create_bucket("data")
        yield fake


def follow(service: RunningServer, cookie: str, project: int, delay: float, seen: list[int]) -> None:
    """What an open page does: asks with the tokens that it has, and takes over those of the answer."""
    connection = HTTPConnection(service.url.removeprefix("http://"), timeout=30)
    start, tokens = time.monotonic() + delay, {"list": "", "pace": "", "source": ""}
    path = f"/projects/{project}/settings/storage"
    for look in range(SECONDS // 2 + 1):
        time.sleep(max(start + 2 * look - time.monotonic(), 0))
        asked = f"{path}/news?{urlencode({'seen': tokens.values()}, doseq=True)}" if look else path
        connection.request("GET", asked, headers={"Cookie": cookie, "HX-Request": "true"})
        answer = connection.getresponse()
        for token in re.findall(r'name="seen" value="([^"]+)"', answer.read().decode()):
            tokens[token.partition(":")[0].partition("-")[0]] = token
        seen.append(answer.status)
    connection.close()


def test_a_hundred_open_pages_starve_nobody_while_a_sync_runs(visitor: Visitor, s3: S3Fake) -> None:
    service, bucket = visitor.service, s3
    for number in range(40):
        bucket.put("data", f"{number:03}.png", b"1")
    project = visitor.api("POST", "/api/projects/", {"title": "Ships"})["id"]
    place = {"project": project, "bucket": "data", "s3_endpoint": bucket.url, "use_blob_urls": True}
    keys = {"aws_access_key_id": bucket.access_key, "aws_secret_access_key": bucket.secret_key}
    source = visitor.api("POST", "/api/storages/s3", place | keys)
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in visitor.page.context.cookies())
    bucket.delay(1, match="^/data/?$")
    visitor.api("POST", f"/api/storages/s3/{source['id']}/sync", {})
    seen: list[int] = []
    pages = [threading.Thread(target=follow, args=(service, cookie, project, n * 2 / PAGES, seen)) for n in range(PAGES)]
    before = cpu(service)
    for one in pages:
        one.start()
    others = waits(service, lambda: any(one.is_alive() for one in pages))
    each, wait = (cpu(service) - before) / (len(seen) + len(others)), statistics.median(others)
    late = statistics.quantiles(others, n=20)[-1]
    counts = {status: seen.count(status) for status in set(seen)}
    print(
        f"{counts}: {each * 1000:.1f} ms of CPU a look; {len(others)} others: p50 {wait * 1000:.0f} ms, p95 {late * 1000:.0f} ms"
    )
    assert set(seen) == {200, 204} and len(seen) == PAGES * (SECONDS // 2 + 1)
    assert each < MOST_CPU and wait < MOST_WAIT
