"""Where targets write, whether their names can meet, who keeps a key, and what names are made of, looked up in sets."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.crypto import _cipher
from storages import origins, places
from storages.backends.azure import AzureExportStorage
from storages.backends.databricks import DatabricksExportStorage
from storages.backends.gcs_sa import GCSSAExportStorage
from storages.backends.localfiles import LocalFilesExportStorage, LocalFilesImportStorage
from storages.backends.redis import RedisExportStorage
from storages.backends.s3 import S3ExportStorage, S3ImportStorage
from storages.backends.s3s import S3SExportStorage
from storages.base import ExportStorage
from storages.links import ExportLink, Form, ImportLink, key_digest
from storages.names import parse
from storages.overlap import meet, pattern
from tasks.models import Annotation, Task

ANNOTATION, TASK = Form.ANNOTATION, Form.TASK
KEYS = {"aws_access_key_id": "AKIAQUAYSIDETESTER01", "aws_secret_access_key": "s"}
FILES = "{storage_filename}.json"
database = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("one", "other", "strangers", "same"),
    [
        # (root, template, form) of two targets in one place; of different projects?; can an object be overwritten?
        (("", "{annotation_id}", ANNOTATION), ("", "{annotation_id}", ANNOTATION), True, False),
        (("", "{task_id}.json", TASK), ("", "{task_id}.json", TASK), True, False),
        (("", "{annotation_id}", ANNOTATION), ("", "{task_id}", TASK), True, True),
        (("", "{annotation_id}", ANNOTATION), ("", "{task_id}.json", TASK), False, False),
        (("", FILES, TASK), ("", FILES, TASK), True, True),
        (("", "{project_id}/" + FILES, TASK), ("", "{project_id}/" + FILES, TASK), True, False),
        (("a/", FILES, TASK), ("b/", FILES, TASK), False, False),
        (("a/", FILES, TASK), ("a/b/", FILES, TASK), True, True),
        (("", "{storage_filename}", TASK), ("deep/", "{annotation_id}", ANNOTATION), True, True),
        (("", "{storage_filename}-{annotation_id}", ANNOTATION), ("", "{storage_filename}-{annotation_id}", ANNOTATION), True, False),
        (("", "{storage_filename}-{annotation_id}", ANNOTATION), ("", "x-{annotation_id}", ANNOTATION), True, False),
        (("", "{storage_filename}-{annotation_id}", ANNOTATION), ("", "x-{annotation_id}", ANNOTATION), False, True),
        (("", "{task_id}-{annotation_id}", ANNOTATION), ("", "{annotation_id}-{task_id}", ANNOTATION), True, True),
        (("", "{task_id}-{annotation_id}", ANNOTATION), ("", "{date}-{annotation_id}", ANNOTATION), True, False),
        (("", "{date}/{annotation_id}", ANNOTATION), ("", "{storage_filename}/{annotation_id}", ANNOTATION), True, False),
        (("", "1{annotation_id}", ANNOTATION), ("", "{annotation_id}", ANNOTATION), True, True),
        (("", "{annotation_id}.json", ANNOTATION), ("", "{annotation_id}.jsn", ANNOTATION), False, False),
        (("", "{annotation_id}.json", ANNOTATION), ("", "{annotation_id}.json", ANNOTATION), False, True),
    ],
)  # fmt: skip
def test_two_targets_meet_where_different_subjects_can_have_one_key(one, other, strangers, same):
    def names(target, project):
        root, template, form = target
        return pattern(root, parse(template, form).pieces, project)

    for first, second in ((one, other), (other, one)):
        assert meet(names(first, 1), names(second, 2 if strangers else 1), strangers=strangers) is same


def at(model, **settings):
    return model(**{"project_id": 1} | settings).client().place


def test_a_place_is_the_account_or_endpoint_and_the_container_whatever_the_prefix_and_the_credentials(documents, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    here = at(S3ExportStorage, bucket="data", **KEYS)
    assert here == at(S3ExportStorage, bucket="data", prefix="x", region_name="eu-west-1", **KEYS)
    assert here == at(S3ExportStorage, bucket="data", s3_endpoint="https://s3.eu-west-1.amazonaws.com", **KEYS)
    assert here == at(S3SExportStorage, bucket="data", role_arn="arn:aws:iam::123456789012:role/labels", **KEYS)
    minio = at(S3ExportStorage, bucket="data", s3_endpoint="https://minio.example", **KEYS)
    assert minio == at(S3ExportStorage, bucket="data", s3_endpoint="https://MINIO.example:443/", **KEYS)
    account = {"container": "data", "account_key": "a2V5"}
    azure = at(AzureExportStorage, account_name="harbour", **account)
    google = at(GCSSAExportStorage, bucket="data", target_service_account_email="a@p.iam.gserviceaccount.com")
    redis = at(RedisExportStorage, host="db.example", db=3)
    assert redis == at(RedisExportStorage, host="rediss://me@DB.example", port="6379", db=3, path="x")
    volume = {"host": "https://w.example", "token": "t", "catalog": "c", "schema": "s", "volume": "v"}
    bricks = at(DatabricksExportStorage, **volume)
    assert bricks == at(DatabricksExportStorage, **volume | {"host": "https://W.example/", "catalog": "C"})
    elsewhere = [
        at(S3ExportStorage, bucket="data", region_name="cn-north-1", **KEYS), at(S3ExportStorage, bucket="other", **KEYS),
        at(AzureExportStorage, account_name="basin", **account), at(RedisExportStorage, host="db.example", db=4),
        at(DatabricksExportStorage, **volume | {"host": "https://v.example"}), at(LocalFilesExportStorage, path=str(documents)),
    ]  # fmt: skip
    places_ = [here, minio, azure, google, redis, bricks, *elsewhere]
    assert len(set(places_)) == len(places_)


@database
def test_two_subjects_with_one_key_are_found_whoever_comes_first_keeps_it(create, s3_settings):
    row = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"])
    storage = row.concrete()

    def clashes(form, keys):
        found = places.collisions(places.holders(storage, form, keys), storage.pk, form, keys)
        assert {one.storage_id for one in found.values()} <= {storage.pk}
        return {subject: one[1:] for subject, one in found.items()}

    ExportLink.objects.create(storage=row, form=TASK, subject=7, key="a.json", digest=b"")
    ExportLink.objects.create(storage=row, form=ANNOTATION, subject=3, key="3", digest=b"")
    early = timezone.now() - timedelta(hours=1)
    ExportLink.objects.create(storage=row, form=TASK, subject=1, key="d.json", digest=b"")
    ExportLink.objects.create(storage=row, form=TASK, subject=2, key="d.json", digest=b"", exported_at=early)
    ExportLink.objects.create(storage=row, form=places.COMING[TASK], subject=6, key="e.json", digest=b"")
    assert clashes(TASK, {1: "d.json", 2: "d.json"}) == {1: (TASK, 2)}
    keys = {5: "a.json", 7: "a.json", 9: "b.json", 8: "b.json", 3: "3", 4: "c.json", 6: "e.json", 10: "e.json"}
    assert clashes(TASK, keys) == {5: (TASK, 7), 9: (TASK, 8), 3: (ANNOTATION, 3), 10: (TASK, 6)}
    assert clashes(ANNOTATION, {3: "3"}) == {}


@database
def test_the_links_of_other_targets_count_in_the_same_place_only(create, s3, s3_settings):
    s3.create_bucket("elsewhere")
    storage = ExportStorage.objects.get(pk=create("export/s3", s3_settings)["id"]).concrete()
    near, far = (create("export/s3", s3_settings, bucket=bucket)["id"] for bucket in ("data", "elsewhere"))
    for other in (near, far):
        for subject in (1, 2):
            ExportLink.objects.create(storage_id=other, form=ANNOTATION, subject=subject, key=f"{subject}-{other}", digest=b"")
    keys = {1: f"1-{near}", 3: f"2-{near}", 4: f"2-{far}"}
    assert places.holders(storage, ANNOTATION, keys) == {f"2-{near}": [(near, ANNOTATION, 2)]}, "the same subject is no stranger"
    assert places.needed(storage, ANNOTATION, keys, gone=[]) == {1, 3}
    assert places.needed(storage, ANNOTATION, keys, gone=[1]) == {3}, "what is gone is gone everywhere"


@database
def test_names_are_looked_up_in_sets_and_label_studios_without_a_query(project, documents, django_assert_num_queries):
    source = LocalFilesImportStorage.objects.create(project=project, path=str(documents), use_blob_urls=True)
    bucket = S3ImportStorage.objects.create(project=project, bucket="data", prefix="in/${project_id}")
    tasks = [Task.objects.create(project=project, inner_id=number, data={}) for number in range(4)]
    rows = [(source, f"{documents}/a/b.jpg", 0), (bucket, f"in/{project.pk}/c.jsonl", 0), (bucket, f"in/{project.pk}/c.jsonl", 1)]
    for task, (storage, key, row) in zip(tasks, rows, strict=False):
        ImportLink.objects.create(storage=storage, task=task, digest=key_digest(key), key=key, row_index=row)
    annotations = [Annotation.objects.create(task=task, project=project, result=[]) for task in tasks]
    ids = [one.pk for one in annotations]
    target = S3ExportStorage(project=project, key_template="{date}/{storage_filename}-{annotation_id}")
    day = annotations[0].created_at.date().isoformat()
    files = ["a/b", "c", "c-row-1", f"task-{tasks[3].pk}"]
    with django_assert_num_queries(6):
        found = origins.names(target, [*ids, 10**9])
    assert found == {pk: f"{day}/{file}-{pk}" for pk, file in zip(ids, files, strict=True)}
    target = S3ExportStorage(project=project, object_form="task", key_template=FILES)
    assert list(origins.names(target, [task.pk for task in tasks]).values()) == [f"{file}.json" for file in files]
    with django_assert_num_queries(0):
        assert origins.names(S3ExportStorage(project=project), ids) == {pk: str(pk) for pk in ids}
    with django_assert_num_queries(1):
        by_task = S3ExportStorage(project=project, key_template="{task_id}/{annotation_id}.json")
        assert origins.names(by_task, ids[:1]) == {ids[0]: f"{tasks[0].pk}/{ids[0]}.json"}


@database
def test_the_root_of_a_source_is_known_even_if_its_secrets_are_not(project, settings):
    bucket = S3ImportStorage.objects.create(project=project, bucket="data", prefix="in", **KEYS)
    task = Task.objects.create(project=project, inner_id=1, data={})
    ImportLink.objects.create(storage=bucket, task=task, digest=key_digest("in/x.png"), key="in/x.png")
    settings.STORAGE_ENCRYPTION_KEYS = ["another key altogether"]
    _cipher.cache_clear()
    assert origins.lookup(TASK, [task.pk])[task.pk].source_root == "in/"
