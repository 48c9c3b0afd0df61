"""Turns the credentials of a request into an account, at one query each; whether it may act is users.permissions' question."""

from django.utils.encoding import force_bytes
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from users.legacy_tokens import digest
from users.models import User
from users.organizations import account, account_of_key
from users.personal_tokens import ACCESS, InvalidToken, read_claims

LEGACY_SWITCH, JWT_SWITCH = "legacy_api_tokens_enabled", "api_tokens_enabled"
SWITCHED_OFF = {
    LEGACY_SWITCH: "Legacy API tokens are switched off in your organization; use a personal access token.",
    JWT_SWITCH: "Personal access tokens are switched off in your organization.",
}


def check_account(user: User | None, switch: str) -> User:
    """The user, if this kind of token may act for the account. Raises AuthenticationFailed (401)."""
    if user is None:
        raise AuthenticationFailed("Invalid token.")
    if not user.is_active:
        raise AuthenticationFailed("User inactive or deleted.")
    if user.active_organization is not None and not getattr(user.active_organization, switch):
        raise AuthenticationFailed(SWITCHED_OFF[switch])
    return user


def _credentials(request: Request, scheme: str) -> bytes | None:
    """What follows ``scheme`` in the Authorization header, None if it names another scheme (RFC 9110 §11.4)."""
    name, _, value = get_authorization_header(request).partition(b" ")
    if name.lower() != scheme.lower().encode():
        return None
    value = value.strip()
    if not value or b" " in value:
        raise AuthenticationFailed(f"Invalid token header. Send: Authorization: {scheme} <token>")
    return value


def _api_key(request: Request) -> bytes | None:
    return force_bytes(request.META.get("HTTP_X_API_KEY", ""), "latin-1").strip() or None


def _is_jwt(value: bytes) -> bool:
    return value.count(b".") == 2


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token <key>`` or ``X-API-Key: <key>``; first in the settings, so it names the 401's WWW-Authenticate."""

    keyword = "Token"

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        key = _credentials(request, self.keyword)
        if key is None:
            key = _api_key(request)
            if key is None or _is_jwt(key):
                return None
        return check_account(account_of_key(digest(key)), LEGACY_SWITCH), None

    def authenticate_header(self, request: Request) -> str:
        return self.keyword


class JWTAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``; the official SDK also sends access tokens as ``X-API-Key``."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        token = _credentials(request, self.keyword)
        if token is None:
            token = _api_key(request)
            if token is None or not _is_jwt(token):
                return None
        try:
            claims = read_claims(token, ACCESS)
        except InvalidToken as error:
            raise AuthenticationFailed(str(error)) from error
        return check_account(account(int(claims["user_id"])), JWT_SWITCH), None

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
