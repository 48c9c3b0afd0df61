"""What a target wrote is known as an export still when the target is deleted, or pointed elsewhere and back."""

import logging

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from storages import traces
from storages.backends import BACKENDS
from storages.base import ExportStorage
from storages.links import ExportLink, ExportTrace, key_digest
from storages.own_exports import OwnExports
from tests.conftest import client_of
from tests.storages.targets import annotate as annotate  # noqa: F401 - the fixture
from tests.storages.targets import task as task  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db(transaction=True)
IMPORT = BACKENDS["s3"].import_model


@pytest.fixture
def other(project, alice):
    """Another project of the organization, whose source lists the bucket."""
    return Project.objects.create(title="Boats", organization=project.organization, created_by=alice)


@pytest.fixture
def exported(create, s3, s3_settings, task, annotate, work):
    """A target with one object in the bucket."""

    def build(**more):
        target = create("export/s3", s3_settings, **more)
        annotate(task)
        work()
        assert len(s3.keys("data")) == 1
        return f"/api/storages/export/s3/{target['id']}"

    return build


@pytest.fixture
def imported(create, sync, s3_settings, other):
    """How many tasks a source of the other project makes of the bucket, and how many objects it leaves alone."""

    def count(method):
        source = create("s3", s3_settings | {"project": other.pk}, use_blob_urls=method == "files")
        done = sync("s3", source["id"])
        return done["last_sync_count"], done["meta"]["ignored"], done["status"]

    return count


@pytest.mark.parametrize("method", ["files", "tasks"])
def test_what_a_deleted_target_wrote_makes_no_tasks(method, exported, imported, api):
    assert api.delete(exported()).status_code == 204
    assert imported(method) == (0, 1, "completed")


@pytest.mark.parametrize("may_delete", [True, False])
def test_what_a_deleted_project_exported_makes_no_tasks(may_delete, exported, imported, api, project, s3, work):
    exported(can_delete_objects=may_delete)
    s3.refuse_all()
    assert api.delete(f"/api/projects/{project.pk}/").status_code == 204
    work()
    s3.refuse_all(False)
    assert len(s3.keys("data")) == 1
    assert imported("files") == (0, 1, "completed")


@pytest.mark.parametrize("back", [True, False])
def test_what_was_written_before_a_target_was_pointed_elsewhere_makes_no_tasks(back, exported, imported, api, s3):
    s3.create_bucket("elsewhere")
    path = exported()
    for bucket in ["elsewhere", "data"] if back else ["elsewhere"]:
        assert api.patch(path, {"bucket": bucket}).status_code == 200
    assert imported("files") == (0, 1, "completed")


def test_a_target_that_is_deleted_during_a_sync_hides_its_objects_all_the_same(exported, create, s3_settings, other, s3, api):
    path, keys = exported(), s3.keys("data")
    source = IMPORT.objects.get(pk=create("s3", s3_settings | {"project": other.pk})["id"])
    exports = OwnExports(source, source.client())
    assert exports.among(keys) == set(keys)
    assert api.delete(path).status_code == 204
    assert exports.among(keys) == set(keys)


def test_the_same_name_elsewhere_or_in_another_organization_is_no_export(exported, s3, s3_settings, charlie, api):
    path, keys = exported(), s3.keys("data")
    assert api.delete(path).status_code == 204
    s3.create_bucket("other")
    theirs = Project.objects.create(title="E", organization=charlie.active_organization, created_by=charlie)
    found = []
    for client, settings in [
        (api, s3_settings),
        (api, s3_settings | {"bucket": "other"}),
        (client_of(charlie), s3_settings | {"project": theirs.pk}),
    ]:
        answer = client.post("/api/storages/s3", settings)
        source = IMPORT.objects.get(pk=answer.json()["id"])
        found.append(OwnExports(source, source.client()).among(keys))
    assert found == [set(keys), set(), set()]


