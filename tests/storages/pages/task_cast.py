"""Tasks of Alice's project with what a sync leaves behind, and a browser that is signed in as her."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from projects.models import Project
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.links import ImportLink, key_digest
from tasks.models import Task
from tests.fakes.s3 import S3Fake


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def source(project: Project, s3: S3Fake) -> ImportStorage:
    s3.create_bucket("data")
    columns = {"bucket": "data", "s3_endpoint": s3.url, "title": "Harbour"}
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    return BACKENDS["s3"].import_model.objects.create(project=project, **columns, **keys)


@pytest.fixture
def make(project: Project) -> Callable[..., Task]:
    """Makes a task with ``data``; ``of=(storage, key)`` as a sync would have left it."""

    def task(data: Any, of: tuple[ImportStorage, str] | None = None, project: Project = project, **columns: Any) -> Task:
        made = Task.objects.create(project=project, inner_id=project.tasks.count() + 1, data=data, **columns)
        if of:
            storage, key = of
            facts = {"size": 2048, "modified": datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC), "etag": "abc123"}
            link = {"storage_id": storage.pk, "key": key, "digest": key_digest(key), "row_index": made.pk}
            ImportLink.objects.create(task=made, **link, **facts)
        return made

    return task


@pytest.fixture
def target(project: Project) -> ExportStorage:
    return BACKENDS["s3"].export_model.objects.create(project=project, bucket="out", title="Lagoon")


def shown(browser: Client, path: str, status: int = 200) -> str:
    answer = browser.get(path)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def table(project: Project, **query: Any) -> str:
    return f"/projects/{project.pk}/data?" + "&".join(f"{key}={value}" for key, value in query.items())


def detail(task: Task, more: str = "") -> str:
    return f"/projects/{task.project_id}/data/{task.pk}{more}"
