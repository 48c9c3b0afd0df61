"""Sessions of an IAM role: AWS STS AssumeRole, assumed anew before they expire. Knows neither models nor buckets."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from storages import egress, errors
from storages.providers import listing, tokens
from storages.providers.aws import protocol
from storages.providers.failures import reached

SECONDS = 3600  # the most that role chaining allows; 900 would make every request a new session (protocols.md §0.6)
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and API_AssumeRole.html "Errors"
STS_CODES: dict[str, tuple[type[errors.StorageError], str | None, str]] = {
    "AccessDenied": (
        errors.AccessDenied, None,
        "AWS does not let these credentials assume {role}: its trust policy must name them, with exactly this external id",
    ),
    "InvalidClientTokenId": (errors.BadCredentials, None, "AWS STS rejected the credentials; check access key and session token"),
    "SignatureDoesNotMatch": (errors.BadCredentials, None, "AWS STS rejected the credentials; check the secret key"),
    "ExpiredToken": (errors.BadCredentials, "aws_session_token", "the session token has expired; enter a new one"),
    "ValidationError": (errors.ConfigInvalid, "role_arn", "AWS STS refused the request for {role}; check role and external id"),
    "RegionDisabledException": (errors.ConfigInvalid, "region_name", "AWS STS is not active in this region for the account"),
    "Throttling": (errors.Throttled, None, "AWS STS asks to slow down; try again later"),
}  # fmt: skip


class RoleSession:
    """Credentials of a role, assumed anew before they expire; looks to the signer like botocore's credentials."""

    def __init__(self, source: Any, role: str, external_id: str, region: str, name: str) -> None:
        self.role, self.external_id, self._source, self._region = role, external_id, source, region
        self._wish = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "DurationSeconds": str(SECONDS)}
        self._wish |= {"RoleSessionName": name} | ({"ExternalId": external_id} if external_id else {})
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._url = f"{settings.AWS_ENDPOINT_URL_STS or f'https://sts.{region}.{suffix}'}/"

    @cached_property
    def _identity(self) -> tuple[str, ...]:
        """What a session depends on; asked for at the first call, since the server's own identity may need the network."""
        key, secret, token = self._source.get_frozen_credentials()[:3]
        return self._url, key, secret, token or "", self._region, *self._wish.values()

    def get_frozen_credentials(self) -> Any:
        return tokens.token(self._identity, self._assume)[0]

    def lasting(self, seconds: int) -> tuple[Any, int]:
        """Credentials and the seconds they live: ``seconds`` or at least half a session, if a new one can be had."""
        wanted = min(seconds, SECONDS // 2)
        credentials, expires = tokens.token(self._identity, self._assume, lambda found: _left(found[1]) >= wanted)
        return credentials, _left(expires)

    def renew(self) -> bool:
        return tokens.forget(self._identity)

    def _assume(self) -> tuple[tuple[Any, datetime], float]:
        from botocore.credentials import ReadOnlyCredentials

        answer = self._ask()
        if answer.status_code != 200:
            raise self._refusal(protocol.parse_error(answer.content)[0], answer.status_code)
        try:
            found, _ = listing.parse(answer.content, root="AssumeRoleResponse", entries=("Credentials",))
            texts = found[0].texts
            credentials = ReadOnlyCredentials(texts["AccessKeyId"], texts["SecretAccessKey"], texts["SessionToken"])
            expires = datetime.fromisoformat(texts["Expiration"])
        except (ValueError, LookupError) as error:
            raise errors.Unavailable("AWS STS answered something that is no session; check AWS_ENDPOINT_URL_STS") from error
        return (credentials, expires), (expires - datetime.now(UTC)).total_seconds()

    def _ask(self) -> Any:
        body = urlencode(self._wish).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        signed = protocol.sign("POST", self._url, headers, body, self._source.get_frozen_credentials(), self._region, "sts")
        with reached("AWS STS"):
            return egress.session().post(self._url, data=body, headers=signed)

    def _refusal(self, code: str, status: int) -> errors.StorageError:
        kind, field, text = STS_CODES.get(code, (errors.Unavailable, None, "AWS STS failed on its side"))
        error = kind(f"{text.format(role=self.role)} (HTTP {status}{' ' + code if code in STS_CODES else ''})", field=field)
        error.grant = f"sts:AssumeRole on {self.role}" if kind is errors.AccessDenied else ""
        return error


def _left(expires: datetime) -> int:
    return int((expires - datetime.now(UTC)).total_seconds())
