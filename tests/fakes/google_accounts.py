"""Service accounts with RSA keys, and the token endpoint of oauth2.googleapis.com that takes JWTs signed with them.

Source: "Using OAuth 2.0 for Server to Server Applications", part HTTP/REST; RFC 7523.
"""

import base64
import binascii
import functools
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.claims import Refusal
from tests.fakes.google_errors import reply
from tests.fakes.google_tokens import Tokens, known_scopes
from tests.fakes.wire import Request, Response

TOKEN_URI = "https://oauth2.googleapis.com/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_LIFE = timedelta(hours=1)  # of an assertion, from iat to exp: "Server to Server Applications", required claims
CLOCK_SKEW = timedelta(minutes=5)  # assumed; Google does not publish it


@functools.cache
def key_of(email: str) -> rsa.RSAPrivateKey:
    """The account's key, made once a process because making one takes a tenth of a second."""
    return rsa.generate_private_key(65537, 2048)


def sign(email: str, message: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, as in JWT's RS256 and GOOG4-RSA-SHA256."""
    return key_of(email).sign(message, padding.PKCS1v15(), hashes.SHA256())


def signed_by(email: str, message: bytes, signature: bytes) -> bool:
    try:
        key_of(email).public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def key_id(email: str) -> str:
    return hashlib.sha1(email.encode()).hexdigest()


@functools.cache
def key_file(email: str) -> dict[str, str]:
    """What the console hands out as a key of type JSON."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "harbour-tests",
        "private_key_id": key_id(email),
        "private_key": key_of(email).private_bytes(*form).decode(),
        "client_email": email,
        "client_id": str(int(key_id(email)[:15], 16)),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": TOKEN_URI,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email}",
        "universe_domain": "googleapis.com",
    }


@dataclass
class Accounts:
    """The accounts that exist, and POST /token for them."""

    tokens: Tokens
    emails: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Response:
        """An access token for a right assertion. Raises Refusal in OAuth's terms."""
        if (request.method, request.path) != ("POST", "/token"):
            raise Refusal(404, "not_found", f"{request.method} {request.path} is not served by oauth2.googleapis.com.")
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [JWT_BEARER]:
            raise Refusal(400, "unsupported_grant_type", "Invalid grant_type")
        claims = self.verified((form.get("assertion") or [""])[0])
        scopes = known_scopes(str(claims.get("scope", "")))
        token = self.tokens.mint(str(claims["iss"]), scopes)
        return reply({"access_token": token, "expires_in": self.tokens.seconds, "token_type": "Bearer"})

    def verified(self, assertion: str) -> dict[str, Any]:
        signing, _, signature = assertion.rpartition(".")
        head, claims = decoded_json(signing.partition(".")[0]), decoded_json(signing.partition(".")[2])
        email = claims.get("iss")
        if email not in self.emails:
            raise Refusal(400, "invalid_grant", "Invalid grant: account not found")
        right = head.get("alg") == "RS256" and head.get("kid", key_id(email)) == key_id(email)
        if not right or not signed_by(email, signing.encode(), decoded(signature)):
            raise Refusal(400, "invalid_grant", "Invalid JWT Signature.")
        if claims.get("aud") != TOKEN_URI:
            raise Refusal(400, "invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {TOKEN_URI}")
        self.check_time(claims)
        return claims

    def check_time(self, claims: dict[str, Any]) -> None:
        now, issued, expires = self.tokens.clock().timestamp(), claims.get("iat"), claims.get("exp")
        if (
            not isinstance(issued, int)
            or not isinstance(expires, int)
            or issued > now + CLOCK_SKEW.total_seconds()
            or not now < expires <= issued + MAX_LIFE.total_seconds()
        ):
            message = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            raise Refusal(400, "invalid_grant", f"{message} Check your iat and exp values in the JWT claim.")


def decoded(part: str) -> bytes:
    if not re.fullmatch("[A-Za-z0-9_-]*", part):
        raise Refusal(400, "invalid_grant", "Bad Request")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise Refusal(400, "invalid_grant", "Bad Request") from error


def decoded_json(part: str) -> dict[str, Any]:
    try:
        document = json.loads(decoded(part))
    except ValueError as error:
        raise Refusal(400, "invalid_grant", "Bad Request") from error
    if not isinstance(document, dict):
        raise Refusal(400, "invalid_grant", "Bad Request")
    return document
