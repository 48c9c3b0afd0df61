"""What a snapshot holds comes back as it was through our own import, into a project of its own: every column that can."""

import uuid

import pytest
from django.utils.dateparse import parse_datetime

from projects.models import Project
from tasks.models import Annotation, Prediction, Task
from tests.backends.boxes import HARNESSES
from tests.storages.snapshots.conftest import Target
from tests.storages.targets import both

pytestmark = pytest.mark.django_db(transaction=True)
LOST = {  # columns that cannot survive, and why
    Task: {
        "id": "ids are the server's",
        "inner_id": "counts the tasks of one project",
        "project": "it is another one",
        "overlap": "is the project's setting, for all of its tasks",
        "is_labeled": "follows from the project's overlap",
    },
    Annotation: {
        "id": "ids are the server's; it is kept as import_id",
        "import_id": "holds the id that the annotation had",
        "task": "it is another one",
        "project": "it is another one",
        "unique_id": "belongs to the original as long as that is there",
    },
    Prediction: {"id": "ids are the server's", "task": "it is another one", "project": "it is another one"},
}
NAMED = "snapshots/1/20261122T182455Z-31/"  # as the folder of a snapshot is


@pytest.fixture
def second(project):
    """A project to import into."""
    return Project.objects.create(
        title="Again", label_config=project.label_config, organization=project.organization, created_by=project.created_by
    )


@pytest.fixture
def old(motley, project, alice, bob):
    """The motley tasks with values in every column that the server sets; half of the rows keep what they have."""

    def days(month):
        names = ("created_at", "updated_at")
        return {name: parse_datetime(f"20{20 + n}-{month:02}-03T04:05:06.{n}00789Z") for n, name in enumerate(names)}

    Task.objects.filter(pk=motley[1]).update(**days(1), meta=None, overlap=3, updated_by=bob)
    first = Annotation.objects.filter(task=motley[0]).order_by("id").first()
    more = {"last_action": "submitted", "bulk_created": True, "updated_by": bob, "last_created_by": alice, "import_id": 777}
    Annotation.objects.filter(pk=first.pk).update(**days(2), **more, draft_created_at=days(3)["created_at"], parent_prediction=5)
    some = Prediction.objects.filter(task=motley[1]).order_by("id").first()
    values = {"model_version": None, "cluster": -4, "neighbors": [1, {"n": 2.5}], "mislabeling": 0.7}
    Prediction.objects.filter(pk=some.pk).update(**days(4), **values)
    return motley


def columns(model, rows):
    names = [field.name for field in model._meta.concrete_fields if field.name not in LOST[model]]
    return [dict(zip(names, row, strict=True)) for row in rows.order_by("id").values_list(*names)]


def facts(project):
    """All columns that survive, task by task."""
    found = []
    for task in Task.objects.filter(project=project, annotations__isnull=False).distinct().order_by("id"):
        mine = columns(Task, Task.objects.filter(pk=task.pk))
        found.append([mine, *(columns(model, model.objects.filter(task=task)) for model in (Annotation, Prediction))])
    return found


@pytest.fixture
def again(create, sync, second, s3_settings):
    """Imports a folder into the second project, answers the storage as it is then."""

    def bring_back(folder, backend="s3"):
        settings = s3_settings | {"prefix": folder} if backend == "s3" else {"title": "Again", "path": folder}
        return sync(backend, create(backend, settings | {"project": second.pk}, use_blob_urls=False)["id"])

    return bring_back


def ids(project, column):
    return list(Annotation.objects.filter(project=project).order_by("id").values_list(column, flat=True))


@both
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_snapshot_is_imported_again_without_a_loss(backend, form, target, snapshot, again, old, project, second):
    done = again(snapshot(target(backend), format=form)["snapshot"]["folder"], backend)
    assert (done["status"], done["last_sync_count"], done["meta"]["ignored"]) == ("completed", 2, 1), "all but the manifest"
    before = facts(project)
    before[1][0][0]["data"] = {"image": "s3://pics/b.png"}  # shown, and exported, under the name that the label config gives it
    assert facts(second) == before and len(before) == 2
    assert ids(second, "import_id") == ids(project, "id") and not set(ids(second, "unique_id")) & set(ids(project, "unique_id"))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_is_larger_and_deeper_than_an_import_takes_comes_back_too(
    form, target, snapshot, again, label, project, second, settings
):
    settings.SYNC_MAX_ROW_MB = 1
    deep = []
    for _ in range(490):
        deep = [deep]
    (one,) = label(1)
    texts = [[{"value": {"text": "ß" * 400_000}}], deep, [{"value": {"text": "x" * 900_000}}]]
    for number, result in enumerate(texts):
        Annotation.objects.create(task_id=one, project=project, result=result, lead_time=number)
    run = snapshot(target(), format=form)
    done = again(run["snapshot"]["folder"])
    assert (run["state"], done["status"], done["traceback"]) == ("completed", "completed", None)
    assert ids(second, "lead_time") == ids(project, "lead_time") and ids(second, "result") == ids(project, "result")


