"""Which storage serves a URI, and how a page of tasks is rewritten."""

import copy

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storages.base import new_revision
from storages.media.resolve import choose, load_sources, resolve_data
from storages.media.uris import encode
from tasks.signals import tasks_presenting


def link_to(uri: str, task_id: int = 5) -> str:
    return f"{django_settings.HOST}/tasks/{task_id}/resolve/?fileuri={encode(uri)}"


def held(project):
    return load_sources([project.pk])[project.pk]


def usable(project):
    return held(project).usable


def payload(task, project) -> dict:
    return {"id": task.pk, "project": project.pk, "data": copy.deepcopy(task.data), "storage_filename": None}


RESOLVED = [
    "s3://data/ds/1.png",
    "s3://data/ds/a b.png",
    "s3://data/ds/a?b#c%20d%2Be+f&g=h.png",
    "s3://data/ds//x.png",
    "s3://data/ds/größe.png",
    "s3://data/ds/...png",
]
LEFT_ALONE = [
    "s3://other/ds/1.png",
    "s3://data/ds-private/1.png",
    "s3://data/1.png",
    "s3://data/ds",
    "s3://data/ds/",
    "s3://data",
    "S3://data/ds/1.png",
    "s3://DATA/ds/1.png",
    "gs://data/ds/1.png",
    "s3://data/ds/../secret.png",
    "s3://data/ds/./1.png",
    "s3:/",
    "s3 is great",
    "/data/local-files/?d=ds/1.png",
    "https://data/ds/1.png",
]


@pytest.mark.parametrize("uri", RESOLVED)
def test_a_uri_inside_bucket_and_prefix_becomes_a_link(project, source, uri):
    source(prefix="ds")
    assert resolve_data({"image": uri}, 5, held(project)) == {"image": link_to(uri)}


@pytest.mark.parametrize("value", LEFT_ALONE)
def test_anything_else_stays_as_it_is(project, source, value):
    source(prefix="ds/")
    assert resolve_data({"image": value}, 5, held(project)) == {"image": value}


def test_uris_are_resolved_one_by_one_at_any_depth_and_the_data_is_not_touched(project, source):
    source(prefix="ds")
    mine, foreign = "s3://data/ds/1.png", "s3://unknown/2.png"
    data = {
        "a": [foreign, {"b": mine}],
        "html": f'<img src="{mine}"><img src="{foreign}">',
        "n": 1,
        "t": None,
        "text": f"see {mine}.",
    }
    before = copy.deepcopy(data)
    assert resolve_data(data, 5, held(project)) == {
        "a": [foreign, {"b": link_to(mine)}],
        "html": f'<img src="{link_to(mine)}"><img src="{foreign}">',
        "n": 1,
        "t": None,
        "text": f"see {link_to(mine)}.",
    }
    assert data == before


def test_links_are_absolute_when_the_server_knows_its_host(project, source, settings):
    source(prefix="ds")
    settings.HOST = "https://label.example"
    link = resolve_data("s3://data/ds/1.png", 5, held(project))
    assert link == f"https://label.example/tasks/5/resolve/?fileuri={encode('s3://data/ds/1.png')}"


def test_the_tasks_own_storage_wins_then_the_longest_root_then_the_lowest_id(project, source):
    whole, folder, twin = source(), source(prefix="ds"), source(prefix="ds")
    sources = usable(project)

    def chosen(uri: str, own: int | None = None) -> int:
        return choose(uri, sources, own)[0].storage.pk

    assert chosen("s3://data/ds/1.png") == folder.pk
    assert chosen("s3://data/ds/1.png", own=twin.pk) == twin.pk
    assert chosen("s3://data/ds/1.png", own=whole.pk) == whole.pk
    assert chosen("s3://data/other/1.png", own=twin.pk) == whole.pk
    assert choose("s3://data/ds/1.png", sources)[1] == "ds/1.png"


def test_storages_of_other_projects_serve_nothing_here(project, source, charlie):
    other = type(project).objects.create(title="Theirs", organization=charlie.active_organization)
    source(project=other)
    assert usable(project) == []


def test_a_page_of_tasks_costs_two_queries_whatever_its_length_and_one_more_after_a_change_of_the_storages(
    project, source, make_task
):
    storages = [source(prefix="ds"), source(), source(bucket="second")]
    counts = []
    for length in (1, 1, 40):
        tasks = [make_task({"image": f"s3://data/ds/{i}.png"}, (storages[0], f"ds/{i}.png")) for i in range(length)]
        page = [payload(task, project) for task in tasks]
        with CaptureQueriesContext(connection) as queries:
            tasks_presenting.send(None, payloads=page, resolve=True)
        counts.append(len(queries))
        for number, (task, shown) in enumerate(zip(tasks, page, strict=True)):
            assert shown["data"] == {"image": link_to(f"s3://data/ds/{number}.png", task.pk)}
            assert shown["storage_filename"] == f"ds/{number}.png"
            assert task.data == {"image": f"s3://data/ds/{number}.png"}
    assert counts == [3, 2, 2]


def test_without_resolving_a_page_still_names_the_objects_and_keeps_the_raw_uris(project, source, make_task):
    task = make_task({"image": "s3://data/ds/1.png"}, (source(), "ds/1.png"))
    loose = make_task({"image": "s3://data/ds/2.png"})
    page = [payload(task, project), payload(loose, project)]
    tasks_presenting.send(None, payloads=page, resolve=False)
    assert [(shown["storage_filename"], shown["data"]) for shown in page] == [("ds/1.png", task.data), (None, loose.data)]


def test_a_page_asks_no_storage_for_anything(project, source, make_task, s3):
    task = make_task({"image": "s3://data/ds/1.png"}, (source(), "ds/1.png"))
    tasks_presenting.send(None, payloads=[payload(task, project)], resolve=True)
    assert s3.requests == []


def test_a_storage_with_broken_settings_leaves_the_rest_of_the_page_readable(project, source, make_task):
    source(bucket="Not A Bucket")
    source(prefix="ds")
    page = [payload(make_task({"image": "s3://data/ds/1.png"}), project)]
    tasks_presenting.send(None, payloads=page, resolve=True)
    assert page[0]["data"]["image"].startswith("/tasks/")


def test_an_empty_page_asks_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        tasks_presenting.send(None, payloads=[], resolve=True)


@pytest.mark.parametrize(
    "key", ["ds/a gs://b/c.png", "ds/a,s3://data/ds/b.png", "ds/ends with blanks  ", "ds/x\ts3://data/y", "ds/(1."]
)
def test_the_uri_of_a_tasks_own_object_is_one_uri_however_its_key_reads(project, source, make_task, key):
    storage = source(prefix="ds")
    task = make_task({"image": f"s3://data/{key}"}, (storage, key))
    page = [payload(task, project)]
    tasks_presenting.send(None, payloads=page, resolve=True)
    assert page[0]["data"] == {"image": link_to(f"s3://data/{key}", task.pk)}


def test_a_changed_deleted_or_added_storage_counts_at_once(project, source):
    storage = source(prefix="ds")
    assert [held.client.root for held in usable(project)] == ["ds/"]
    storage.prefix = "other"
    storage.revision = new_revision()
    storage.save()
    assert [held.client.root for held in usable(project)] == ["other/"]
    source(prefix="second")
    assert [held.client.root for held in usable(project)] == ["other/", "second/"]
    storage.delete()
    assert [held.client.root for held in usable(project)] == ["second/"]
