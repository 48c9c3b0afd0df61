"""Workload identity federation from AWS: a signed AWS request is traded for a Google token. Knows no bucket.

https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
"""

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.conf import settings

from storages import egress, errors
from storages.checks import required
from storages.providers.aws.ambient import ambient_credentials
from storages.providers.google import exchange
from storages.providers.google.auth import IAM, Identity
from storages.providers.google.key import KEY, parse_object

FEDERATED_USER = "roles/iam.workloadIdentityUser"
AWS_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
# https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools/create "workloadIdentityPoolId"
# (providers alike); https://cloud.google.com/resource-manager/docs/creating-managing-projects: a project's number
RULES = {
    "google_project_number": (re.compile(r"[0-9]{1,19}"), "the number of a project, in digits; it is not the project's id"),
    "google_wif_pool_id": (re.compile(r"[a-z0-9\-]{4,32}"), "4 to 32 lower-case letters, digits and hyphens"),
    "google_wif_provider_id": (re.compile(r"[a-z0-9\-]{4,32}"), "4 to 32 lower-case letters, digits and hyphens"),
}
# https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation, RFC 8693 §2.2.2
FEDERATION_REFUSALS: exchange.Refusals = {
    "invalid_target": (
        errors.ConfigInvalid, "google_wif_provider_id",
        "Google knows no such workload identity provider; compare project number, pool and provider",
    ),
    "invalid_grant": (errors.BadCredentials, None, "Google could not verify this server's AWS identity; ask the operator"),
    "invalid_request": (
        errors.ConfigInvalid, "google_wif_provider_id", "this workload identity provider does not take AWS identities",
    ),
    "invalid_scope": (errors.ConfigInvalid, None, "Google refused the scope of the federated token"),
    "unauthorized_client": (
        errors.AccessDenied, None,
        "the attribute condition of the workload identity provider does not admit this server's AWS role",
    ),
}  # fmt: skip


class Federated(Identity):
    """An AWS identity seen through a workload identity pool; good for becoming a service account and nothing else."""

    def __init__(self, provider: str, source: Any) -> None:
        """``provider``: as of ``parse_provider``; ``source``: botocore's credentials."""
        self.provider, self._source = provider, source

    @property
    def member(self) -> str:
        return f"principalSet:{self.provider.partition('/providers/')[0]}/*"

    @cached_property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        keys = _aws_keys(self._source)
        return ("google-federated", settings.GOOGLE_STS_URL, self.provider, *(part or "" for part in keys))

    def _fetch(self) -> tuple[str, float]:
        from google.auth import aws

        with exchange.translated(table=FEDERATION_REFUSALS):
            signed_in = aws.Credentials(
                self.provider,
                AWS_REQUEST,
                settings.GOOGLE_STS_URL,
                aws_security_credentials_supplier=_AwsSupplier(self._source),
                scopes=[IAM],
            )
            signed_in.refresh(exchange.transport(egress.session()))
            lives = signed_in.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
            return exchange.text_of(vars(signed_in), "token"), lives.total_seconds()


class _AwsSupplier:
    """Hands botocore's credentials to google-auth (its interface AwsSecurityCredentialsSupplier)."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def get_aws_security_credentials(self, context: object, request: object) -> Any:
        from google.auth.aws import AwsSecurityCredentials

        return AwsSecurityCredentials(*_aws_keys(self._source))

    def get_aws_region(self, context: object, request: object) -> str:
        import boto3

        return boto3.Session().region_name or "us-east-1"


def _aws_keys(source: Any) -> tuple[str, str, str | None]:
    """Access key, secret and session token of one moment. Raises Unavailable."""
    from botocore.exceptions import BotoCoreError

    try:
        return tuple(source.get_frozen_credentials()[:3])
    except BotoCoreError as error:
        raise errors.Unavailable("AWS gave this server no credentials; ask the operator") from error


def parse_provider(number: str, pool: str, provider: str) -> str:
    """The full name of a workload identity provider, which is the audience too. Raises ConfigInvalid naming the column."""
    for (field, (rule, text)), value in zip(RULES.items(), (number, pool, provider), strict=True):
        if not rule.fullmatch(required(value, field, field)):
            raise errors.ConfigInvalid(text, field=field)
    return f"//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"


def compare_configuration(text: str, provider: str, email: str) -> None:
    """Accepts the federation's configuration file if it says what the form says, which alone is used. Raises ConfigInvalid.

    The file itself is never carried out: its credential_source can name any file or URL of this server.
    """
    if not text:
        return
    info = parse_object(text)
    impersonation = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    wanted = {"type": "external_account", "audience": provider, "service_account_impersonation_url": impersonation}
    differing = [name for name, value in wanted.items() if info.get(name) != value]
    if differing:
        message = f"{', '.join(differing)} differ from the other fields; leave this empty, they say all that is needed"
        raise errors.ConfigInvalid(message, field=KEY)


def ambient_aws() -> Any:
    """The AWS identity that this server lends. Raises BadCredentials."""
    try:
        return ambient_credentials(custom_endpoint=False)
    except errors.BadCredentials as error:
        message = "the federation starts from this server's own AWS identity, which it does not have or does not lend"
        raise errors.BadCredentials(message) from error
