"""The STS fake lends roles to the right client only, and S3 honours what it lent until it ends."""

from urllib.parse import urlencode

import boto3
import botocore.session
import pytest
import urllib3
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, DeferredRefreshableCredentials
from botocore.exceptions import ClientError

from tests.fakes.s3 import S3Fake
from tests.fakes.s3_clients import client, fetch, refusal, signed_url

ROLE = "arn:aws:iam::123456789012:role/Pilot"
OTHER = "arn:aws:iam::123456789012:role/Mate"
WISH = {"RoleArn": ROLE, "RoleSessionName": "ls-1", "ExternalId": "berth:7"}


@pytest.fixture
def harbour(store: S3Fake) -> S3Fake:
    """A store with a role that may only read data/a*, lent under an external id."""
    allow = [("s3:GetObject", "data", "a"), ("s3:ListBucket", "data")]
    store.add_role(ROLE, trusted=[store.access_key], external_id="berth:7", allow=allow)
    return store


def sts(fake: S3Fake, **changes: object) -> BaseClient:
    keys = {"aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key, "region_name": fake.region}
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client("sts", **{"endpoint_url": fake.sts_url, "config": config, **keys, **changes})


def assumed(fake: S3Fake, **changes: object) -> dict[str, str]:
    """The keys that a client takes, of a fresh session."""
    lent = sts(fake).assume_role(**WISH | changes)["Credentials"]
    return {
        "aws_access_key_id": lent["AccessKeyId"],
        "aws_secret_access_key": lent["SecretAccessKey"],
        "aws_session_token": lent["SessionToken"],
    }


def post(fake: S3Fake, parameters: dict[str, str], service: str = "sts", region: str = "us-east-1") -> tuple[int, str, str]:
    """(status, code, message) that a signed form without any client's own checks meets."""
    body, headers = urlencode({"Version": "2011-06-15", **parameters}), {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"{fake.sts_url}/", headers, body)
    SigV4Auth(Credentials(fake.access_key, fake.secret_key), service, region).add_auth(request)
    answer = urllib3.request("POST", f"{fake.sts_url}/", body=body, headers=dict(request.headers), timeout=5)
    text = answer.data.decode()
    part = {name: text.partition(f"<{name}>")[2].partition(f"</{name}>")[0] for name in ("Code", "Message")}
    return answer.status, part["Code"], part["Message"]


def test_a_trusted_user_reads_the_bucket_with_the_keys_of_the_role(harbour):
    keys = assumed(harbour)
    s3 = client(harbour, **keys)
    assert keys["aws_access_key_id"].startswith("ASIA")
    assert s3.get_object(Bucket="data", Key="a.txt")["Body"].read() == b"0123456789"
    assert fetch("GET", signed_url(harbour, **keys)).data == b"0123456789"
    assert refusal(s3.put_object, Bucket="data", Key="a.txt", Body=b"") == (403, "AccessDenied")
    [call] = harbour.assumed
    assert (call.role, call.external_id, call.session) == (ROLE, "berth:7", "ls-1")


def test_the_refusal_of_s3_names_the_session(harbour):
    with pytest.raises(ClientError, match="User: arn:aws:sts::123456789012:assumed-role/Pilot/ls-1 is not authorized"):
        client(harbour, **assumed(harbour)).delete_object(Bucket="data", Key="a.txt")


def test_a_session_is_told_who_it_is(harbour):
    assert sts(harbour).get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/tester"
    who = sts(harbour, **assumed(harbour)).get_caller_identity()
    assert (who["Account"], who["Arn"]) == ("123456789012", "arn:aws:sts::123456789012:assumed-role/Pilot/ls-1")


@pytest.mark.parametrize(
    "changes", [{"RoleArn": OTHER}, {"ExternalId": "berth:8"}, {"ExternalId": None}], ids=["unknown role", "wrong id", "no id"]
)
def test_what_the_trust_policy_refuses_is_refused_in_the_same_words(harbour, changes):
    wish = {"Action": "AssumeRole", **{name: value for name, value in (WISH | changes).items() if value}}
    user = "User: arn:aws:iam::000000000000:user/tester"
    text = f"{user} is not authorized to perform: sts:AssumeRole on resource: {wish['RoleArn']}"
    assert post(harbour, wish) == (403, "AccessDenied", text)
    assert harbour.assumed == []


def test_a_user_that_the_role_does_not_trust_is_refused(harbour):
    harbour.add_identity("AKIASTRANGER", "stranger")
    stranger = sts(harbour, aws_access_key_id="AKIASTRANGER", aws_secret_access_key="stranger")
    assert refusal(stranger.assume_role, **WISH) == (403, "AccessDenied")


def test_a_role_without_the_condition_takes_any_external_id(harbour):
    harbour.add_role(OTHER, trusted=[harbour.access_key])
    assert client(harbour, **assumed(harbour, RoleArn=OTHER)).list_objects_v2(Bucket="data")["KeyCount"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"DurationSeconds": "899"},
        {"DurationSeconds": "43201"},
        {"DurationSeconds": "3601"},
        {"DurationSeconds": "an hour"},
        {"RoleSessionName": "a"},
        {"RoleSessionName": "a b"},
        {"RoleSessionName": "x" * 65},
        {"RoleSessionName": None},
        {"ExternalId": "7"},
        {"ExternalId": "berth 7"},
        {"ExternalId": "x" * 1225},
        {"RoleArn": "arn:short"},
        {"RoleArn": None},
    ],
)
def test_a_malformed_wish_is_a_validation_error(harbour, changes):
    wish = {"Action": "AssumeRole", **{name: value for name, value in (WISH | changes).items() if value}}
    assert post(harbour, wish)[:2] == (400, "ValidationError")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "MissingAction"),
        ({"Action": "GetFederationToken"}, "InvalidAction"),
        ({"Action": "AssumeRole", "Version": "2010-01-01"}, "InvalidAction"),
    ],
)
def test_an_unknown_action_is_refused(harbour, parameters, code):
    assert post(harbour, parameters)[:2] == (400, code)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"aws_secret_access_key": "wrong"}, (403, "SignatureDoesNotMatch")),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, (403, "InvalidClientTokenId")),
        ({"aws_session_token": "unasked"}, (403, "InvalidClientTokenId")),
        ({"config": Config(signature_version=UNSIGNED)}, (403, "MissingAuthenticationToken")),
        ({"region_name": "eu-west-3"}, (403, "SignatureDoesNotMatch")),
    ],
)
def test_a_wrong_client_is_refused(harbour, keys, expected):
    assert refusal(sts(harbour, **keys).assume_role, **WISH) == expected


