"""How the resolver is asked, and the parts of an answer that several tests look at."""

from typing import Any
from urllib.parse import quote

from storages.media.uris import encode
from tasks.models import Task

KEY = "ds/1.png"
URI = f"s3://data/{KEY}"
ROUTES = ["/tasks/{task}/resolve/", "/tasks/{task}/presign/", "/projects/{project}/resolve/", "/projects/{project}/presign/"]


def address(route: str, task: Task, fileuri: str = encode(URI)) -> str:
    """The path and query that ask ``route`` for ``fileuri``."""
    return route.format(task=task.pk, project=task.project_id) + f"?fileuri={quote(fileuri)}"


def content(response: Any) -> bytes:
    """All bytes of a streamed answer."""
    return b"".join(response.streaming_content)


def assert_envelope(response: Any, status: int) -> None:
    """The answer is an error envelope with this status."""
    assert response.status_code == status
    assert response.json()["status_code"] == status
    assert response.json()["detail"]
