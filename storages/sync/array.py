"""The elements of a JSON array of any size, one by one, by the standard library's decoder over a bounded buffer.

A streaming parser (ijson) keeps a path per nesting level, so that 400 KB of brackets took 20 GB; it also ends at the
first integer beyond 64 bits.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE
from typing import Any, NamedTuple

MARGIN = 16  # characters; a fault this near to the end of the buffer may only be its end ("-Infinity" has 9)


class Row(NamedTuple):
    """``index`` counts rows from 0 (inside ``group`` for Parquet), blank lines left out; ``error`` says why there is no value."""

    index: int
    value: Any = None
    error: str = ""
    group: int = 0


def _refuse_constant(name: str) -> None:
    raise ValueError(f"not valid JSON: {name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def reason(error: Exception) -> str:
    """Why a text is no JSON, in words."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    text = str(error).splitlines()[0][:200]
    return f"not valid JSON: {text}" if isinstance(error, json.JSONDecodeError) else text


class _Buffer:
    """Text that is not parsed yet; grows by reading, shrinks by ``drop``."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self.read, self.decoder = read, codecs.getincrementaldecoder("utf-8")()
        self.text, self.at, self.ended = "", 0, False

    def grow(self) -> None:
        """At least as much again as is held, so that parsing anew after each growth stays linear."""
        self.text, self.at = self.text[self.at :], 0
        pieces, size = [self.text], 0
        while size <= len(self.text) and not self.ended:
            data = self.read()
            self.ended = not data
            pieces.append(self.decoder.decode(data, final=self.ended))
            size += len(pieces[-1])
        self.text = "".join(pieces)

    def peek(self) -> str:
        """The next character that is no white space, "" at the end; ``at`` points to it."""
        while True:
            self.at = WHITESPACE.match(self.text, self.at).end()
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.grow()

    def element(self, limit: int) -> Any:
        """The value at ``at``. Raises ValueError, RecursionError."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
                if end - self.at > limit:
                    break
                if self.ended or not self._may_go_on(value, end):
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self.text) - MARGIN
                if self.ended or not cut:
                    raise
            if len(self.text) - self.at > limit:
                break
            self.grow()
        raise ValueError(f"the element is longer than {limit // 1024**2} MiB")

    def _may_go_on(self, value: Any, end: int) -> bool:
        """Whether what was parsed may be the beginning of a longer value: "1" of "10", "1." of "1.5"."""
        rest = self.text[end : end + MARGIN]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return not rest or (number and rest[0] in ".eE" and len(rest) < MARGIN)


def rows(read: Callable[[], bytes], limit: int) -> Iterator[Row]:
    """The array's elements; ``limit`` is the longest element in characters. A fault is the last row, with its reason."""
    buffer, index = _Buffer(read), 0
    try:
        buffer.peek()
        buffer.at += 1  # the opening bracket
        more = buffer.peek() != "]"
        while more:
            yield Row(index, buffer.element(limit))
            index += 1
            if (mark := buffer.peek()) not in (",", "]"):
                raise ValueError("the file ends inside the array" if not mark else f"{mark!r} stands where , or ] should")
            more = mark == ","
            buffer.at += more
            if more:
                buffer.peek()
        buffer.at += 1
        if buffer.peek():
            raise ValueError("something follows the array's end")
    except (ValueError, RecursionError) as error:
        yield Row(index, error=f"the JSON array breaks off here: {reason(error)}")
