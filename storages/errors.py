"""The kinds of storage failure, whatever the backend; knows neither HTTP nor any SDK.

A message says what failed, where, and what to do; it never holds a secret or a provider's response body.
"""


class StorageError(Exception):
    """A storage operation failed. ``retryable``: the same call may succeed later; ``field``: the setting at fault.

    ``verb``: what was tried (list, read, write, delete, sign), ``grant``: the permission to give; "" where not known.
    """

    retryable = False
    code = "error"
    verb = grant = ""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConfigInvalid(StorageError):
    """A setting of the storage is wrong: syntax, missing half of a pair, wrong region."""

    code = "misconfigured"


class EgressDenied(ConfigInvalid):
    """The host resolves to an address this server must not reach (SSRF protection)."""

    code = "egress_denied"


class BadCredentials(StorageError):
    """The provider does not accept the key, token or signature."""

    code = "bad_credentials"


class AccessDenied(StorageError):
    """The identity is known but may not do this."""

    code = "no_permission"


class NotFound(StorageError):
    """The bucket, prefix or object does not exist, or is hidden from this identity."""

    code = "not_found"


class RangeNotSatisfiable(StorageError):
    """The first byte asked for lies behind the end. ``size``: the object's size in bytes, None if unknown."""

    code = "range"

    def __init__(self, message: str, *, size: int | None = None) -> None:
        super().__init__(message)
        self.size = size


class Unsupported(StorageError):
    """This backend cannot do this at all."""

    code = "unsupported"


class CursorLost(StorageError):
    """The provider no longer takes the cursor that a listing is to resume at; the span is to be listed anew."""

    code = "cursor_lost"


class Unavailable(StorageError):
    """The provider could not be reached or failed on its side."""

    retryable = True
    code = "unreachable"


class TimedOut(Unavailable):
    """The provider did not answer in time."""

    code = "timeout"


class Throttled(Unavailable):
    """The provider asks to slow down. ``retry_after``: seconds, None if it did not say."""

    code = "throttled"

    def __init__(self, message: str, *, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, field=field)
        self.retry_after = retry_after


class Full(Unavailable):
    """No room is left for what is to be written: a disk, a quota, a server's memory."""

    code = "full"


class Malformed(StorageError):
    """An object's content is not what the import method expects."""

    code = "malformed"
