"""Redirects to signed URLs: how long they live, when one is handed out again, and what happens where signing is refused."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storages.base import ImportStorage
from storages.errors import AccessDenied, ConfigInvalid, Throttled, Unavailable
from storages.media import presigned, signer
from storages.media.uris import encode
from storages.providers.aws.client import S3Client
from tests.storages.media.asking import ROUTES, address, content
from tests.storages.media.conftest import PICTURE


@pytest.fixture
def clock(monkeypatch):
    """``clock(seconds)`` lets so many pass for the caches."""
    passed = [0.0]
    real = presigned.time.monotonic
    monkeypatch.setattr(presigned.time, "monotonic", lambda: real() + passed[0])

    def advance(seconds: float) -> None:
        passed[0] += seconds

    return advance


def located(api, task) -> str:
    response = api.get(address(ROUTES[0], task))
    assert response.status_code == 303
    return response["Location"]


def test_the_same_url_is_handed_out_while_half_of_its_life_is_left(api, task, source, clock):
    source(presign_ttl=10)
    first = located(api, task)
    clock(299)
    again = api.get(address(ROUTES[0], task))
    assert again["Location"] == first
    assert again["Cache-Control"] == "private, max-age=241", "of the life that is left"
    clock(2)
    assert api.get(address(ROUTES[0], task))["Cache-Control"] == "private, max-age=540"


def test_a_changed_life_counts_at_once(api, create, s3_settings, task, s3):
    storage = create("s3", s3_settings, presign_ttl=10, prefix="ds", use_blob_urls=True)
    first = located(api, task)
    assert api.patch(f"/api/storages/s3/{storage['id']}", {"presign_ttl": 20}).status_code == 200
    assert parse_qs(urlsplit(located(api, task)).query)["X-Amz-Expires"] == ["1200"]
    assert parse_qs(urlsplit(first).query)["X-Amz-Expires"] == ["600"]


def test_the_servers_policy_bounds_every_storage(api, task, source, settings):
    settings.PRESIGN_MAX_TTL = 5
    source(presign_ttl=60)
    assert parse_qs(urlsplit(located(api, task)).query)["X-Amz-Expires"] == ["300"]


@pytest.fixture
def refusing(monkeypatch):
    """How often a signer was asked that refuses as long as its list says so."""
    asked, refuse, real = [], [True], S3Client.signed

    def signed(self, key, ttl):
        asked.append(key)
        if refuse[0]:
            raise AccessDenied("signing was refused; grant iam.serviceAccounts.signBlob")
        return real(self, key, ttl)

    monkeypatch.setattr(S3Client, "signed", signed)
    return asked, refuse


def test_where_signing_is_refused_the_bytes_are_served_the_signer_is_left_alone_and_the_storage_says_why(
    api, task, source, refusing, monkeypatch
):
    asked, refuse = refusing
    storage = source()
    for _ in range(3):
        response = api.get(address(ROUTES[0], task))
        assert (response.status_code, content(response)) == (200, PICTURE)
    assert len(asked) == 1
    problem = api.get(f"/api/storages/s3/{storage.pk}").json()["presign_problem"]
    assert "iam.serviceAccounts.signBlob" in problem and "through this server" in problem
    refuse[0] = False
    assert api.get(address(ROUTES[0], task)).status_code == 200, "not asked again for a while"
    signer.forget()
    assert api.get(address(ROUTES[0], task)).status_code == 303
    assert api.get(f"/api/storages/s3/{storage.pk}").json()["presign_problem"] == ""


def test_a_storage_that_signs_writes_nothing(api, task, source):
    source()
    with CaptureQueriesContext(connection) as queries:
        located(api, task)
    assert queries and not [query for query in queries if "UPDATE" in query["sql"]]


def test_what_is_said_of_a_storage_is_kept_out_of_what_clients_may_set(api, create, s3_settings, s3):
    storage = create("s3", s3_settings, presign_problem="forged")
    assert ImportStorage.objects.get(pk=storage["id"]).presign_problem == ""


@pytest.mark.parametrize("kind", [Throttled, Unavailable, ConfigInvalid])
def test_where_signing_fails_for_any_reason_the_bytes_are_served(api, task, source, monkeypatch, kind):
    monkeypatch.setattr(S3Client, "signed", lambda *_: (_ for _ in ()).throw(kind("the signer does not work")))
    storage = source()
    response = api.get(address(ROUTES[0], task))
    assert (response.status_code, content(response)) == (200, PICTURE)
    problem = ImportStorage.objects.get(pk=storage.pk).presign_problem
    assert bool(problem) == (kind is ConfigInvalid), "what passes by itself is not worth a word"


def test_a_failure_that_is_remembered_does_not_collect_the_frames_of_requests(api, task, source, refusing):
    source()
    depths = []
    for _ in range(3):
        content(api.get(address(ROUTES[0], task)))
        (error,) = signer._failed.values()
        depths.append(error.__traceback__)
    assert depths == [None] * 3


def test_changed_settings_forget_what_was_wrong(api, create, s3_settings, task, refusing):
    storage = create("s3", s3_settings, prefix="ds", use_blob_urls=True)
    content(api.get(address(ROUTES[0], task)))
    assert api.get(f"/api/storages/s3/{storage['id']}").json()["presign_problem"]
    assert api.patch(f"/api/storages/s3/{storage['id']}", {"presign": False}).json()["presign_problem"] == ""


def test_a_link_is_remembered_no_longer_than_it_works(api, task, source, settings):
    settings.MEDIA_LINK_TTL = 600
    source(presign_ttl=10080)
    link = api.get(f"/api/tasks/{task.pk}/?signed_links=true").json()["data"]["image"]
    age = int(api.get(link)["Cache-Control"].rpartition("=")[2])
    assert 0 < age <= 600


def test_a_key_that_no_store_can_hold_is_not_asked_for(api, project, source):
    source()
    answer = api.get(f"/projects/{project.pk}/resolve/?fileuri={encode('s3://data/' + 'x' * 5000)}")
    assert answer.status_code == 404
