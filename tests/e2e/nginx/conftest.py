"""One service behind one nginx for all tests here, with Google's and Azure's fakes to reach; an S3 fake for each test."""

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.backends.boxes.azure import AzureSPIHarness
from tests.backends.boxes.gcs import GCSHarness
from tests.e2e.nginx.front import fronting
from tests.e2e.nginx.site import CAP, PICTURE, SIZE, Site
from tests.e2e.server import running
from tests.fakes.s3 import S3Fake
from tests.fakes.wire import Request, Response, Server


class Clouds(NamedTuple):
    """The other two vendors that sign URLs."""

    google: GCSHarness
    azure: AzureSPIHarness


@pytest.fixture(scope="package")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    made = Clouds(GCSHarness(tmp_path_factory.mktemp("google")), AzureSPIHarness())
    yield made
    made.azure.close()
    made.google.close()


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, clouds: Clouds) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("nginx")
    env = {"RESOLVER_PROXY_OFFLOAD": "nginx", "RESOLVER_PROXY_MAX_RANGE_SIZE": str(CAP), "WEB_WORKERS": "1"}
    env |= clouds.google.environment | clouds.azure.environment
    # Azure's fake has TLS, and nginx verifies names only
    env["AZURE_BLOB_ENDPOINT_TEMPLATE"] = env["AZURE_BLOB_ENDPOINT_TEMPLATE"].replace("127.0.0.1", "localhost")
    with running(directory, "sqlite", **env) as server, fronting(urlsplit(server.url).port or 0, directory) as front:
        yield Site(server, front, directory)


@pytest.fixture
def store(s3: S3Fake) -> S3Fake:
    s3.put("data", "a.png", PICTURE, "image/png")
    return s3


@pytest.fixture
def project(site: Site, store: S3Fake) -> int:
    project = site.storage(store.url)
    store.requests.clear()
    return project


@pytest.fixture
def endpoint() -> Iterator[Callable[..., tuple[str, list[Request]]]]:
    """Starts an endpoint of somebody's own: it tells of a picture, and answers its GET with what it is given."""
    servers: list[Server] = []

    def start(response: Response) -> tuple[str, list[Request]]:
        seen: list[Request] = []
        told = {"content-length": str(SIZE), "etag": '"v1"', "content-type": "image/png"}

        def answer(request: Request) -> Response:
            if "X-Amz-Signature" not in request.query:
                listing = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
                return (
                    Response(200, told)
                    if request.method == "HEAD"
                    else Response(200, {"content-length": str(len(listing))}, listing)
                )
            seen.append(request)
            return response

        servers.append(Server(answer))
        return servers[-1].url, seen

    yield start
    for server in servers:
        server.close()