def test_a_target_without_a_project_hides_nothing_in_another_organization(exported, s3, s3_settings, charlie, api, project, work):
    exported(can_delete_objects=True)
    keys = s3.keys("data")
    s3.refuse_all()
    assert api.delete(f"/api/projects/{project.pk}/").status_code == 204
    s3.refuse_all(False)
    assert ExportStorage.objects.get().project is None
    theirs = Project.objects.create(title="E", organization=charlie.active_organization, created_by=charlie)
    answer = client_of(charlie).post("/api/storages/s3", s3_settings | {"project": theirs.pk})
    source = IMPORT.objects.get(pk=answer.json()["id"])
    assert OwnExports(source, source.client()).among(keys) == set()


def test_a_page_costs_one_query_for_traces_and_none_where_there_are_none(exported, create, s3_settings, other, api):
    def queries():
        source = IMPORT.objects.get(pk=create("s3", s3_settings | {"project": other.pk})["id"])
        exports = OwnExports(source, source.client())
        exports.among(["first"])
        with CaptureQueriesContext(connection) as asked:
            exports.among(f"{n}" for n in range(1000))
        return ["exporttrace" in query["sql"] for query in asked]

    assert queries() == []
    path = exported()
    assert queries() == [False, True]
    assert api.delete(path).status_code == 204
    assert queries() == [True]


def test_traces_are_found_by_their_index(team):
    table = ExportTrace._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        with CaptureQueriesContext(connection) as asked:
            traces.among(team.pk, "place", ["a", "b"])
            traces.any_in(team.pk, "place")
        for query in asked.captured_queries:
            cursor.execute(explain + query["sql"])
            plan = str(cursor.fetchall())
            assert f"{table}_pkey" in plan or f"sqlite_autoindex_{table}_1" in plan, plan
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")


def test_keeping_many_is_one_statement_and_keeping_them_again_none_more(exported):
    exported()
    target = ExportStorage.objects.get()
    many = [
        ExportLink(storage=target, form="task", subject=n, key=f"k{n}", key_digest=key_digest(f"k{n}"), digest=b"")
        for n in range(5000)
    ]
    ExportLink.objects.bulk_create(many)
    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        assert traces.keep(target) == 5001
    assert sum("INSERT" in query["sql"] for query in asked) == 1
    assert len(asked) < 10
    with transaction.atomic():
        assert traces.keep(target) == 0
    assert ExportTrace.objects.count() == 5001


def test_traces_go_with_a_change_that_is_undone(exported, api):
    exported()
    with transaction.atomic():
        traces.keep(ExportStorage.objects.get())
        transaction.set_rollback(True)
    assert not ExportTrace.objects.exists()


def test_a_target_that_nobody_can_read_leaves_no_traces_but_a_line_in_the_log(exported, settings, caplog):
    exported()
    settings.STORAGE_ENCRYPTION_KEYS = ["another"]
    target = ExportStorage.objects.get()
    with caplog.at_level(logging.WARNING), transaction.atomic():
        assert traces.keep(target) == 0
    assert "No trace of the exports of s3" in caplog.text
    assert not ExportTrace.objects.exists()


def test_a_target_that_wrote_nothing_leaves_no_traces_and_no_line(create, s3_settings, caplog):
    create("export/s3", s3_settings)
    with transaction.atomic():
        assert traces.keep(ExportStorage.objects.get()) == 0
    assert caplog.text == ""


def test_the_tables_of_exports_can_be_taken_back_while_a_target_is_closing(exported, project):
    exported()
    ExportStorage.objects.create(project=project, type="s3", title="stays")
    ExportStorage.objects.filter(title="Harbour bucket").update(project=None, former_project=project.pk)
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        executor = MigrationExecutor(connection)
        executor.migrate([("storages", "0004_media")])
        former = executor.loader.project_state([("storages", "0004_media")]).apps
        assert list(former.get_model("storages", "ExportStorage").objects.values_list("title", flat=True)) == ["stays"]
    finally:
        MigrationExecutor(connection).migrate(leaves)
    assert ExportStorage.objects.get().title == "stays"
