"""The account a fresh server starts with. Reads no environment: the caller hands over what was set there."""

import secrets
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from users import legacy_tokens
from users.models import User
from users.organizations import create_organization

DEFAULT_EMAIL = "admin@localhost"
DEFAULT_ORGANIZATION = "Quayside"


@dataclass(frozen=True)
class FirstUser:
    """The account to show at start; ``password`` is None if the account existed before, for then nobody knows it."""

    email: str
    password: str | None = field(repr=False)
    token: str = field(repr=False)


def ensure_first_user(email: str = "", password: str = "", token: str = "") -> FirstUser:
    """Creates organization and superuser in an empty database, else names the account that is there.

    An empty value means: choose one. Given values only count for a new account: a restart must not bring back a
    password or a key that its owner has changed. Safe when several processes start at once.
    Raises ValueError for an email or a token that cannot be used, config.crypto.DecryptionFailed for an unreadable key.
    """
    email = (email or DEFAULT_EMAIL).lower()
    _check(email, token)
    try:
        with transaction.atomic():
            if not User.objects.exists():
                return _create(email, password or secrets.token_urlsafe(12), token or None)
    except IntegrityError:  # another process was faster with the same address
        pass
    user = User.objects.filter(email=email).first() or User.objects.order_by("-is_superuser", "pk")[0]
    return FirstUser(user.email, None, legacy_tokens.show_key(user))


def _check(email: str, token: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise ValueError(f"the first user's name {email!r} is not an email address") from error
    if token:
        legacy_tokens.check_key(token)


def _create(email: str, password: str, token: str | None) -> FirstUser:
    user = User.objects.create_superuser(email, password)
    create_organization(DEFAULT_ORGANIZATION, user)
    return FirstUser(email, password, legacy_tokens.set_key(user, token))
