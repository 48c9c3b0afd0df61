"""The real service behind a real nginx, and how both are asked."""

import http.client
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import urllib3

from storages.media.uris import encode
from tests.e2e.server import RunningServer
from tests.fakes.s3 import S3Fake

PICTURE = bytes(range(256)) * 40
SIZE, CAP = len(PICTURE), 4096
OWN = {"date", "server", "connection"}  # differ between two servers


class Site(NamedTuple):
    """The service, the nginx in front of it, and where that one logs."""

    server: RunningServer
    front: str
    logs: Path

    def storage(self, endpoint: str, kind: str = "s3", **columns: Any) -> int:
        """A new project with one import storage; its id."""
        project = self.call("/api/projects/", {"title": "Ships"})["id"]
        keys = {
            "bucket": "data", "s3_endpoint": endpoint, "presign": False, "use_blob_urls": True,
            "aws_access_key_id": S3Fake.access_key, "aws_secret_access_key": S3Fake.secret_key,
        }  # fmt: skip
        self.call(f"/api/storages/{kind}/", {"project": project, "title": "Ships"} | (keys if kind == "s3" else {}) | columns)
        return project

    def call(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Token {self.server.token}"}
        answer = urllib3.request("POST", self.front + path, json=body, headers=headers)
        assert answer.status == 201, answer.data
        return answer.json()

    def link(self, project: int, key: str = "a.png", container: str = "s3://data/") -> str:
        return f"/projects/{project}/resolve/?fileuri={quote(encode(container + key))}"

    def get(self, path: str, method: str = "GET", direct: bool = False, **headers: str) -> urllib3.BaseHTTPResponse:
        """Asked through nginx, or the application itself; no redirect is followed, nothing decoded."""
        base = self.server.url if direct else self.front
        sent = {"Authorization": f"Token {self.server.token}"} | headers
        return urllib3.request(method, base + path, headers=sent, redirect=False, retries=False, decode_content=False)

    def raw(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of a GET through nginx whose path is sent as it is."""
        connection = http.client.HTTPConnection(urlsplit(self.front).netloc, timeout=10)
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in {"Authorization": f"Token {self.server.token}", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def logged(self) -> list[str]:
        """The lines of nginx's access log."""
        return (self.logs / "access.log").read_text().splitlines()


def envelope(answer: urllib3.BaseHTTPResponse, status: int) -> dict[str, Any]:
    assert answer.status == status, (answer.status, answer.data)
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.data)
    assert set(body) == {"id", "status_code", "version", "detail", "exc_info"}
    assert body["status_code"] == status and body["detail"] and body["version"]
    return body


def by_nginx(store: S3Fake) -> list[str]:
    """The paths of objects that were read with a signed URL."""
    return [one.path for one in store.requests if one.method == "GET" and "X-Amz-Signature=" in one.query]
