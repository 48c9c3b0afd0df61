"""Small checks of entered settings, the same for every backend; pure."""

from storages.errors import ConfigInvalid


def required(value: str | None, field: str, what: str) -> str:
    """``value``, or ConfigInvalid naming the field when it is empty."""
    if not value:
        raise ConfigInvalid(f"{what} must be set", field=field)
    return value


def printable(value: str, field: str) -> str:
    """``value``, or ConfigInvalid naming the field when no HTTP header can carry it (RFC 9110 §5.5)."""
    if not (value.isascii() and value.isprintable()):
        raise ConfigInvalid("holds a line break or a character that no key has; copy it again", field=field)
    return value
