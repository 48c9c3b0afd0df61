"""A snapshot holds its own project's annotated tasks, however these lie among others."""

import json

import pytest
from django.db import transaction

from projects.models import Project
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.services import create_tasks
from tests.storages.targets import RESULT

pytestmark = pytest.mark.django_db(transaction=True)


def draft(number: int, annotated: bool) -> TaskDraft:
    annotations = [AnnotationDraft(result=RESULT)] if annotated else []
    return TaskDraft({"image": f"{number}.png"}, annotations=annotations, predictions=[PredictionDraft(RESULT, score=number)])


@pytest.mark.parametrize("every", [2, 3, 7])
def test_tasks_between_the_annotated_ones_are_left_out(every, target, snapshot, project):
    other = Project.objects.create(title="Other", organization=project.organization)
    wanted = []
    with transaction.atomic():
        for number in range(0, 42, every):
            wanted += create_tasks(project, [draft(number, annotated=True)])
            for place, more in enumerate(range(number + 1, number + every)):
                create_tasks(other if place % 2 else project, [draft(more, annotated=bool(place % 2))])
    place = target("s3")
    assert snapshot(place)["counters"]["new"] == len(wanted)
    (shard,) = [body for key, body in place.objects().items() if key.endswith(".jsonl")]
    tasks = [json.loads(line) for line in shard.splitlines()]
    assert [task["id"] for task in tasks] == wanted
    assert [task["data"]["image"] for task in tasks] == [f"{number}.png" for number in range(0, 42, every)]
    assert [len(task["annotations"]) for task in tasks] == [1] * len(wanted)
    assert [task["predictions"][0]["score"] for task in tasks] == list(range(0, 42, every))
