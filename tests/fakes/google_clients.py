"""Clients that drive the Google fake: the official ones, kept from asking the real Google anything, and plain HTTP."""

import base64
import functools
import json
import os
from typing import Any

from google.auth import aws, credentials, crypt, impersonated_credentials
from google.auth.transport.requests import Request as AuthRequest
from google.cloud import storage
from google.oauth2 import service_account

from tests.fakes.google import GoogleFake
from tests.fakes.google_accounts import sign
from tests.fakes.google_tokens import CLOUD
from tests.fakes.s3_clients import Answer, fetch

AUDIENCE = "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/pool/providers/aws"
ROLE = "arn:aws:sts::111122223333:assumed-role/harbour"
ARN = f"{ROLE}/session"
TOKEN_PERMISSION, SIGN_PERMISSION = "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.signBlob"


# google-cloud-storage 3.17 reads each bucket's metadata (storage.buckets.get) in the background for its tracing otherwise
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"


class Quiet:
    """google-auth 2.62 asks iamcredentials.googleapis.com for allowed locations in the background; these do not."""

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


class ServiceAccount(Quiet, service_account.Credentials):
    """Credentials of a key file."""


class Impersonated(Quiet, impersonated_credentials.Credentials):
    """Credentials of another account."""


class Federated(Quiet, aws.Credentials):
    """Workload identity federation with AWS; the account it goes on to is made inside and must be quiet too."""

    def _initialize_impersonated_credentials(self) -> Impersonated:
        inner = super()._initialize_impersonated_credentials()
        inner.__class__ = Impersonated
        return inner


class Supplier(aws.AwsSecurityCredentialsSupplier):
    """Hands out one AWS key pair."""

    def __init__(self, access_key: str, secret: str, token: str | None = None, region: str = "eu-west-1") -> None:
        self.keys, self.region = aws.AwsSecurityCredentials(access_key, secret, token), region

    def get_aws_security_credentials(self, context: object, request: object) -> aws.AwsSecurityCredentials:
        return self.keys

    def get_aws_region(self, context: object, request: object) -> str:
        return self.region


class BlobSigner(credentials.Signing):
    """Signs in the name of ``email`` by IAM's signBlob, as a caller without a private key must."""

    def __init__(self, fake: GoogleFake, token: str, email: str) -> None:
        self.email, self.token = email, token
        self.url = f"{fake.iam_url}/v1/projects/-/serviceAccounts/{email}:signBlob"

    @property
    def signer_email(self) -> str:
        return self.email

    @property
    def signer(self) -> "BlobSigner":
        return self

    def sign_bytes(self, message: bytes) -> bytes:
        body = json.dumps({"payload": base64.b64encode(message).decode()}).encode()
        answer = fetch("POST", self.url, {"Authorization": f"Bearer {self.token}"}, body)
        return base64.b64decode(json.loads(answer.data)["signedBlob"])


def account(fake: GoogleFake, email: str | None = None, scopes: tuple[str, ...] = (CLOUD,), **changes: str) -> ServiceAccount:
    """Credentials from the pasted key file, posting to the fake; ``changes`` to the file make it wrong."""
    info = json.loads(fake.service_account_json(email)) | {"token_uri": fake.token_url} | changes
    signer = signer_with(info["private_key"], info["private_key_id"])
    return ServiceAccount(signer, info["client_email"], info["token_uri"], scopes=list(scopes))


@functools.cache
def signer_with(private_key: str, key_id: str) -> crypt.RSASigner:
    """Read once a process, because checking a key takes 50 ms."""
    return crypt.RSASigner.from_string(private_key, key_id)


def impersonated(fake: GoogleFake, target: str, source: credentials.Credentials, lifetime: int = 3600) -> Impersonated:
    endpoint = f"{fake.iam_url}/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    return Impersonated(source, target, [CLOUD], lifetime=lifetime, iam_endpoint_override=endpoint)


def federated(
    fake: GoogleFake, supplier: Supplier, email: str | None = None, audience: str = AUDIENCE, scope: str = CLOUD
) -> Federated:
    """Workload identity federation; ``email``: the service account to go on to, None to stay federated."""
    url = f"{fake.iam_url}/v1/projects/-/serviceAccounts/{email}:generateAccessToken" if email else None
    kind = "urn:ietf:params:aws:token-type:aws4_request"
    return Federated(
        audience,
        kind,
        fake.sts_url,
        aws_security_credentials_supplier=supplier,
        service_account_impersonation_url=url,
        scopes=[scope],
    )


def bucket_of(fake: GoogleFake, signed_in: credentials.Credentials | None = None, name: str = "data") -> storage.Bucket:
    """The official client's view of a bucket."""
    options = {"api_endpoint": fake.api_url}
    client = storage.Client(project="harbour-tests", credentials=signed_in or account(fake), client_options=options)
    return client.bucket(name)


def refresh(signed_in: credentials.Credentials) -> str:
    """The access token that the credentials come to."""
    signed_in.refresh(AuthRequest())
    return str(signed_in.token)


def call(
    fake: GoogleFake, method: str, target: str, token: str | None = None, body: bytes | None = None, **headers: str
) -> Answer:
    """One request to the storage service, by default with a fresh all-powerful token; "" sends none."""
    value = fake.mint() if token is None else token
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return fetch(method, fake.api_url + target, named | ({"Authorization": f"Bearer {value}"} if value else {}), body)


def error_of(answer: Answer) -> tuple[int, str]:
    """(status, reason) of an error document of the JSON API or of OAuth, (status, status name) of one of IAM."""
    error = json.loads(answer.data)["error"]
    if isinstance(error, str):
        return answer.status, error
    return answer.status, error["status"] if "status" in error else error["errors"][0]["reason"]


def assertion(email: str, claims: dict[str, Any], key: str | None = None, algorithm: str = "RS256") -> str:
    """A JWT with these claims, signed with the key of ``key`` (default: of ``email``)."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, {"iss": email} | claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return f"{text.decode()}.{base64.urlsafe_b64encode(sign(key or email, text)).rstrip(b'=').decode()}"
