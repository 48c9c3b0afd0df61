"""A service account's JSON key as users paste it: what of it is believed, and how it signs in.

https://cloud.google.com/docs/authentication/external/externally-sourced-credentials: an external_account may name any file
or URL of this server, and a key's token_uri is where a signed assertion would be posted to. No URL of the file is used.
"""

import hashlib
import json
import re
import time
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from storages import errors
from storages.providers import tokens
from storages.providers.google import exchange
from storages.providers.google.auth import SECONDS, STORAGE, Identity

KEY = "google_application_credentials"
# https://developers.google.com/identity/protocols/oauth2/service-account#error-codes, RFC 6749 §5.2
KEY_REFUSALS: exchange.Refusals = {
    "invalid_grant": (errors.BadCredentials, KEY, "Google rejected the key: it was deleted, or belongs to another account"),
    "invalid_client": (errors.BadCredentials, KEY, "Google does not know the account of this key"),
    "unauthorized_client": (errors.BadCredentials, KEY, "Google does not let the account of this key sign in"),
    "disabled_client": (errors.BadCredentials, KEY, "the account of this key is disabled"),
    "deleted_client": (errors.BadCredentials, KEY, "the account of this key was deleted"),
    "access_denied": (errors.AccessDenied, KEY, "Google does not let the account of this key sign in"),
    "invalid_scope": (errors.ConfigInvalid, KEY, "the account of this key may not be used for Cloud Storage"),
}
# https://cloud.google.com/iam/docs/service-account-types; the address becomes part of URLs
EMAIL = re.compile(r"[a-z0-9][a-z0-9.\-]{0,99}@(?:[a-z0-9\-]{1,63}\.){0,5}gserviceaccount\.com")
AUDIENCE = "https://oauth2.googleapis.com/token"  # of assertions, wherever they are posted
TOKEN_URIS = (None, AUDIENCE, "https://accounts.google.com/o/oauth2/token")  # the last one in keys of before 2017
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1


class KeyFile(Identity):
    """A service account by its private key."""

    remote = False
    credential = "the service account key"

    def __init__(self, email: str, private_key: str, key_id: str | None) -> None:
        self.email, self._signer = email, _signer(private_key, key_id)
        self._digest = hashlib.sha256(f"{key_id}\n{private_key}".encode()).hexdigest()

    @property
    def parts(self) -> tuple[str, ...]:
        return ("google-key", settings.GOOGLE_OAUTH_TOKEN_URL, self.email, self._digest, STORAGE)

    def _fetch(self) -> tuple[str, float]:
        from google.auth import jwt

        now = int(time.time())
        claims = {"iss": self.email, "scope": STORAGE, "aud": AUDIENCE, "iat": now, "exp": now + SECONDS}
        form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(self._signer, claims)}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, answer = exchange.post(settings.GOOGLE_OAUTH_TOKEN_URL, urlencode(form).encode(), headers)
        if status != 200:
            raise exchange.oauth_refusal(str(answer.get("error")), KEY_REFUSALS, status)
        return exchange.text_of(answer, "access_token"), tokens.lifetime(answer.get("expires_in"))

    def sign_bytes(self, message: bytes) -> bytes:
        return self._signer.sign(message)


@lru_cache(maxsize=256)
def _signer(private_key: str, key_id: str | None) -> Any:
    """The key, checked once a process because that takes 50 ms. Raises ValueError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from google.auth.crypt import RSASigner

    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # it is locked with a password, or of a kind that nobody uses
        raise ValueError("not a plain private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    return RSASigner(key, key_id)


def parse_key(text: str) -> KeyFile:
    """The account of a pasted key file. Raises ConfigInvalid, and never asks anyone."""
    info = parse_object(text)
    if reason := _unfit(info):
        raise errors.ConfigInvalid(reason, field=KEY)
    try:
        return KeyFile(info["client_email"], info["private_key"], info.get("private_key_id") or None)
    except ValueError as error:
        message = "private_key is not an RSA key in PEM: paste the file unchanged, with its \\n"
        raise errors.ConfigInvalid(message, field=KEY) from error


def _unfit(info: dict[str, Any]) -> str:
    """Why a key file is refused, "" if it is not."""
    if info.get("type") != "service_account":
        return "only a key of type service_account is accepted; other types can name files and hosts of this server"
    if info.get("token_uri") not in TOKEN_URIS:
        return f"token_uri must be {AUDIENCE}; tokens are asked for nowhere else"
    if info.get("universe_domain") not in (None, "googleapis.com"):
        return "universe_domain must be googleapis.com"
    missing = [name for name in ("client_email", "private_key") if not isinstance(info.get(name), str) or not info[name]]
    if missing:
        return f"the key file lacks {' and '.join(missing)}; paste the whole file"
    if not EMAIL.fullmatch(info["client_email"]):
        return "client_email is not the address of a service account"
    if not isinstance(info.get("private_key_id") or "", str):
        return "private_key_id is not a text; paste the file unchanged"
    return ""


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that a pasted text is. Raises ConfigInvalid."""
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        message = "Google Application Credentials must be valid JSON string. Paste the whole file."
        raise errors.ConfigInvalid(message, field=KEY)
    return info
