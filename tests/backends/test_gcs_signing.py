"""Signed URLs of Cloud Storage: by the key itself or by IAM, and how often IAM is asked."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from storages.errors import AccessDenied, ConfigInvalid, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.google import signing as gcs_signing
from tests.backends.boxes.gcs_fixtures import asked, failure
from tests.backends.boxes.gcs_fixtures import federated as federated  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_fixtures import gcs as gcs  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_fixtures import impersonated as impersonated  # noqa: F401 - the fixture
from tests.fakes.google_clients import SIGN_PERMISSION
from tests.fakes.wire import Response, Server


def fetch(url, method="GET", **headers):
    return urllib3.request(method, url, headers=headers)


def test_a_signed_url_serves_get_head_and_ranges_until_it_expires_and_only_for_its_object(gcs):
    gcs.put("b.png", b"other")
    url = gcs.client().presign("a.png", 600)
    query = parse_qs(urlsplit(url).query)
    assert (query["X-Goog-Algorithm"], query["X-Goog-Expires"]) == (["GOOG4-RSA-SHA256"], ["600"])
    assert (fetch(url, Range="bytes=2-4").data, fetch(url).headers["Content-Type"], fetch(url, "HEAD").status) == (
        b"234",
        "image/png",
        200,
    )
    assert fetch(url.replace("a.png", "b.png")).status == 403
    assert fetch(url.replace("Expires=600", "Expires=6000")).status == 403
    gcs.fake.advance(601)
    assert fetch(url).status == 400


def test_a_key_signs_by_itself_and_for_a_week_at_most(gcs):
    url = gcs.client().presign("a.png", 30 * 24 * 3600)
    assert parse_qs(urlsplit(url).query)["X-Goog-Expires"] == ["604800"]
    assert fetch(url).data == b"0123456789" and len(gcs.fake.requests) == 1


@pytest.fixture(params=["impersonated", "federated"])
def remote(request):
    """A bucket whose URLs are signed by IAM."""
    return request.getfixturevalue(request.param)


def test_a_url_that_iam_signed_for_one_identity_is_never_handed_to_another(impersonated):
    impersonated.client().presign("a.png", 600)
    stranger = "stranger@harbour-tests.iam.gserviceaccount.com"
    impersonated.sign_in(json.loads(impersonated.fake.service_account_json(stranger)))
    with pytest.raises(AccessDenied):
        impersonated.client().presign("a.png", 600)


def test_what_iam_signs_lives_for_twelve_hours_at_most(remote):
    url, seconds = remote.client().signed("a.png", 24 * 3600)
    assert parse_qs(urlsplit(url).query)["X-Goog-Expires"] == [str(seconds)] == ["43200"]


def signatures(box):
    return len(asked(box, "iam", ":signBlob"))


def test_iam_signs_where_there_is_no_key(remote):
    url = remote.client().presign("a.png", 600)
    assert urlsplit(url).query.startswith("X-Goog-Algorithm=GOOG4-RSA-SHA256") and signatures(remote) == 1
    assert fetch(url, Range="bytes=2-4").data == b"234" and fetch(url, "HEAD").status == 200
    assert fetch(url.replace("a.png", "b.png")).status == 403
    remote.fake.advance(601)
    assert fetch(url).status == 400


def test_an_account_that_may_not_sign_for_itself_is_no_permission_and_names_the_grant(remote):
    remote.fake.revoke_iam(remote.fake.email, remote.fake.email, SIGN_PERMISSION)
    error = failure(remote, "list", "read", "sign")
    assert isinstance(error, AccessDenied) and error.verb == "sign"
    assert error.grant == f"roles/iam.serviceAccountTokenCreator on {remote.fake.email} for itself"


@pytest.mark.parametrize(("status", "kind"), [(400, ConfigInvalid), (429, Throttled), (503, Throttled), (500, Unavailable)])
def test_a_refused_signature_never_becomes_a_url(impersonated, status, kind):
    impersonated.fake.fail_next(1, status, "X", match=":signBlob")
    with pytest.raises(kind):
        impersonated.client().presign("a.png", 600)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"signedBlob": 5}', b'{"signedBlob": "*"}'])
def test_an_answer_without_a_signature_never_becomes_a_url(impersonated, settings, body):
    client = impersonated.client()
    token = client.identity.token()
    with Server(lambda request: Response(200, {"content-length": str(len(body))}, body)) as server:
        client.identity.token = lambda: token
        settings.GOOGLE_IAMCREDENTIALS_URL = server.url
        with pytest.raises(Unavailable):
            client.presign("a.png", 600)


def test_a_url_is_handed_out_again_for_a_while_and_only_for_the_same_wish(impersonated, monkeypatch):
    client = impersonated.client()
    url = client.presign("a.png", 600)
    assert [impersonated.client().presign("a.png", 600) for _ in range(3)] == [url] * 3 and signatures(impersonated) == 1
    client.presign("a.png", 300)
    client.presign("b.png", 600)
    assert signatures(impersonated) == 3
    real = gcs_signing.time.monotonic
    monkeypatch.setattr(gcs_signing.time, "monotonic", lambda: real() + gcs_signing.KEPT + 1)
    client.presign("a.png", 600)
    assert signatures(impersonated) == 4


@pytest.mark.parametrize(("ttl", "most"), [(60, 30), (40, 20), (600, 60), (604_800, 60)])
def test_a_url_handed_out_again_has_at_least_half_its_life_and_all_but_a_minute_left(impersonated, monkeypatch, ttl, most):
    client, real, ahead = impersonated.client(), gcs_signing.time.monotonic, 0.0
    monkeypatch.setattr(gcs_signing.time, "monotonic", lambda: real() + ahead)
    client.presign("a.png", ttl)
    ahead = most - 1.0
    client.presign("a.png", ttl)
    assert signatures(impersonated) == 1
    ahead = most + 0.5
    client.presign("a.png", ttl)
    assert signatures(impersonated) == 2


def test_no_more_urls_are_kept_than_a_bound(impersonated, monkeypatch):
    monkeypatch.setattr(gcs_signing, "MOST", 2)
    gcs_signing._kept.clear()
    for name in "abcd":
        impersonated.client().presign(name, 60)
    assert [place[-2] for place in gcs_signing._kept] == ["c", "d"]


def test_a_connection_check_asks_for_a_new_signature(impersonated):
    client = impersonated.client()
    client.presign("a.png", 60)
    impersonated.fake.revoke_iam(impersonated.fake.email, impersonated.fake.email, SIGN_PERMISSION)
    assert client.presign("a.png", 60)
    assert isinstance(failure(impersonated, "list", "read", "sign"), AccessDenied)


def test_a_token_that_ended_is_renewed_for_signing_too(impersonated, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = impersonated.client()
    client.stat("a.png")
    impersonated.fake.expire_tokens()
    assert fetch(client.presign("a.png", 60)).data == b"0123456789"
