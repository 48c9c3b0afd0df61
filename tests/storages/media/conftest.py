"""A store with pictures, and makers of storages and tasks that refer to them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from projects.models import Project
from storages.backends import BACKENDS
from storages.base import ImportStorage
from storages.links import ImportLink, key_digest
from tasks.models import Task
from tests.fakes.s3 import S3Fake, s3  # noqa: F401  (a fixture)

PICTURE = bytes(range(256)) * 8


@pytest.fixture
def source(project: Project, s3: S3Fake) -> Callable[..., ImportStorage]:  # noqa: F811
    """Makes an S3 import storage of the bucket "data" in Alice's project; options are columns."""

    def make(**options: Any) -> ImportStorage:
        columns = {
            "project": project,
            "bucket": "data",
            "s3_endpoint": s3.url,
            "aws_access_key_id": s3.access_key,
            "aws_secret_access_key": s3.secret_key,
        }
        return BACKENDS["s3"].import_model.objects.create(**columns | options)

    return make


@pytest.fixture
def make_task(project: Project) -> Callable[..., Task]:
    """Makes a task with ``data``; ``link=(storage, key)`` as a sync would have left it."""

    def make(data: Any, link: tuple[ImportStorage, str] | None = None, project: Project = project) -> Task:
        task = Task.objects.create(project=project, inner_id=project.tasks.count() + 1, data=data)
        if link:
            storage, key = link
            ImportLink.objects.create(storage_id=storage.pk, task=task, key=key, digest=key_digest(key), row_index=task.pk)
        return task

    return make


@pytest.fixture
def task(make_task: Callable[..., Task], s3: S3Fake) -> Task:  # noqa: F811
    """A task that shows a picture which exists."""
    s3.put("data", "ds/1.png", PICTURE, "image/png")
    return make_task({"image": "s3://data/ds/1.png"})


@pytest.fixture
def documents() -> Iterator[Path]:
    """The empty document root of local files."""
    root = Path(django_settings.LOCAL_FILES_DOCUMENT_ROOT) / f"media-{os.getpid()}"
    root.mkdir()
    yield root
    shutil.rmtree(root)


@pytest.fixture
def directory(project: Project, documents: Path) -> Callable[..., ImportStorage]:
    """Makes a local files import storage over a directory below ``documents``, which is created if need be."""

    def make(name: str, project: Project = project) -> ImportStorage:
        path = documents / name
        path.mkdir(parents=True, exist_ok=True)
        return BACKENDS["localfiles"].import_model.objects.create(project=project, path=str(path))

    return make
