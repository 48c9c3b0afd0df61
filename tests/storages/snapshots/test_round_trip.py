"""What a snapshot holds comes back as it was through our own import, into a project of its own."""

import pytest

from projects.models import Project
from tasks.models import Annotation, Prediction, Task
from tests.backends.boxes import HARNESSES
from tests.storages.snapshots.conftest import Target
from tests.storages.targets import both

pytestmark = pytest.mark.django_db(transaction=True)
ANNOTATION = (
    "id result completed_by_id was_cancelled ground_truth lead_time parent_prediction parent_annotation draft_created_at".split()
)
PREDICTION = "result score model_version".split()


@pytest.fixture
def second(project):
    """A project to import into."""
    return Project.objects.create(
        title="Again", label_config=project.label_config, organization=project.organization, created_by=project.created_by
    )


def facts(project, *, imported):
    """All that an import brings, task by task; ``imported``: the id that an annotation came with."""
    found = []
    for task in Task.objects.filter(project=project, annotations__isnull=False).distinct().order_by("id"):
        annotations = Annotation.objects.filter(task=task).order_by("id")
        names = [name if not (imported and name == "id") else "import_id" for name in ANNOTATION]
        made = [
            list(annotations.values_list(*names)),
            list(Prediction.objects.filter(task=task).order_by("id").values_list(*PREDICTION)),
        ]
        found.append([task.data, task.meta, task.allow_skip, *made])
    return found


@both
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_snapshot_is_imported_again_without_a_loss(
    backend, form, target, snapshot, create, sync, motley, project, second, s3_settings
):
    run = snapshot(target(backend), format=form)
    folder = run["snapshot"]["folder"]
    settings = s3_settings | {"prefix": folder} if backend == "s3" else {"title": "Again", "path": folder}
    done = sync(backend, create(backend, settings | {"project": second.pk}, use_blob_urls=False)["id"])
    assert (done["status"], done["last_sync_count"], done["meta"]["ignored"]) == ("completed", 2, 1), "all but the manifest"
    before = facts(project, imported=False)
    before[1][0] = {"image": "s3://pics/b.png"}  # shown, and exported, under the name that the label config gives it
    assert facts(second, imported=True) == before and len(before) == 2


def test_a_snapshot_in_redis_is_one_too(create, sync, snapshot, motley, project, second, documents):
    box = HARNESSES["redis"](documents)
    target = create("export/redis", box.settings("out") | {"project": project.pk, "title": "R"})
    run = snapshot(Target("export/redis", target["id"], dict))
    assert run["state"] == "completed"
    source = box.settings(run["snapshot"]["folder"]) | {"project": second.pk, "title": "R"}
    assert sync("redis", create("redis", source, use_blob_urls=False)["id"])["last_sync_count"] == 2
    box.close()
    assert len(facts(second, imported=True)) == 2
