"""The table of a project's tasks: access, pages, search and filters, hostile content, queries."""

from typing import Any

import pytest
from django.test import Client

from projects.models import Project
from storages.links import ExportLink, Form
from storages.pages import task_search
from tasks.models import Annotation
from tests.storages.pages.task_cast import browser as browser  # noqa: F401 - a fixture
from tests.storages.pages.task_cast import detail, shown, table
from tests.storages.pages.task_cast import make as make  # noqa: F401
from tests.storages.pages.task_cast import source as source  # noqa: F401
from tests.storages.pages.task_cast import target as target  # noqa: F401
from users.organizations import revoke_member

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp\"'" + "x" * 900


@pytest.mark.parametrize("more", ["", "/text?uri=s3://data/a.txt"])
def test_only_members_see_a_task_and_only_in_its_own_project(browser, alice, charlie, team, project, make, more):
    task = make({"image": "s3://data/a.png"})
    other = Project.objects.create(title="Other", organization=team)
    stranger = Client()
    assert stranger.get(detail(task, more)).status_code == 302 and stranger.get(table(project)).status_code == 302
    stranger.force_login(charlie)
    shown(stranger, detail(task, more), 404)
    shown(stranger, table(project), 404)
    shown(browser, f"/projects/{other.pk}/data/{task.pk}{more}", 404)
    shown(browser, f"/projects/{project.pk}/data/99999999999999999999{more}", 404)
    revoke_member(alice, team)
    assert browser.get(detail(task, more)).status_code == 403 and browser.get(table(project)).status_code == 403


def test_a_page_of_the_table_shows_where_each_task_came_from(browser, project, source, make):
    make({"image": "s3://data/ships/1.png"}, (source, "ships/1.png"))
    make({"text": "a calm sea"}, total_annotations=2)
    page = shown(browser, table(project))
    assert 'loading="lazy"' in page and "/resolve/?fileuri=" in page and "ships/1.png" in page and "Harbour" in page
    assert "a calm sea" in page and "Not from a storage" in page
    assert page.count('class="badge good"') == 1 and "2026-" in page


def test_the_pages_of_the_table_follow_each_other_both_ways(browser, project, make, monkeypatch):
    monkeypatch.setattr(task_search, "SIZE", 2)
    ids = [make({"text": str(number)}).pk for number in range(5)]

    def page(**query: Any) -> tuple[list[int], str, str]:
        found = browser.get(table(project, **query)).context["found"]
        return found.ids, found.previous, found.next

    assert page() == (ids[:2], "", f"?after={ids[1]}")
    assert page(after=ids[1]) == (ids[2:4], f"?before={ids[2]}", f"?after={ids[3]}")
    assert page(after=ids[3]) == (ids[4:], f"?before={ids[4]}", "")
    assert page(before=ids[4]) == (ids[2:4], f"?before={ids[2]}", f"?after={ids[3]}")
    assert page(before=ids[1])[0] == page(before=ids[2])[0] == ids[:2], "the first page is a full one"
    assert page(after=ids[4])[0] == [] and page(after="x'--")[0] == ids[:2]
    assert "behind the last task" in shown(browser, table(project, after=ids[4]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "SHIPS/"}, [0, 1]),
        ({"name": "%25"}, []),
        ({"name": "1"}, [0, 2]),
        ({"annotated": "yes"}, [1, 3]),
        ({"annotated": "no"}, [0, 2]),
        ({"name": "ships", "annotated": "yes"}, [1]),
        ({"storage": "{source}"}, [0, 1, 2]),
        ({"storage": "{source}", "name": "boats"}, [2]),
    ],
)
def test_the_table_is_filtered_by_name_storage_and_state(browser, project, source, make, query, expected):
    tasks = [
        make({"image": "s3://data/ships/1.png"}, (source, "ships/1.png")),
        make({"image": "s3://data/ships/2.png"}, (source, "ships/2.png"), total_annotations=1),
        make({"image": "s3://data/boats/1.png"}, (source, "boats/1.png")),
        make({"text": "no file"}, total_annotations=3),
    ]
    answer = browser.get(table(project, **{key: value.format(source=source.pk) for key, value in query.items()}))
    assert answer.context["found"].ids == [tasks[number].pk for number in expected]
    if not expected:
        assert "No task matches" in answer.content.decode()


