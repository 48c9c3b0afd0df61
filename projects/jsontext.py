"""JSON text as both databases store it; knows neither models nor SQL."""

import json
import re
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # an odd run of backslashes: the escape, not the six letters


class NotStorable(ValueError):
    """A value that PostgreSQL's jsonb refuses, or that no JSON answer can carry."""


def dump(value: Any) -> str:
    """``value`` as compact JSON text.

    Raises NotStorable for NaN and infinities (RFC 8259 section 6), U+0000 and lone surrogates (PostgreSQL manual,
    8.14 "JSON Types"), and for nesting deeper than Python's recursion limit.
    """
    try:
        text = _encode(value)
    except RecursionError:
        raise NotStorable("it is nested too deeply") from None
    except ValueError:
        raise NotStorable("it holds NaN or an infinite number, which JSON does not know") from None
    if "\\u0000" in text and _NUL.search(text):
        raise NotStorable("it holds the character U+0000, which the database refuses")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NotStorable("it holds half of a surrogate pair, which is no character") from None
    return text
