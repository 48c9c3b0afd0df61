"""Who signs in at Google without a pasted key: the server's own identity, and the service account that it may become.

Each gives access tokens and signatures, over vetted connections only. Knows neither buckets nor models.
"""

import os
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings

from storages import egress, errors
from storages.providers import tokens
from storages.providers.google import exchange

# The least that works. https://cloud.google.com/storage/docs/oauth-scopes: objects are read, written and deleted with
# devstorage.read_write. Tokens and signatures of IAM need "iam" or the much wider cloud-platform:
# https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob "Authorization scopes"
STORAGE, IAM = (f"https://www.googleapis.com/auth/{name}" for name in ("devstorage.read_write", "iam"))
SECONDS = 3600  # the most that Google gives without an organization policy (generateAccessToken, "lifetime")
CREATOR = "roles/iam.serviceAccountTokenCreator"


class Identity(ABC):
    """Someone Google knows. ``remote``: signatures are asked of IAM, which counts them, instead of made here."""

    email = ""
    remote = True
    credential = "this server's own Google identity"  # what to check when it is rejected

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """All that a token depends on (see storages.providers.tokens)."""

    @abstractmethod
    def _fetch(self) -> tuple[str, float]:
        """A new access token and the seconds it lives."""

    def token(self) -> str:
        """An access token. Raises BadCredentials, AccessDenied, ConfigInvalid, Unavailable."""
        return tokens.token(self.parts, self._fetch)

    def renew(self) -> bool:
        """Drops a rejected token; True if another one may be accepted."""
        return tokens.forget(self.parts)

    def bindings(self, signs: bool) -> list[dict[str, Any]]:
        """What the IAM policy of the service account itself must hold."""
        return [{"role": CREATOR, "members": [self.member]}] if signs and self.remote else []

    @property
    def member(self) -> str:
        """How IAM policies name us."""
        return f"serviceAccount:{self.email}"

    # what google-auth's interface Signing asks for
    @property
    def signer_email(self) -> str:
        return self.email

    @property
    def signer(self) -> "Identity":
        return self

    def sign_bytes(self, message: bytes) -> bytes:
        """RSA with SHA-256, in the account's own name: the account needs the role Token Creator on itself."""
        return exchange.sign_blob(self, self.email, message, f"{CREATOR} on {self.email} for itself")


class Ambient(Identity):
    """The server's Application Default Credentials, looked up at the first use and kept.

    https://cloud.google.com/docs/authentication/application-default-credentials. What they name is the operator's choice.
    """

    def __init__(self, *scopes: str, field: str | None = None) -> None:
        if not settings.ALLOW_AMBIENT_CREDENTIALS:
            message = "this server does not lend its own Google identity; enter a service account key"
            raise errors.BadCredentials(message, field=field)
        self._scopes, self._path, self._field = scopes, os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", ""), field

    @property
    def parts(self) -> tuple[str, ...]:
        return ("google-default", self._path, *self._scopes)

    @property
    def _found(self) -> Any:
        if isinstance(self._looked_up, errors.StorageError):
            raise self._looked_up
        return self._looked_up

    @cached_property
    def _looked_up(self) -> Any:
        """The identity, or why there is none: a metadata server that does not answer is waited for only once."""
        try:
            with exchange.translated(self._field):
                return _default(self._scopes, self._path)
        except errors.StorageError as error:
            return error

    def _fetch(self) -> tuple[str, float]:
        with exchange.translated(self._field):
            self._found.refresh(exchange.transport(_connections(self._found)))
        ends = self._found.expiry
        return self._found.token, (ends.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if ends else tokens.UNSTATED

    @property
    def email(self) -> str:  # type: ignore[override]
        if getattr(self._found, "service_account_email", None) == "default":
            self.token()  # the metadata server tells the name together with the token
        if email := getattr(self._found, "service_account_email", None):
            return email
        raise errors.ConfigInvalid("this server's Google identity is no service account and signs no URLs", field="presign")

    @property
    def member(self) -> str:
        try:
            return f"serviceAccount:{self.email}"
        except errors.StorageError:
            return "<this server's Google identity>"

    @property
    def remote(self) -> bool:  # type: ignore[override]
        from google.oauth2 import service_account

        return not isinstance(self._found, service_account.Credentials)

    def bindings(self, signs: bool) -> list[dict[str, Any]]:
        try:
            return super().bindings(signs)
        except errors.StorageError:
            return []  # there is no such identity to give anything to

    def sign_bytes(self, message: bytes) -> bytes:
        return super().sign_bytes(message) if self.remote else self._found.sign_bytes(message)


class Impersonated(Identity):
    """A service account that ``source`` may become; ``role`` is what allows it to.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
    """

    def __init__(self, source: Identity, email: str, role: str) -> None:
        self.source, self.email, self.role = source, email, role

    @property
    def parts(self) -> tuple[str, ...]:
        return ("google-impersonated", settings.GOOGLE_IAMCREDENTIALS_URL, self.email, *self.source.parts)

    def _fetch(self) -> tuple[str, float]:
        grant = f"{self.role} on {self.email} to {self.source.member}"
        wish = {"scope": [STORAGE, IAM], "lifetime": f"{SECONDS}s"}
        answer = exchange.iam(self.source, self.email, "generateAccessToken", wish, "sign in", grant)
        return exchange.text_of(answer, "accessToken"), SECONDS

    def bindings(self, signs: bool) -> list[dict[str, Any]]:
        return [{"role": self.role, "members": [self.source.member]}, *super().bindings(signs)]


@lru_cache(maxsize=8)
def _default(scopes: tuple[str, ...], path: str) -> Any:
    import google.auth
    from google.auth.credentials import with_scopes_if_required

    found, _ = google.auth.default()  # without scopes: with them it would ask for the name of a project
    return with_scopes_if_required(found, scopes)


def _connections(found: Any) -> Any:
    """Vetted ones, save to the metadata server, whose reserved address is fixed and not of a user's choice."""
    from google.auth import compute_engine

    if not isinstance(found, compute_engine.Credentials):
        return egress.session()
    import requests

    made = requests.Session()
    made.trust_env = False
    return made