def test_a_search_looks_at_so_many_tasks_only_and_says_where_to_go_on(browser, project, source, make, monkeypatch):
    monkeypatch.setattr(task_search, "WINDOW", 3)
    tasks = [make({}, (source, f"{number}.png")) for number in range(7)]
    found = browser.get(table(project, name="6.png")).context["found"]
    seen = 1
    while found.further and not found.ids:
        assert found.further == f"?name=6.png&after={found.looked_to}"
        found, seen = browser.get(f"/projects/{project.pk}/data{found.further}").context["found"], seen + 1
    assert (found.ids, seen) == ([tasks[6].pk], 3)
    assert "3 tasks were searched" in shown(browser, table(project, name="6.png"))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"storage": "999"}, "no such source storage"),
        ({"storage": "x"}, "no such source storage"),
        ({"annotated": "maybe"}, "Choose one of the list"),
        ({"name": "a%00b"}, "at most 1,024 characters"),
        ({"name": "x" * 1025}, "at most 1,024 characters"),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_beside_its_field_and_filters_nothing(browser, project, make, query, told):
    task = make({"text": "sea"})
    answer = browser.get(table(project, **query))
    assert answer.status_code == 200 and told in answer.content.decode() and 'aria-invalid="true"' in answer.content.decode()
    assert answer.context["found"].ids == [task.pk]


def test_a_project_without_tasks_says_what_to_do_next(browser, project, source):
    assert "Sync a storage" in shown(browser, table(project))
    source.delete()
    assert "Connect a storage" in shown(browser, table(project))


def test_the_queries_of_the_table_do_not_grow_with_its_tasks(browser, project, source, make, django_assert_num_queries):
    for number in range(2):
        make({"image": f"s3://data/{number}.png"}, (source, f"{number}.png"))
    shown(browser, table(project))  # fills the cache of sources
    for wanted, queries in (({}, 9), ({"name": "png"}, 10)):
        # session, user, membership, project, storages, [end of the window,] ids, stamps, links, tasks
        with django_assert_num_queries(queries):
            shown(browser, table(project, **wanted))
    for number in range(2, 9):
        make({"image": f"s3://data/{number}.png"}, (source, f"{number}.png"))
    with django_assert_num_queries(9):
        shown(browser, table(project))


def test_data_that_are_too_large_are_not_loaded_for_the_table(browser, project, make, monkeypatch):
    monkeypatch.setattr("storages.pages.tasks.LARGEST", 100)
    make({"text": "long " * 100})
    make({"text": "short"})
    page = shown(browser, table(project))
    assert "Too large for the table" in page and "long long" not in page and "short" in page


def test_hostile_keys_titles_and_data_are_text(browser, project, source, target, make):
    source.title = project.title = target.title = "<script>x()</script>"[:50]
    for row in (source, project, target):
        row.save()
    deep: Any = "bottom"
    for _ in range(300):
        deep = [deep]
    link = {"url": "javascript:alert(1)", "data:": "data:text/html,<script>alert(1)</script>"}
    data = {HOSTILE: HOSTILE, "image": f"s3://data/{HOSTILE}.png", "deep": deep, "megabyte": "<b>" * 350_000, **link}
    task = make(data, (source, HOSTILE + ".png"), meta={"<script>": "</script>"})
    annotation = Annotation.objects.create(task=task, project=project, result=[{"<script>": HOSTILE}])
    ExportLink.objects.create(storage_id=target.pk, form=Form.ANNOTATION, subject=annotation.pk, key=HOSTILE, digest=b"1")
    for page in (shown(browser, table(project)), shown(browser, table(project, name="<script>")), shown(browser, detail(task))):
        body = page.partition("<main")[2]
        assert "<script" not in body and "<img src=x" not in body and "<b>" not in body
        assert 'href="javascript' not in body and 'src="data:' not in body and 'href="data:' not in body
        assert len(page) < 900_000
