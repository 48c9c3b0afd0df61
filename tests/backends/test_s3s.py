"""S3 through an IAM role: who may assume it, how long a session is used, and what a signed URL can outlive."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from storages.doctor import examine
from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, Throttled, Unavailable
from storages.providers import tokens
from storages.providers.aws import role as s3_role
from tests.backends.boxes.s3s import EXTERNAL_ID, ROLE, S3SHarness

OTHER = "arn:aws:iam::123456789012:role/other"


@pytest.fixture
def role(tmp_path):
    box = S3SHarness(tmp_path)
    box.put("a.png", b"0123456789")
    yield box
    box.close()


def failure(box, **settings):
    return examine(lambda: box.client(**settings), {"list"}).error


@pytest.mark.parametrize("external_id", ["quay:8", "quay:", None, ""])
def test_a_wrong_or_missing_external_id_is_no_permission_and_names_the_grant(role, external_id):
    error = failure(role, external_id=external_id)
    assert isinstance(error, AccessDenied) and error.verb == "list"
    assert error.grant == f"sts:AssumeRole on {ROLE}" and "external id" in str(error)


def test_the_external_id_is_sent_and_the_session_is_named_after_the_project(role):
    assert failure(role) is None
    [assumed] = role.fake.assumed
    assert (assumed.role, assumed.external_id, assumed.session) == (ROLE, EXTERNAL_ID, "quayside-project-1")


def test_a_role_that_does_not_trust_these_keys_or_does_not_exist_is_no_permission(role):
    role.fake.add_role(OTHER, ["AKIASOMEBODYELSE0001"])
    for arn in (OTHER, OTHER + "2"):
        assert isinstance(failure(role, role_arn=arn, external_id=None), AccessDenied)


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"aws_secret_access_key": "wrong"}, BadCredentials), ({"aws_access_key_id": "AKIANOBODY0000000001"}, BadCredentials)],
)
def test_wrong_source_keys_are_bad_credentials(role, change, kind):
    assert isinstance(failure(role, **change), kind)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"role_arn": ""}, "role_arn"), ({"role_arn": "arn:aws:iam::1:role/x"}, "role_arn"), ({"role_arn": ROLE + " x"}, "role_arn"),
     ({"role_arn": "arn:aws:iam::123456789012:user/x"}, "role_arn"), ({"external_id": "x"}, "external_id"),
     ({"external_id": "with blank"}, "external_id"), ({"aws_secret_access_key": ""}, "aws_secret_access_key")],
)  # fmt: skip
def test_a_malformed_setting_is_named_before_anything_is_sent(role, change, field):
    error = failure(role, **change)
    assert isinstance(error, ConfigInvalid) and error.field == field
    assert role.fake.assumed == [] and role.fake.requests == []


def test_one_session_serves_many_clients_and_requests(role):
    for _ in range(3):
        client = role.client()
        for _ in range(3):
            assert client.stat("a.png").size == 10
    assert len(role.fake.assumed) == 1


def test_a_session_of_another_role_or_external_id_is_never_lent(role):
    assert role.client().stat("a.png").size == 10
    role.fake.add_role(OTHER, ["AKIAONLYTHESOURCE001"], "quay:7", allow=[])
    for change in ({"external_id": "quay:8"}, {"role_arn": OTHER}):
        with pytest.raises(AccessDenied):
            role.client(**change).stat("a.png")


def test_a_session_of_other_keys_is_never_lent(role):
    assert role.client().stat("a.png").size == 10
    with pytest.raises(BadCredentials):
        role.client(aws_secret_access_key="wrong").stat("a.png")


def test_a_session_that_expired_during_a_listing_is_assumed_anew(role, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    monkeypatch.setattr(s3_role, "SECONDS", 900)
    for number in range(9):
        role.put(f"p/{number}", b"x")
    role.fake.advance(-600)  # signatures may be 15 minutes off: the session begins early, so that it can end within them
    pages = role.client("p/").list(recursive=True)
    seen = [item.key for item in next(pages).objects]
    role.fake.advance(600 + 400)
    seen += [item.key for page in pages for item in page.objects]
    assert seen == [f"p/{number}" for number in range(9)]
    assert len(role.fake.assumed) == 2


def test_a_session_is_renewed_before_it_ends(role, monkeypatch):
    client = role.client()
    client.stat("a.png")
    real = tokens.time.monotonic
    monkeypatch.setattr(tokens.time, "monotonic", lambda: real() + 3600 - tokens.EARLY + 1)
    client.stat("a.png")
    assert len(role.fake.assumed) == 2


def test_a_signed_url_does_not_outlive_its_session(role):
    client = role.client()
    for ttl, most in ((60, 60), (900, 900), (7 * 24 * 3600, 3600)):
        url = client.presign("a.png", ttl)
        assert int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]) <= most
        assert urllib3.request("GET", url).data == b"0123456789"


def test_signing_takes_a_new_session_when_the_old_one_ends_too_soon(role, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    client = role.client()
    role.fake.advance(-840)
    client.stat("a.png")
    assert len(role.fake.assumed) == 1  # it lives for 46 more minutes
    assert int(parse_qs(urlsplit(client.presign("a.png", 600)).query)["X-Amz-Expires"][0]) == 600
    real = s3_role.datetime

    class Later(real):
        @classmethod
        def now(cls, zone=None):
            return real.now(zone) + timedelta(minutes=44)

    monkeypatch.setattr(s3_role, "datetime", Later)
    role.fake.advance(840)
    client.presign("a.png", 600)
    assert len(role.fake.assumed) == 2


def test_a_session_serves_to_its_end_while_sts_is_out_of_reach(role, monkeypatch):
    monkeypatch.setattr(tokens, "FRESH", 0)
    role.fake.advance(-840)
    client = role.client()
    client.stat("a.png")  # a session of 46 minutes
    role.fake.advance(840)
    role.fake.sts.refuse_all()
    monkeypatch.setattr(s3_role, "SECONDS", 2 * 3600)  # what is wanted now is more than is left
    url, seconds = client.signed("a.png", 3600)
    assert 2000 < seconds < 2800 and urllib3.request("GET", url).status == 200
    assert client.stat("a.png").size == 10


@pytest.mark.django_db
def test_a_redirect_is_remembered_no_longer_than_its_session(role, api, project):
    settings = role.settings() | {"project": project.pk, "presign_ttl": 600}
    assert api.post("/api/storages/s3s", settings).status_code == 201
    fileuri = urlsafe_b64encode(b"s3://data/a.png").decode()
    redirect = api.get(f"/projects/{project.pk}/resolve/?fileuri={fileuri}")
    assert redirect.status_code == 303
    assert int(redirect["Cache-Control"].rpartition("=")[2]) <= 3600 - 60


def test_an_unreachable_or_throttling_sts_is_told_as_such(role):
    role.fake.sts.fail_next(1, 400, "Throttling")
    assert isinstance(failure(role), Throttled)
    role.fake.sts.refuse_all()
    error = failure(role)
    assert isinstance(error, Unavailable) and "STS" in str(error)


def test_the_prescription_holds_the_role_s_permissions_and_its_trust_policy(role):
    policy = role.client("p/").policy({"list", "read"})
    actions = [action for statement in policy["permissions"]["Statement"] for action in statement["Action"]]
    assert actions == ["s3:ListBucket", "s3:GetObject"]
    [trust] = policy["trust"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}} and trust["Action"] == "sts:AssumeRole"


def test_neither_the_session_nor_its_source_is_shown(role):
    client = role.client()
    client.stat("a.png")
    shown = repr(client) + repr(client.credentials) + str(vars(client))
    session = client.credentials.get_frozen_credentials()
    for secret in ("source/secret", session.secret_key, session.token):
        assert secret not in shown


@pytest.mark.django_db
def test_both_directions_are_created_changed_and_read_through_the_api(role, api, project):
    for route in ("s3s", "export/s3s"):
        created = api.post(f"/api/storages/{route}", role.settings() | {"project": project.pk})
        assert created.status_code == 201, created.content
        path = f"/api/storages/{route}/{created.json()['id']}"
        assert not {"aws_access_key_id", "aws_secret_access_key"} & set(created.json())
        assert api.patch(path, {"title": "Other"}).json()["title"] == "Other"
        moved = api.patch(path, {"role_arn": OTHER})
        assert moved.status_code == 400 and "role_arn" in moved.json()["validation_errors"]
        assert api.post(f"/api/storages/{route}", {"project": project.pk}).json()["validation_errors"]["role_arn"]
