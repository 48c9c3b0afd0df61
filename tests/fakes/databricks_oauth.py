"""OAuth of a Databricks workspace for service principals: metadata and the token endpoint; knows no API behind the tokens.

Source: Databricks "Authorize service principal access with OAuth"; RFC 6749 sections 2.3.1, 4.4 and 5.2.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fakes.databricks_access import EVERY_SCOPE, Access, Caller
from tests.fakes.entra import form_of, json_answer
from tests.fakes.wire import Request, Response

KNOWN_SCOPES = frozenset({EVERY_SCOPE, "files", "unity-catalog", "sql"})
CONFIG_PATH = "/.well-known/databricks-config"
METADATA_PATH = "/oidc/.well-known/oauth-authorization-server"
TOKEN_PATH = "/oidc/v1/token"


@dataclass(frozen=True)
class Principal:
    secret: str = field(repr=False)
    scopes: frozenset[str]


@dataclass
class OAuth:
    """``expires_in``: seconds that tokens issued from now on live."""

    access: Access
    expires_in: int = 3600
    principals: dict[str, Principal] = field(default_factory=dict)

    def add(self, client_id: str, secret: str, scopes: Iterable[str]) -> None:
        """A secret that may ask for ``scopes``; "all-apis" among them allows every scope."""
        allowed = frozenset(scopes)
        self.principals[client_id] = Principal(secret, KNOWN_SCOPES if EVERY_SCOPE in allowed else allowed)

    def describe(self, path: str, url: str) -> Response:
        """The workspace's own description, and the metadata of RFC 8414 that it points to."""
        if path == CONFIG_PATH:
            return json_answer(200, {"oidc_endpoint": f"{url}/oidc", "workspace_id": "6051921418418893"})
        endpoints = {"authorization_endpoint": f"{url}/oidc/v1/authorize", "token_endpoint": f"{url}{TOKEN_PATH}"}
        return json_answer(200, {"issuer": f"{url}/oidc", **endpoints})

    def grant(self, request: Request) -> Response:
        """The answer to a token request; refusals have the shape of RFC 6749."""
        client = self.authenticated(request)
        if client is None:
            return denied(401, "invalid_client", "Client authentication failed")
        form = form_of(request)
        if form.get("grant_type") != "client_credentials":
            return denied(400, "unsupported_grant_type", "grant_type must be client_credentials in a form-encoded body")
        scopes = frozenset(form.get("scope", "").split())
        if not scopes or not scopes <= self.principals[client].scopes:
            return denied(400, "invalid_scope", f"Scopes {' '.join(sorted(scopes))} are not allowed for this client")
        token = secrets.token_urlsafe(48)
        self.access.tokens[token] = Caller(client, scopes, self.access.clock() + self.expires_in)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in, "scope": " ".join(sorted(scopes))}
        return json_answer(200, answer)

    def authenticated(self, request: Request) -> str | None:
        """The client id of a right HTTP Basic pair, else None; credentials in the form do not count."""
        scheme, _, pair = (request.header("authorization") or "").partition(" ")
        try:
            client, _, secret = base64.b64decode(pair, validate=True).partition(b":")
        except binascii.Error:
            return None
        name = client.decode("utf-8", "replace")
        known = self.principals.get(name)
        right = scheme == "Basic" and known is not None and hmac.compare_digest(secret, known.secret.encode())
        return name if right else None


def denied(status: int, error: str, text: str) -> Response:
    return json_answer(status, {"error": error, "error_description": text})
