"""Who may read what through the resolver: occurrence in the task, container and root, organization."""

import pytest

from projects.models import Project
from storages.media.uris import encode
from tests.storages.media.asking import ROUTES, URI, address, assert_envelope
from tests.storages.media.conftest import PICTURE


@pytest.mark.parametrize("route", ROUTES)
def test_another_organization_sees_neither_task_nor_project(stranger, task, source, route):
    source()
    assert_envelope(stranger.get(address(route, task)), 404)
    assert_envelope(stranger.get(address(route, task), headers={"Range": "bytes=0-1"}), 404)


@pytest.mark.parametrize("route", ROUTES)
def test_without_signing_in_nothing_is_told(client, task, source, route):
    source()
    response = client.get(address(route, task))
    assert_envelope(response, 401)
    assert response["WWW-Authenticate"] == "Token"


def test_a_stranger_cannot_borrow_our_bucket_through_a_task_of_their_own(stranger, charlie, make_task, task, source):
    source()
    theirs = Project.objects.create(title="Theirs", organization=charlie.active_organization)
    assert_envelope(stranger.get(address(ROUTES[0], make_task({"image": URI}, project=theirs))), 404)
    assert_envelope(stranger.get(f"/projects/{theirs.pk}/resolve/?fileuri={encode(URI)}"), 404)


@pytest.mark.parametrize("route", ROUTES[:2])
def test_a_task_serves_only_the_uris_in_its_own_data(api, task, source, make_task, s3, route):
    source()
    s3.put("data", "ds/2.png", PICTURE)
    other = make_task({"image": "s3://data/ds/2.png"})
    assert_envelope(api.get(address(route, task, encode("s3://data/ds/2.png"))), 404)
    assert api.get(address(route, other, encode("s3://data/ds/2.png"))).status_code == 303
    assert_envelope(api.get(address(route, task, encode("s3://data/ds/1"))), 404)


@pytest.mark.parametrize(
    "data",
    [
        {"$undefined$": URI},
        {"a": [{"b": ["x", URI]}]},
        [URI],
        {"html": f'<p><img src="s3://data/ds/0.png"><img src="{URI}"></p>'},
        {"text": f"look at {URI}."},
    ],
)
def test_a_uri_may_lie_anywhere_in_the_tasks_data(api, task, source, make_task, data):
    source()
    assert api.get(address(ROUTES[0], make_task(data))).status_code == 303


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "uri",
    [
        "s3://data/ds-private/1.png",
        "s3://data/secret.png",
        "s3://data/ds/../secret.png",
        "s3://data/ds/./1.png",
        "s3://data/dsx",
        "s3://data/ds/",
        "s3://elsewhere/ds/1.png",
        "gs://data/ds/1.png",
        "file:///etc/passwd",
        "redis://127.0.0.1:6379/1/ds/1.png",
    ],
)
def test_nothing_outside_the_storages_bucket_and_prefix_is_served_even_if_a_task_names_it(api, source, make_task, s3, route, uri):
    s3.put("data", "secret.png", PICTURE)
    s3.put("data", "ds-private/1.png", PICTURE)
    source(prefix="ds", presign=False)
    assert_envelope(api.get(address(route, make_task({"image": uri}), encode(uri))), 404)
    assert s3.requests == []


def told(response) -> tuple[int, str]:
    """What an answer gives away."""
    return response.status_code, response.json()["detail"]


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("route", ROUTES)
def test_whether_a_foreign_object_exists_is_not_told(api, source, make_task, s3, route, method):
    s3.put("data", "secret.png", PICTURE)
    source(prefix="ds", presign=False)
    task = make_task({"image": URI})
    there, missing = (address(route, task, encode(f"s3://data/{name}")) for name in ("secret.png", "none.png"))
    if method == "get":
        assert told(api.get(there)) == told(api.get(missing))
        assert told(api.get(there, headers={"Range": "bytes=99999-"})) == told(api.get(missing))
    assert getattr(api, method)(there).status_code == getattr(api, method)(missing).status_code == 404
    assert s3.requests == []


@pytest.mark.parametrize("route", ROUTES)
def test_whether_a_foreign_task_or_project_exists_is_not_told(stranger, task, source, route):
    source()
    foreign = stranger.get(address(route, task))
    unknown = stranger.get(route.format(task=999999, project=999999) + f"?fileuri={encode(URI)}")
    assert told(foreign) == told(unknown)
