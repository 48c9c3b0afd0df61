"""Encryption at rest for credentials: MultiFernet over STORAGE_ENCRYPTION_KEYS, the first key encrypts, all decrypt."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class DecryptionFailed(Exception):
    """No key of STORAGE_ENCRYPTION_KEYS opens the stored value."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def is_newest(ciphertext: str) -> bool:
    """Whether the newest key opens ``ciphertext``, so that it will stay readable when the other keys go."""
    try:
        _cipher(tuple(settings.STORAGE_ENCRYPTION_KEYS[:1])).decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def encrypt(text: str) -> str:
    """Ciphertext of ``text`` under the newest key; two calls never give the same value."""
    return _cipher(tuple(settings.STORAGE_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(ciphertext: str) -> str:
    """The text behind ``ciphertext``. Raises DecryptionFailed when its key was removed."""
    try:
        return _cipher(tuple(settings.STORAGE_ENCRYPTION_KEYS)).decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        raise DecryptionFailed(
            "a stored credential was encrypted with a key that STORAGE_ENCRYPTION_KEYS no longer holds; "
            "put the old key back at the end of the list, or run manage.py rotate_secrets --clear-unreadable and enter it again"
        ) from None


def rotate(ciphertext: str) -> str:
    """The same text under the newest key. Raises DecryptionFailed as decrypt does."""
    return encrypt(decrypt(ciphertext))
