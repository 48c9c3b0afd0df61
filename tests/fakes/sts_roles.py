"""The roles of the STS fake: who may assume one, for how long, under which external id; knows no wire and no signature.

Source: AWS Security Token Service API Reference "AssumeRole"; IAM User Guide "Access to AWS accounts owned by third parties".
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.fakes.claims import Refusal
from tests.fakes.s3_access import Grant, Identity

CHAINED_SECONDS = 3600  # IAM User Guide "Role chaining": one hour at most, whatever the role allows
# STS API Reference "AssumeRole", request parameters: (pattern, shortest, longest)
FORMS = {
    "RoleArn": (r"[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+", 20, 2048),
    "RoleSessionName": (r"[\w+=,.@-]*", 2, 64),
    "ExternalId": (r"[\w+=,.@:\/-]*", 2, 1224),
}
SECONDS = (900, 43_200)  # STS API Reference "AssumeRole", DurationSeconds
DEFAULT_SECONDS = 3600


@dataclass(frozen=True)
class Role:
    """``trusted``: access keys of users or ARNs of roles; ``external_id`` None: the trust policy has no such condition."""

    arn: str
    trusted: Sequence[str]
    external_id: str | None
    allow: Sequence[Grant]
    max_seconds: int


@dataclass(frozen=True)
class Wish:
    """The parameters of one AssumeRole call, of the right form."""

    role: str
    session: str
    external_id: str | None
    seconds: int


def wish_of(parameters: dict[str, str]) -> Wish:
    """What is asked for. Raises Refusal 400 ValidationError for missing or malformed parameters."""
    for name, (pattern, shortest, longest) in FORMS.items():
        value = parameters.get(name)
        if value is None and name != "ExternalId":
            raise invalid(name, "null", "Member must not be null")
        if value is not None and not shortest <= len(value) <= longest:
            raise invalid(name, value, f"Member must have length between {shortest} and {longest}")
        if value is not None and not re.fullmatch(pattern, value, re.ASCII):
            raise invalid(name, value, f"Member must satisfy regular expression pattern: {pattern}")
    asked = parameters.get("DurationSeconds", str(DEFAULT_SECONDS))
    if not re.fullmatch(r"\d{1,9}", asked, re.ASCII) or not SECONDS[0] <= int(asked) <= SECONDS[1]:
        raise invalid("DurationSeconds", asked, f"Member must have value between {SECONDS[0]} and {SECONDS[1]}")
    return Wish(parameters["RoleArn"], parameters["RoleSessionName"], parameters.get("ExternalId"), int(asked))


def invalid(name: str, value: str, constraint: str) -> Refusal:
    member = name[0].lower() + name[1:]
    message = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return Refusal(400, "ValidationError", message)


def assume(role: Role | None, wish: Wish, caller: Identity, now: datetime) -> Identity:
    """The temporary identity. Raises Refusal: 403 in one and the same words for whatever the trust policy refuses."""
    if role is None or not trusts(role, caller) or role.external_id not in (None, wish.external_id):
        message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {wish.role}"
        raise Refusal(403, "AccessDenied", message)
    if caller.role is not None and wish.seconds > CHAINED_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise Refusal(400, "ValidationError", message)
    if wish.seconds > role.max_seconds:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refusal(400, "ValidationError", message)
    return Identity(
        access_key="ASIA" + secrets.token_hex(8).upper(),
        secret_key=secrets.token_urlsafe(30),
        session_token=secrets.token_urlsafe(150) + "+/==",  # characters that a client must encode in URLs
        allow=role.allow,
        expires=now.replace(microsecond=0) + timedelta(seconds=wish.seconds),
        arn=f"{role.arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/{wish.session}",
        role=role.arn,
    )


def trusts(role: Role, caller: Identity) -> bool:
    return caller.access_key in role.trusted or caller.role in role.trusted