def test_unique_ids_come_back_when_the_originals_are_gone(target, snapshot, again, label, project, second):
    label(3)
    wanted, folder = ids(project, "unique_id"), snapshot(target())["snapshot"]["folder"]
    Annotation.objects.filter(unique_id__in=wanted[1:]).delete()
    assert again(folder)["last_sync_count"] == 3
    assert ids(second, "unique_id")[1:] == wanted[1:] and ids(second, "unique_id")[0] != wanted[0]


def test_two_annotations_of_a_snapshot_with_one_unique_id_both_come_back(target, snapshot, again, label, project, second, s3):
    label(2)
    folder, (first, last) = snapshot(target())["snapshot"]["folder"], map(str, ids(project, "unique_id"))
    key = f"{folder}part-00000.jsonl"
    s3.put("data", key, s3.get("data", key).replace(last.encode(), first.encode()))
    Annotation.objects.all().delete()
    assert again(folder)["last_sync_count"] == 2
    assert uuid.UUID(first) in ids(second, "unique_id") and len(set(ids(second, "unique_id"))) == 2


def test_who_is_no_member_of_the_organization_is_not_named_again(target, snapshot, again, label, project, second, charlie, bob):
    label(1)
    Annotation.objects.update(updated_by=charlie, last_created_by=bob)
    Task.objects.update(updated_by=charlie)
    assert again(snapshot(target())["snapshot"]["folder"])["last_sync_count"] == 1
    assert (ids(second, "updated_by"), ids(second, "last_created_by")) == ([None], [bob.pk])
    assert Task.objects.get(project=second).updated_by is None


def test_predictions_that_the_label_config_has_outgrown_come_back(target, snapshot, again, old, project, second):
    folder = snapshot(target())["snapshot"]["folder"]
    config = project.label_config.replace('"cat"', '"lion"').replace('"kind"', '"sort"')
    assert config != project.label_config
    Project.objects.filter(pk=second.pk).update(label_config=config)
    assert (again(folder)["status"], Prediction.objects.filter(project=second).count()) == ("completed", 2)


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("elsewhere/", b'{"kind": "quayside-snapshot", "version": 1, "users": {}}'),
        *((NAMED, body) for body in (None, b"", b"[1]", b'{"kind": "other", "version": 1}', b"[" * 100_000)),
    ],
)
def test_a_source_that_is_no_snapshot_of_ours_cannot_set_what_the_server_sets(
    where, body, target, snapshot, again, old, project, second, s3
):
    folder = snapshot(target())["snapshot"]["folder"]
    s3.put("data", f"{where}part-00000.jsonl", s3.get("data", f"{folder}part-00000.jsonl"))
    if body is not None:
        s3.put("data", f"{where}manifest.json", body)
    again(where)
    imported = Annotation.objects.filter(project=second)
    assert imported.count() == 4 and not imported.filter(created_at__year=2020).exists()
    assert not imported.exclude(updated_by=None).exists() and not imported.filter(bulk_created=True).exists()
    assert not Task.objects.filter(project=second, created_at__year=2020).exists()
    assert not Prediction.objects.filter(project=second, cluster=-4).exists()


def test_a_manifest_that_cannot_be_read_ends_the_import_before_it_loses_anything(
    target, snapshot, create, sync, old, second, s3, s3_settings
):
    settings = s3_settings | {"project": second.pk, "prefix": snapshot(target())["snapshot"]["folder"]}
    source = create("s3", settings, use_blob_urls=False)["id"]
    s3.fail_next(1, status=403, code="AccessDenied", match="manifest")
    done = sync("s3", source)
    assert (done["status"], "s3:GetObject" in done["traceback"]) == ("failed", True)
    assert not Task.objects.filter(project=second).exists()
    assert (sync("s3", source)["status"], len(facts(second))) == ("completed", 2)


def test_a_snapshot_in_redis_is_one_too(create, sync, snapshot, old, project, second, documents):
    box = HARNESSES["redis"](documents)
    target = create("export/redis", box.settings("out") | {"project": project.pk, "title": "R"})
    run = snapshot(Target("export/redis", target["id"], dict))
    assert run["state"] == "completed"
    source = box.settings(run["snapshot"]["folder"]) | {"project": second.pk, "title": "R"}
    assert sync("redis", create("redis", source, use_blob_urls=False)["id"])["last_sync_count"] == 2
    box.close()
    assert len(facts(second)) == 2 and facts(second)[0] == facts(project)[0]