def test_a_signature_for_another_service_is_refused(harbour):
    assert post(harbour, {"Action": "GetCallerIdentity"})[0] == 200
    assert post(harbour, {"Action": "GetCallerIdentity"}, service="s3")[:2] == (400, "IncompleteSignature")


def test_a_session_needs_its_own_token_at_s3_and_at_sts(harbour):
    keys = assumed(harbour)
    stale = keys | {"aws_session_token": assumed(harbour)["aws_session_token"]}
    assert refusal(client(harbour, **stale).list_objects_v2, Bucket="data") == (400, "InvalidToken")
    assert fetch("GET", signed_url(harbour, **stale)).status == 400
    assert refusal(sts(harbour, **stale).get_caller_identity) == (403, "InvalidClientTokenId")


def test_a_session_and_its_presigned_urls_end_together(harbour):
    harbour.advance(-600)  # the session ends 300 s from now by the client's clock, whose signatures stay acceptable
    keys = assumed(harbour, DurationSeconds=900)
    url = signed_url(harbour, seconds=3600, **keys)
    harbour.advance(890)
    assert fetch("GET", url).status == 200
    harbour.advance(20)
    answer = fetch("GET", url)
    assert (answer.status, b"<Code>ExpiredToken</Code>" in answer.data) == (400, True)
    assert refusal(client(harbour, **keys).list_objects_v2, Bucket="data") == (400, "ExpiredToken")
    assert refusal(sts(harbour, **keys).get_caller_identity) == (403, "ExpiredToken")


def test_a_chained_session_lasts_an_hour_at_most(harbour):
    harbour.add_role(OTHER, trusted=[ROLE], max_seconds=43_200)
    chained = sts(harbour, **assumed(harbour))
    wish = {"RoleArn": OTHER, "RoleSessionName": "ls-1"}
    assert refusal(chained.assume_role, **wish, DurationSeconds=3601) == (400, "ValidationError")
    chained.assume_role(**wish, DurationSeconds=3600)
    assert refusal(sts(harbour).assume_role, **wish) == (403, "AccessDenied")


def test_botocore_renews_a_session_that_nears_its_end(harbour, monkeypatch):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: harbour.now().replace(tzinfo=None))
    monkeypatch.setattr("botocore.credentials._local_now", harbour.now)  # the fetcher's cache asks it, time_fetcher or not
    base = botocore.session.get_session()
    extra = {"ExternalId": "berth:7", "RoleSessionName": "ls-1", "DurationSeconds": 3600}

    def create(service: str, **settings: object) -> BaseClient:
        return base.create_client(service, **settings, endpoint_url=harbour.sts_url, region_name=harbour.region)

    source = Credentials(harbour.access_key, harbour.secret_key)
    fetcher = AssumeRoleCredentialFetcher(create, source, ROLE, extra_args=extra)
    renewed = botocore.session.get_session()
    renewed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role", time_fetcher=harbour.now)
    settings = {"endpoint_url": harbour.url, "region_name": harbour.region}
    s3 = boto3.Session(botocore_session=renewed).client("s3", **settings)
    for seconds, calls in [(0, 1), (2600, 1), (700, 2), (3000, 3)]:
        harbour.advance(seconds)
        assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 1
        assert len(harbour.assumed) == calls


def test_sts_fails_on_demand_while_s3_goes_on(harbour):
    harbour.sts.fail_next(code="ServiceUnavailable")
    assert refusal(sts(harbour).assume_role, **WISH) == (503, "ServiceUnavailable")
    assert client(harbour, **assumed(harbour)).list_objects_v2(Bucket="data")["KeyCount"] == 1
