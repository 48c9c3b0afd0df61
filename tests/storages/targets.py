"""What tests of exports start from: a task, a way to annotate it, and targets that can be broken."""

import time

import pytest
from django.utils import timezone

from storages.base import ExportStorage
from storages.links import OutboxItem
from tasks.models import Task

RESULT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
both = pytest.mark.parametrize("backend", ["s3", "localfiles"])


def time_passes() -> None:
    """Every claim and every back-off is over."""
    OutboxItem.objects.update(due=timezone.now())
    ExportStorage.objects.update(resting_until=None)


@pytest.fixture
def task(project):
    return Task.objects.create(project=project, inner_id=1, data={"image": "s3://data/a.png"})


@pytest.fixture
def annotate(api):
    def post(task, *, within=1.0, **fields):
        started = time.monotonic()
        answer = api.post(f"/api/tasks/{task.pk}/annotations/", {"result": RESULT} | fields)
        assert answer.status_code == 201, answer.content
        assert time.monotonic() - started < within
        return answer.json()["id"]

    return post


@pytest.fixture
def place(documents, s3, s3_settings, project):
    """``place("s3")``: route, settings, a reader of what lies in the target by file name, and a switch that breaks it."""

    def of(backend):
        if backend == "s3":
            read = lambda: {key: s3.get("data", key) for key in s3.keys("data") if not key.startswith(".")}  # noqa: E731
            return "export/s3", s3_settings, read, s3.refuse_all

        def hide(hidden=True):
            documents.rename(documents.with_suffix(".gone")) if hidden else documents.with_suffix(".gone").rename(documents)

        settings = {"project": project.pk, "title": "Local", "path": str(documents)}
        read = lambda: {file.name: file.read_bytes() for file in documents.iterdir() if not file.name.startswith(".")}  # noqa: E731
        return "export/localfiles", settings, read, hide

    return of
