"""JWT personal access tokens: a long-lived refresh token buys five-minute access tokens. Knows nothing of HTTP.

A refresh token is live while its row is not blacklisted; the row keeps no signature, so the database alone buys nothing.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from users.models import PersonalToken, User
from users.organizations import accounts

ACCESS, REFRESH = "access", "refresh"
ACCESS_LIFETIME = timedelta(minutes=5)
ALGORITHM = "HS256"  # the only one accepted: a token may never choose how it is verified (RFC 8725 §3.1)
CLAIMS = ["token_type", "exp", "iat", "jti", "user_id"]


class InvalidToken(Exception):
    """Not a token of ours, of the wrong type, expired, blacklisted, or not the caller's."""


class TokenExists(Exception):
    """The user already holds a live refresh token."""


def _sign(user_id: int, token_type: str, jti: str, issued: datetime, expires: datetime) -> str:
    claims = {"token_type": token_type, "exp": expires, "iat": issued, "jti": jti, "user_id": str(user_id)}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm=ALGORITHM)


def read_claims(token: str | bytes, token_type: str) -> dict[str, Any]:
    """The verified claims of a token of that type. Raises InvalidToken."""
    options = {"require": CLAIMS, "verify_iat": False}  # RFC 7519 §4.1.6: iat is information; clocks of two servers differ
    try:
        claims = jwt.decode(token, settings.SECRET_KEY, algorithms=[ALGORITHM], options=options)
    except jwt.ExpiredSignatureError as error:
        raise InvalidToken("Token is expired.") from error
    except jwt.InvalidTokenError as error:
        raise InvalidToken("Invalid token.") from error
    if not str(claims["user_id"]).isdecimal() or len(str(claims["user_id"])) > 18:  # what a 64-bit key can be
        raise InvalidToken("Invalid token.")
    if claims["token_type"] != token_type:
        raise InvalidToken(f"Invalid token: a token of type {token_type} is needed here.")
    return claims


def issue_access(user: User) -> str:
    """An access token, valid for five minutes."""
    now = timezone.now()
    return _sign(user.pk, ACCESS, uuid.uuid4().hex, now, now + ACCESS_LIFETIME)


def live_tokens(user: User) -> QuerySet[PersonalToken]:
    """The user's refresh tokens that still buy access, oldest first."""
    return PersonalToken.objects.filter(user=user, blacklisted_at__isnull=True, expires_at__gt=timezone.now()).order_by("pk")


def _issue_refresh(user: User) -> str:
    now, jti = timezone.now(), uuid.uuid4().hex
    expires = now + timedelta(days=user.active_organization.api_token_ttl_days)
    token = _sign(user.pk, REFRESH, jti, now, expires)
    PersonalToken.objects.create(user=user, jti=jti, unsigned=token.rpartition(".")[0], expires_at=expires)
    return token


def create_token(user: User) -> str:
    """The full refresh token, shown this once. Raises TokenExists while another one is live."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two requests at once: the second waits and sees the first's token
        if live_tokens(user).exists():
            raise TokenExists
        return _issue_refresh(user)


def owner_of(refresh: str) -> User:
    """The account behind a live refresh token, ready for the membership check. Raises InvalidToken."""
    claims = read_claims(refresh, REFRESH)
    found = (
        accounts()
        .select_related("active_organization")
        .filter(personal_tokens__jti=claims["jti"], personal_tokens__blacklisted_at__isnull=True)
    )
    user = found.filter(pk=claims["user_id"]).first()
    if user is None:
        raise InvalidToken("Token is blacklisted or unknown.")
    return user


def blacklist_token(refresh: str, user: User) -> None:
    """Ends a live refresh token of ``user``. Raises InvalidToken, also for the second of two calls at once."""
    jti = read_claims(refresh, REFRESH)["jti"]
    if not live_tokens(user).filter(jti=jti).update(blacklisted_at=timezone.now()):
        raise InvalidToken("Token not found or already blacklisted.")


def rotate_token(refresh: str, user: User) -> str:
    """A new refresh token in place of a live one of ``user``. Raises InvalidToken, and then nothing has changed."""
    with transaction.atomic():
        blacklist_token(refresh, user)
        return _issue_refresh(user)
