"""Access tokens of the Google fake: whose they are, what their scopes let through, and when they end.

Source: "OAuth 2.0 Scopes for Google APIs", parts Cloud Storage and IAM Credentials.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fakes.claims import Refusal
from tests.fakes.wire import Request

AUTH = "https://www.googleapis.com/auth/"
CLOUD, IAM = AUTH + "cloud-platform", AUTH + "iam"
READ_ONLY, READ_WRITE, FULL_CONTROL = (AUTH + "devstorage." + name for name in ("read_only", "read_write", "full_control"))
SCOPES = {CLOUD, IAM, READ_ONLY, READ_WRITE, FULL_CONTROL}
READS = {"storage.objects.get", "storage.objects.list", "storage.buckets.get"}


@dataclass(frozen=True)
class Token:
    """``principal``: the e-mail of a service account, or principal://… of a federated identity."""

    principal: str
    scopes: frozenset[str]
    expires: datetime

    def lets(self, permission: str) -> bool:
        """Whether the scopes let a call through that needs this permission on Cloud Storage."""
        return bool(self.scopes & {CLOUD, READ_WRITE, FULL_CONTROL}) or (READ_ONLY in self.scopes and permission in READS)


@dataclass
class Tokens:
    """All tokens minted. ``clock`` gives aware UTC times, ``seconds`` is the life of a token."""

    clock: Callable[[], datetime]
    seconds: int = 3600
    minted: dict[str, Token] = field(default_factory=dict)

    def mint(self, principal: str, scopes: Iterable[str], seconds: float | None = None) -> str:
        token = f"ya29.{secrets.token_urlsafe(48)}"
        life = timedelta(seconds=self.seconds if seconds is None else seconds)
        self.minted[token] = Token(principal, frozenset(scopes), self.clock() + life)
        return token

    def holder(self, request: Request) -> Token | None:
        """The living token that came as a Bearer, None for none, an unknown or an expired one."""
        scheme, _, value = (request.header("authorization") or "").partition(" ")
        token = self.minted.get(value) if scheme == "Bearer" else None
        return token if token is not None and self.clock() < token.expires else None


def known_scopes(text: str) -> list[str]:
    """The scopes in a space-separated list. Raises Refusal 400 if one is unknown or there is none."""
    scopes = text.split()
    if not scopes or set(scopes) - SCOPES:
        raise Refusal(400, "invalid_scope", f"Some requested scopes were invalid: {sorted(set(scopes) - SCOPES)}")
    return scopes
