"""The server's own AWS identity, where the operator lends it."""

from functools import lru_cache
from typing import Any

from django.conf import settings

from storages import errors


def ambient_credentials(custom_endpoint: bool) -> Any:
    """The server's own identity from AWS's default chain. Raises BadCredentials when it has none or may not be used."""
    if not settings.ALLOW_AMBIENT_CREDENTIALS:
        raise errors.BadCredentials("enter an access key; this server does not lend its own identity")
    if custom_endpoint:
        raise errors.BadCredentials("enter an access key; the server's own identity is only used on AWS's own endpoints")
    if (found := _default_chain()) is None:
        _default_chain.cache_clear()
        raise errors.BadCredentials("enter an access key; this server has no AWS identity of its own")
    return found


@lru_cache(maxsize=1)
def _default_chain() -> Any:
    import boto3

    return boto3.Session().get_credentials()
