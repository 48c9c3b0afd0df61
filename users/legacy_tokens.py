"""Legacy API keys (``Authorization: Token``): found by digest, kept encrypted. Knows nothing of HTTP."""

import hashlib
import re
import secrets

from config import crypto
from users.models import LegacyToken, User

KEY = re.compile(r"[!-~]{1,256}", re.ASCII)  # RFC 9110 §5.5: the visible characters a header value may hold


def digest(key: str | bytes) -> str:
    """What the database knows a key by: its sha256, hex. A random key of 160 bits needs no salt and no stretching."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def _columns(key: str) -> dict[str, str]:
    return {"digest": digest(key), "ciphertext": crypto.encrypt(key)}


def new_key() -> str:
    """40 hex digits, the form Label Studio's keys have."""
    return secrets.token_hex(20)


def check_key(key: str) -> None:
    """Raises ValueError for a chosen key that no client could send: blanks, other than ASCII, or the shape of a JWT."""
    if not KEY.fullmatch(key):
        raise ValueError("the user token must be 1 to 256 visible ASCII characters without blanks")
    if key.count(".") == 2:
        raise ValueError("the user token must not have the three dotted parts of a JWT: clients would try to refresh it")


def set_key(user: User, key: str | None = None) -> str:
    """Gives ``user`` the key (a random one if None) in place of the old one, and returns it. Raises ValueError as check_key."""
    key = new_key() if key is None else key
    check_key(key)
    LegacyToken.objects.update_or_create(user=user, defaults=_columns(key))
    return key


def show_key(user: User) -> str:
    """The user's key, made on first use. Raises config.crypto.DecryptionFailed when its encryption key is gone."""
    token, _ = LegacyToken.objects.get_or_create(user=user, defaults=_columns(new_key()))
    return crypto.decrypt(token.ciphertext)
