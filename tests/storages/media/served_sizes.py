"""Sizes of the objects that tests.storages.media.served offers, in bytes; importable without Django."""

SIZE = 64 * 1024**2
BREAKS_AT = 3 * 1024**2
