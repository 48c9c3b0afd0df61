"""A labelled project, targets to write snapshots to, and what lies in them."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection, transaction

from storages.snapshots import shards
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.services import create_tasks
from tests.storages.targets import RESULT


@dataclass
class Target:
    """A target through the API, and its objects by full key."""

    route: str
    id: int
    read: Any = field(repr=False)

    @property
    def path(self) -> str:
        return f"/api/storages/{self.route}/{self.id}"

    def objects(self) -> dict[str, bytes]:
        return self.read()


@pytest.fixture
def target(create, documents, s3, s3_settings, project, settings):
    """``target("s3", prefix="out")``, or "localfiles"; nothing is exported to it yet."""
    settings.SYNC_ON_TARGET_STORAGE_CREATION = False

    def of(backend="s3", **more):
        if backend == "s3":
            read = lambda: {key: s3.get("data", key) for key in s3.keys("data")}  # noqa: E731
            return Target("export/s3", create("export/s3", s3_settings, **more)["id"], read)
        local = {"project": project.pk, "title": "Local", "path": str(documents)}
        read = lambda: {str(file): file.read_bytes() for file in documents.rglob("*") if file.is_file()}  # noqa: E731
        return Target("export/localfiles", create("export/localfiles", local, **more)["id"], read)

    return of


@pytest.fixture
def snapshot(api, work):
    """POSTs a snapshot, lets the worker run, answers the run as it is then."""

    def post(target, **body):
        work()  # what is queued already, or it would be written among it
        answer = api.post(f"{target.path}/snapshot", body)
        assert answer.status_code == 201, answer.content
        work()
        return api.get(f"{target.path}/runs/{answer.json()['id']}").json()

    return post


@pytest.fixture
def small(monkeypatch):
    """Shards of two tasks."""
    monkeypatch.setattr(shards, "MOST_TASKS", 2)


@pytest.fixture
def label(project, alice):
    """Adds tasks with an annotation each, without a signal's work: ``label(5)``."""

    def add(count, **fields):
        drafts = [
            TaskDraft({"image": f"s3://pics/{n}.png"}, annotations=[AnnotationDraft(RESULT, alice.pk)]) for n in range(count)
        ]
        with transaction.atomic():
            return create_tasks(project, drafts)

    return add


@pytest.fixture
def motley(project, alice, bob):
    """Tasks that differ in everything an import can bring; the third has predictions only, the fourth nothing."""
    cat = [RESULT[0] | {"id": "r1", "meta": {"text": ["Größe “µ”\n\t\u2028"]}, "value": {"choices": ["cat"], "n": [0.1, 10**17]}}]
    annotations = [
        AnnotationDraft(cat, alice.pk, lead_time=1.25, ground_truth=True, parent_annotation=7),
        AnnotationDraft([], bob.pk, was_cancelled=True, lead_time=None),
        AnnotationDraft(None, None),
    ]
    guess = PredictionDraft(RESULT, score=0.875, model_version="v2 ä")
    drafts = [
        TaskDraft(
            {"image": "a", "nested": {"k": [1, None, True, {"x": 1e-7}]}, "ж": ""}, {"m": [1, {"n": None}]}, False, annotations
        ),
        TaskDraft({"$undefined$": "s3://pics/b.png"}, annotations=annotations[:1], predictions=[guess, PredictionDraft(RESULT)]),
        TaskDraft({"image": "c"}, predictions=[guess]),
        TaskDraft({"image": "d"}),
    ]
    with transaction.atomic():
        return create_tasks(project, drafts)


@pytest.fixture
def when_asked(s3, monkeypatch):
    """``when_asked("PUT", "part-00001", act)``: the fake calls ``act`` once, before it answers such a request."""

    def order(method, part, act):
        answer, left = s3.around, [act]

        def around(request, *rest):
            if left and request.method == method and part in request.path:
                left.pop()()
                connection.close()  # of the fake's thread
            return answer(request, *rest)

        monkeypatch.setattr(s3, "around", around)

    return order


def manifest_of(target: Target, run: dict) -> dict:
    return json.loads(target.objects()[f"{run['snapshot']['folder']}manifest.json"])
