"""Projects on the pages: the list with its storages, creating, changing, the check of a label config."""

from html import unescape

import pytest
from django.test import Client

from projects.models import Project
from users.organizations import revoke_member

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ["/", "/projects", "/projects/new", "/projects/{pk}/", "/projects/{pk}/settings"]
EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.mark.parametrize("path", PAGES)
def test_only_members_of_its_organization_see_a_page(path, browser, charlie, alice, team, project):
    path = path.format(pk=project.pk)
    assert browser.get(path).status_code == 200
    anonymous = Client().get(path)
    assert anonymous.status_code == 302 and anonymous["Location"].startswith("/user/login/?next=/")
    stranger = Client()
    stranger.force_login(charlie)
    assert stranger.get(path).status_code == (404 if str(project.pk) in path else 200)
    revoke_member(alice, team)
    assert browser.get(path).status_code == 403


def test_the_list_shows_own_projects_only_and_escapes_what_people_wrote(browser, charlie, project, s3_settings, create):
    create("s3", s3_settings, title=EVIL)
    Project.objects.create(title="Foreign fleet", organization=charlie.active_organization)
    page = browser.get("/projects").content.decode()
    assert "Ships" in page and "Foreign fleet" not in page
    assert "<img" not in page and EVIL in unescape(page) and "Not synced yet" in page


def test_its_queries_do_not_grow_with_projects_and_storages(
    browser, alice, project, s3_settings, create, django_assert_num_queries
):
    for number in range(3):
        create("s3", s3_settings, title=str(number))
        Project.objects.create(title=f"P{number}", organization=alice.active_organization)
    with django_assert_num_queries(7):  # session, user, membership, count, projects, sources, targets
        browser.get("/projects")


def test_no_secret_is_even_read_for_the_list(browser, project, s3_settings, create, django_assert_num_queries):
    create("s3", s3_settings)
    with django_assert_num_queries(7) as queries:
        browser.get("/projects")
    assert not any("secret" in query["sql"] for query in queries.captured_queries)


def test_many_projects_come_in_pages_and_can_be_searched(browser, alice, project):
    names = [Project(title=f"Fleet {n:02}", organization=alice.active_organization) for n in range(30)]
    Project.objects.bulk_create(names)
    first, second = (browser.get(f"/projects?page={n}").content.decode() for n in (1, 2))
    assert "Fleet 29" in first and "Fleet 00" not in first and "Page 1 of 2" in first and "Fleet 00" in second
    assert "Page 2 of 2" in browser.get("/projects?page=999").content.decode()
    found = browser.get("/projects?search=fleet 07").content.decode()
    assert "Fleet 07" in found and "Fleet 08" not in found
    assert "No project is called like" in browser.get("/projects?search=%00nothing").content.decode()


def test_a_project_is_created_and_leads_to_its_storages(browser, alice):
    form = {"title": "Harbour", "description": "all of it", "label_config": '<View><Image name="a" value="$pic"/></View>'}
    answer = browser.post("/projects/new", form)
    made = Project.objects.get(title="Harbour")
    assert answer.status_code == 302 and answer["Location"] == f"/projects/{made.pk}/settings/storage"
    assert (made.organization_id, made.created_by_id) == (alice.active_organization_id, alice.pk)
    assert "<code>pic</code>" in browser.get(f"/projects/{made.pk}/").content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [({"title": "ab"}, "title"), ({"title": "x" * 51}, "title"), ({"label_config": "<View>"}, "label_config")],
)
@pytest.mark.parametrize("known", [True, False], ids=["change", "create"])
def test_bad_input_is_told_beside_its_field_and_nothing_is_saved(browser, project, change, field, known):
    entered = {"title": "A new title", "description": EVIL, "label_config": "<View></View>"} | change
    page = browser.post(f"/projects/{project.pk}/settings" if known else "/projects/new", entered)
    text = page.content.decode()
    assert page.status_code == 200 and f'id="error-{field}"' in text and 'aria-invalid="true"' in text
    assert EVIL in unescape(text) and "<img" not in text  # what was entered is still there
    assert list(Project.objects.values_list("title", flat=True)) == ["Ships"]


def test_settings_are_changed(browser, project):
    browser.post(f"/projects/{project.pk}/settings", {"title": "Boats", "description": "", "label_config": ""})
    project.refresh_from_db()
    assert (project.title, project.label_config) == ("Boats", "<View></View>")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('<View><Image name="a" value="$pic"/></View>', "<code>pic</code>"),
        ("", "No labeling setup"),
        ("<View>", "not well-formed"),
        ("<!DOCTYPE a><View/>", "DOCTYPE"),
    ],
)
def test_a_label_config_is_checked_while_it_is_typed(browser, config, told):
    assert told in browser.post("/projects/check-config", {"label_config": config}).content.decode()
