"""Storages on real stores, and a worker that runs what was queued."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django_rq
import pytest
from rest_framework.test import APIClient
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from projects.models import Project
from storages import jobs
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture


@pytest.fixture
def documents() -> Path:
    """A new directory below the document root."""
    directory = Path(os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]) / f"docs-{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    return directory


@pytest.fixture
def s3_settings(s3: S3Fake, project: Project) -> dict[str, Any]:
    return {
        "project": project.pk,
        "title": "Harbour bucket",
        "bucket": "data",
        "s3_endpoint": s3.url,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
    }


@pytest.fixture
def create(api: APIClient) -> Callable[..., dict[str, Any]]:
    """Creates a storage through the API: ``create("s3", {...}, use_blob_urls=True)``; ``create("export/s3", …)``."""

    def post(route: str, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = api.post(f"/api/storages/{route}", settings | more)
        assert answer.status_code == 201, answer.content
        return answer.json()

    return post


@pytest.fixture
def work() -> Callable[[], None]:
    """Runs everything that is queued, in this process, as a worker would; the queues are empty before and after."""
    queues = [django_rq.get_queue(name) for name in ("default", "low")]
    for queue in queues:
        queue.empty()
        queue.connection.delete(queue.started_job_registry.key)

    def run() -> None:
        SimpleWorker(queues, connection=queues[0].connection, serializer=JSONSerializer).work(burst=True)

    return run


@pytest.fixture
def sync(api: APIClient, work: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    """POSTs a sync, lets the worker run, answers the storage as it is then: ``sync("s3", 7)``."""

    def post(route: str, pk: int) -> dict[str, Any]:
        answer = api.post(f"/api/storages/{route}/{pk}/sync")
        assert answer.status_code == 200, answer.content
        work()
        return api.get(f"/api/storages/{route}/{pk}").json()

    return post


@pytest.fixture
def tick(work: Callable[[], None]) -> Callable[[], None]:
    """The scheduler's round, then the worker."""

    def run() -> None:
        jobs.tick()
        work()

    return run
