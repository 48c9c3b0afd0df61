"""Links that need no cookie and no token: what they are bound to, when they end, what they cost."""

import time

import pytest
import requests
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from storages.media import grants
from storages.media.uris import encode
from tasks.models import Task
from tests.storages.media.asking import KEY, URI, assert_envelope
from tests.storages.media.conftest import PICTURE
from users.organizations import revoke_member


@pytest.fixture
def nobody() -> Browser:
    """Without cookie and token."""
    return Browser()


def link_of(api, task) -> str:
    return api.get(f"/api/tasks/{task.pk}/?signed_links=true").json()["data"]["image"]


@pytest.mark.parametrize("presign", [True, False])
def test_a_signed_link_loads_without_cookie_or_token(api, nobody, task, source, presign):
    source(presign=presign)
    response = nobody.get(link_of(api, task))
    assert response.status_code == (303 if presign else 200)
    loaded = requests.get(response["Location"], timeout=5).content if presign else b"".join(response.streaming_content)
    assert loaded == PICTURE
    head = nobody.head(link_of(api, task))
    assert (head.status_code, head["Content-Length"]) == (200, str(len(PICTURE)))


def test_a_signed_link_takes_ranges_and_conditions(api, nobody, task, source):
    source(presign=False)
    link = link_of(api, task)
    part = nobody.get(link, headers={"Range": "bytes=3-5"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, PICTURE[3:6])
    assert nobody.get(link, headers={"If-None-Match": part["ETag"]}).status_code == 304


def test_links_are_signed_only_where_that_is_asked_for(api, task, source, settings):
    source()
    unsigned = f"/tasks/{task.pk}/resolve/?fileuri={encode(URI)}"
    assert api.get(f"/api/tasks/{task.pk}/").json()["data"]["image"] == unsigned
    settings.MEDIA_SIGNED_LINKS = True
    assert api.get(f"/api/tasks/{task.pk}/").json()["data"]["image"].startswith(f"{unsigned}&user=")
    assert api.get(f"/api/tasks/{task.pk}/?signed_links=false").json()["data"]["image"] == unsigned
    page = api.get(f"/api/tasks/?project={task.project_id}").json()["tasks"]
    assert page[0]["data"]["image"].startswith(f"{unsigned}&user=")


def test_a_link_is_the_same_for_a_while_so_that_a_browser_can_keep_the_picture(api, task, source, monkeypatch, settings):
    source()
    settings.MEDIA_LINK_TTL = 1000
    now = 1_800_000_000
    links = []
    for moment in (now, now + 499, now + 500):
        monkeypatch.setattr("storages.media.signed_links.time.time", lambda moment=moment: moment)
        links.append(link_of(api, task))
    assert links[0] == links[1] != links[2]
    assert f"expires={now + 1000}" in links[0]


@pytest.mark.parametrize(
    ("part", "other"),
    [("fileuri", encode("s3://data/ds/2.png")), ("user", "{bob}"), ("storage", "{second}"), ("expires", "1999999999"), ("task", "{other}"),
     ("signature", "0" * 64), ("signature", ""), ("user", "x"), ("expires", "9" * 400)],
)  # fmt: skip
def test_whatever_is_changed_in_a_link_ends_it(api, nobody, task, source, make_task, bob, s3, part, other):
    source()
    s3.put("data", "ds/2.png", PICTURE)
    path, _, query = link_of(api, task).partition("?")
    fields = {"bob": bob.pk, "second": source(prefix="ds").pk, "other": make_task({"image": URI}).pk}
    names = dict(pair.split("=", 1) for pair in query.split("&"))
    value = other.format(**fields)
    if part == "task":
        path = path.replace(f"/{task.pk}/", f"/{value}/")
    else:
        names[part] = value
    assert_envelope(nobody.get(f"{path}?{'&'.join(f'{name}={value}' for name, value in names.items())}"), 403)


def test_an_expired_link_is_refused(api, nobody, task, source, monkeypatch, settings):
    source()
    link = link_of(api, task)
    later = time.time() + settings.MEDIA_LINK_TTL + 1
    monkeypatch.setattr("storages.media.signed_links.time.time", lambda: later)
    assert_envelope(nobody.get(link), 403)


def test_a_key_that_is_taken_out_ends_its_links_and_a_new_one_in_front_does_not(api, nobody, task, source, settings):
    source()
    settings.MEDIA_LINK_KEYS = ["old"]
    link = link_of(api, task)
    settings.MEDIA_LINK_KEYS = ["new", "old"]
    assert nobody.get(link).status_code == 303
    assert link_of(api, task) != link
    settings.MEDIA_LINK_KEYS = ["new"]
    assert_envelope(nobody.get(link), 403)


def test_a_link_ends_with_its_users_membership_its_storage_and_the_storages_prefix(api, nobody, task, source, alice):
    storage = source()
    link = link_of(api, task)
    type(storage).objects.filter(pk=storage.pk).update(prefix="elsewhere")
    grants.forget()
    assert_envelope(nobody.get(link), 404)
    type(storage).objects.filter(pk=storage.pk).update(prefix="ds")
    grants.forget()
    assert nobody.get(link).status_code == 303
    revoke_member(alice, alice.active_organization)
    grants.forget()
    assert_envelope(nobody.get(link), 403)


def test_a_deleted_storage_serves_no_link(api, nobody, task, source):
    storage = source()
    link = link_of(api, task)
    storage.delete()
    grants.forget()
    assert_envelope(nobody.get(link), 404)


def test_the_user_of_a_link_must_see_the_project(api, nobody, task, source, charlie):
    source()
    link = link_of(api, task)
    Project.objects.filter(pk=task.project_id).update(organization=charlie.active_organization)
    grants.forget()
    assert_envelope(nobody.get(link), 404)


def test_a_redirect_by_link_costs_no_query(api, nobody, task, source, make_task):
    source()
    links = [link_of(api, make_task({"image": f"s3://data/ds/{number}.png"})) for number in range(10)]
    nobody.get(links[0])
    with CaptureQueriesContext(connection) as queries:
        assert {nobody.get(link).status_code for link in links} == {303}
    assert len(queries) == 0, [query["sql"] for query in queries]


def test_links_inside_html_survive_as_attributes(api, nobody, source, make_task, s3):
    source()
    s3.put("data", KEY, PICTURE, "image/png")
    task = make_task({"html": f'<img src="{URI}">'})
    html = api.get(f"/api/tasks/{task.pk}/?signed_links=true").json()["data"]["html"]
    assert nobody.get(html.split('"')[1]).status_code == 303
    assert Task.objects.get(pk=task.pk).data == {"html": f'<img src="{URI}">'}
