"""Whether what a store answers is what it was asked for; knows no vendor. Sources: RFC 9110 §15.3.7 (206), §8.6 (length)."""

from typing import Any

SIZE_DIGITS = 16  # 10 PB: more than any store takes as one object


def holds(response: Any, start: int | None) -> bool:
    """Whether a 2xx answer holds the bytes from offset ``start`` on, or the whole object if that is None."""
    if start is None:
        return response.status == 200
    return response.status == 206 and response.headers.get("Content-Range", "").lower().startswith(f"bytes {start}-")


def parse_size(text: str) -> int:
    """Bytes. Raises ValueError for what is no size of an object."""
    if not (text.isascii() and text.isdecimal() and len(text) <= SIZE_DIGITS):
        raise ValueError(text[:40])
    return int(text)
