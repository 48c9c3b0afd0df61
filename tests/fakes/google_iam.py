"""iamcredentials.googleapis.com: short-lived tokens and signatures in the name of a service account.

Who may do which is granted per caller, account and permission: the one never includes the other.
Source: IAM Service Account Credentials API v1, projects.serviceAccounts generateAccessToken and signBlob.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from tests.fakes.claims import Refusal
from tests.fakes.google_accounts import key_id, sign
from tests.fakes.google_errors import reply
from tests.fakes.google_tokens import CLOUD, IAM, SCOPES, Tokens
from tests.fakes.wire import Request, Response

PATH = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):(generateAccessToken|signBlob)")
PERMISSIONS = {"generateAccessToken": "iam.serviceAccounts.getAccessToken", "signBlob": "iam.serviceAccounts.signBlob"}
MAX_LIFE = 3600  # seconds; longer needs an organisation policy: generateAccessToken, field lifetime


@dataclass
class IamCredentials:
    """``grants``: (caller, service account) to the permissions of that caller on that account."""

    tokens: Tokens
    emails: set[str]
    grants: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """Raises Refusal with a code of google.rpc.Code."""
        match = PATH.fullmatch(request.path.replace("%3A", ":"))
        if match is None or request.method != "POST":
            raise Refusal(404, "NOT_FOUND", f"{request.method} {request.path} is not served by iamcredentials.googleapis.com.")
        email = unquote(match[1])
        self.authorize(request, email, PERMISSIONS[match[2]])
        body = parsed(request)
        if body.get("delegates"):
            raise Refusal(400, "INVALID_ARGUMENT", "Delegation chains are not served here.")
        return self.access_token(email, body) if match[2] == "generateAccessToken" else signed_blob(email, body)

    def authorize(self, request: Request, email: str, permission: str) -> None:
        token = self.tokens.holder(request)
        if token is None:
            message = "Request had invalid authentication credentials. Expected OAuth 2 access token or other valid credential."
            raise Refusal(401, "UNAUTHENTICATED", message)
        if not token.scopes & {CLOUD, IAM}:
            raise Refusal(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
        if email not in self.emails or permission not in self.grants.get((token.principal, email), set()):
            message = f"Permission '{permission}' denied on resource (or it may not exist)."
            raise Refusal(403, "PERMISSION_DENIED", message, permission=permission)

    def access_token(self, email: str, body: dict[str, Any]) -> Response:
        scopes, lifetime = body.get("scope"), re.fullmatch(r"(\d+)s", str(body.get("lifetime") or f"{MAX_LIFE}s"))
        if not isinstance(scopes, list) or not scopes or set(scopes) - SCOPES:
            raise Refusal(400, "INVALID_ARGUMENT", "The scope field is required and must list known OAuth scopes.")
        if lifetime is None or not 0 < int(lifetime[1]) <= MAX_LIFE:
            raise Refusal(400, "INVALID_ARGUMENT", f"The lifetime must be at most {MAX_LIFE}s, in the form 3600s.")
        seconds = int(lifetime[1])
        expires = self.tokens.clock() + timedelta(seconds=seconds)
        return reply({"accessToken": self.tokens.mint(email, scopes, seconds), "expireTime": f"{expires:%Y-%m-%dT%H:%M:%SZ}"})


def parsed(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise Refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Root element must be a message.")
    return body


def signed_blob(email: str, body: dict[str, Any]) -> Response:
    try:
        payload = base64.b64decode(str(body["payload"]), validate=True)
    except (KeyError, binascii.Error) as error:
        raise Refusal(400, "INVALID_ARGUMENT", "The payload field is required, as base64.") from error
    return reply({"keyId": key_id(email), "signedBlob": base64.b64encode(sign(email, payload)).decode()})
