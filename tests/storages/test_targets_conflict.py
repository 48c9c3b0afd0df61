"""Two targets never overwrite each other in silence: what is refused at save, and what is not."""

import threading

import pytest
from django.db import connection

from config.crypto import _cipher
from projects.models import Project
from storages.backends.s3 import S3ExportStorage
from storages.base import ExportStorage
from tests.conftest import client_of

FILES = "{storage_filename}.json"
database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other_project(alice):
    return Project.objects.create(title="Other", organization=alice.active_organization)


def refused(answer):
    assert answer.status_code == 400, answer.content
    return answer.json()["validation_errors"]["key_template"][0]


@database
def test_label_studios_names_may_lie_in_one_folder_whoever_made_them(create, s3_settings, other_project):
    for project in (s3_settings["project"], s3_settings["project"], other_project.pk):
        create("export/s3", s3_settings, project=project)
        create("export/s3", s3_settings, project=project, object_form="task")


@database
def test_the_same_names_of_two_projects_are_refused_and_a_folder_of_the_project_tells_them_apart(
    api, create, s3, s3_settings, other_project
):
    naming = {"object_form": "task", "key_template": FILES, "prefix": "gold"}
    first = create("export/s3", s3_settings, **naming)
    second = s3_settings | naming | {"project": other_project.pk, "prefix": "/gold/"}
    told = refused(api.post("/api/storages/export/s3", second))
    assert f'target {first["id"]} "Harbour bucket" of project {first["project"]}' in told and "{project_id}" in told
    assert "target" in refused(api.post("/api/storages/export/s3/validate", second))
    assert ExportStorage.objects.count() == 1, "nothing of it was saved"
    s3.create_bucket("elsewhere")
    create("export/s3", second, bucket="elsewhere")
    made = create("export/s3", second, prefix="silver")
    url = f"/api/storages/export/s3/{made['id']}"
    assert str(first["id"]) in refused(api.patch(url, {"prefix": "gold"}))
    assert api.get(url).json()["prefix"] == "silver"
    for pk in (first["id"], made["id"]):
        assert api.patch(f"/api/storages/export/s3/{pk}", {"key_template": "{project_id}/" + FILES}).status_code == 200
    assert api.patch(url, {"prefix": "gold"}).status_code == 200


@database
def test_of_two_conflicting_targets_that_are_saved_at_once_one_is_refused(api, alice, s3, s3_settings, other_project):
    answers: list[int] = []
    s3.delay(0.3)  # both have passed the first look before either is saved

    def save(project: int) -> None:
        settings = s3_settings | {"object_form": "task", "key_template": FILES, "project": project}
        answers.append(client_of(alice).post("/api/storages/export/s3", settings).status_code)
        connection.close()

    threads = [threading.Thread(target=save, args=(pk,)) for pk in (s3_settings["project"], other_project.pk)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 400] and ExportStorage.objects.count() == 1


@database
def test_a_target_of_strangers_is_not_named(create, s3_settings, charlie):
    naming = {"object_form": "task", "key_template": FILES}
    create("export/s3", s3_settings, **naming)
    theirs = Project.objects.create(title="Theirs", organization=charlie.active_organization)
    answer = client_of(charlie).post("/api/storages/export/s3", s3_settings | naming | {"project": theirs.pk})
    assert refused(answer).startswith("another target writes")
    assert "Harbour" not in answer.content.decode()


@database
def test_label_studios_names_are_refused_where_a_templates_could_be_the_same(api, create, documents, project, settings):
    settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT = False
    local = {"project": project.pk, "title": "Local", "path": str(documents)}
    create("export/localfiles", local, object_form="task")
    assert "target" in refused(api.post("/api/storages/export/localfiles", local))
    inner = documents / "in"
    inner.mkdir()
    create("export/localfiles", local, path=str(inner))


@database
def test_one_directory_may_not_reach_into_another(api, create, documents, project, other_project):
    (documents / "in").mkdir()
    create("export/localfiles", {"project": project.pk, "path": str(documents / "in")}, key_template="{annotation_id}.json")
    outer = {
        "project": other_project.pk,
        "path": str(documents),
        "object_form": "task",
        "key_template": "{storage_filename}.json",
    }
    assert "target" in refused(api.post("/api/storages/export/localfiles", outer))


@database
def test_a_change_that_has_nothing_to_do_with_names_is_not_held_up_by_an_old_conflict(api, create, s3_settings, other_project):
    first = create("export/s3", s3_settings, object_form="task", key_template="x/" + FILES)
    second = create("export/s3", s3_settings, object_form="task", key_template=FILES, project=other_project.pk, prefix="y")
    S3ExportStorage.objects.filter(pk=second["id"]).update(prefix="")
    url = f"/api/storages/export/s3/{second['id']}"
    assert api.patch(url, {"title": "Renamed", "key_template": FILES}).status_code == 200
    assert str(first["id"]) in refused(api.patch(url, {"prefix": "x"}))


@database
def test_a_target_whose_secrets_cannot_be_read_stops_nobody(create, s3_settings, other_project, settings):
    create("export/s3", s3_settings, object_form="task", key_template=FILES)
    settings.STORAGE_ENCRYPTION_KEYS = ["another key altogether"]
    _cipher.cache_clear()
    create("export/s3", s3_settings, object_form="task", key_template=FILES, project=other_project.pk)


@database
def test_a_target_of_a_deleted_project_counts_until_its_deletions_are_done(api, create, s3_settings, project, other_project):
    naming = {"object_form": "task", "key_template": "{project_id}-" + FILES}
    pk = create("export/s3", s3_settings, **naming)["id"]
    ExportStorage.objects.filter(pk=pk).update(project=None, former_project=project.pk)
    create("export/s3", s3_settings, **naming, project=other_project.pk)
    told = refused(api.post("/api/storages/export/s3", s3_settings | naming))
    assert f"target {pk} " in told


@database
@pytest.mark.parametrize(
    ("change", "field"),
    [({"key_template": "{x}"}, "key_template"), ({"key_template": "../{annotation_id}"}, "key_template"), ({"object_form": "both"}, "object_form"), ({"object_form": "task", "key_template": "{annotation_id}"}, "key_template"), ({"key_template": "{annotation_id}" * 100}, "key_template")],
)  # fmt: skip
def test_bad_names_are_told_by_field_on_create_change_and_validation_and_nothing_is_saved(
    api, create, s3_settings, change, field
):
    pk = create("export/s3", s3_settings)["id"]
    for send, url in ((api.post, ""), (api.post, "/validate"), (api.patch, f"/{pk}")):
        answer = send(f"/api/storages/export/s3{url}", s3_settings | change)
        assert answer.status_code == 400 and list(answer.json()["validation_errors"]) == [field], answer.content
    assert ExportStorage.objects.get().key_template == ""


@database
def test_a_change_of_the_form_alone_is_held_against_the_stored_template(api, create, s3_settings):
    pk = create("export/s3", s3_settings, object_form="annotation", key_template="{annotation_id}.json")["id"]
    assert "{annotation_id} needs" in refused(api.patch(f"/api/storages/export/s3/{pk}", {"object_form": "task"}))
