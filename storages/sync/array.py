"""The elements of a JSON array of any size, one by one, by the standard library's decoder over a bounded buffer.

A streaming parser (ijson) keeps a path per nesting level, so that 400 KB of brackets took 20 GB; it also ends at the
first integer beyond 64 bits.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE
from typing import Any

from storages.sync.jsontext import NOT_UTF8, Parser
from storages.sync.row import Limits, Mark, Row, mib

MARGIN = 16  # characters; a fault this near to the end of the buffer may only be its end ("-Infinity" has 9)
PATIENCE = 4  # times the size of a row: how much of a refused element is passed over to get to its neighbours
NEAR = 4096  # characters before a fault that may be kept; JSONDecodeError counts the lines in them each time
OUTSIDE, INSIDE = re.compile(r'[\[\]{},"]'), re.compile(r'["\\]')  # what ends a stretch outside and inside of a text
_row = tuple.__new__  # a NamedTuple's own constructor takes twice the time


class _Buffer:
    """Text that is not parsed yet; ``at``: where to go on."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        # what is no UTF-8 becomes lone surrogates, which no valid text holds: such an element is refused, its neighbours are read
        self.read, self.decoder = read, codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self.text, self.at, self.ended, self.odd = "", 0, False, False

    def grow(self) -> None:
        """At least as much again as is held, so that parsing anew after each growth stays linear."""
        self.text, self.at = self.text[self.at :], 0
        pieces, size = [self.text], 0
        while size <= len(self.text) and not self.ended:
            data = self.read()
            self.ended = not data
            pieces.append(self.decoder.decode(data, final=self.ended))
            self.odd = self.odd or not is_text(pieces[-1])
            size += len(pieces[-1])
        self.text = "".join(pieces)

    def peek(self) -> str:
        """The next character that is no white space, "" at the end; ``at`` points to it."""
        while True:
            char = self.text[self.at : self.at + 1]
            if char > " ":
                return char
            self.at = WHITESPACE.match(self.text, self.at).end()
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.grow()

    def skip(self, limit: int) -> None:
        """Passes over one element by its brackets and quotes alone, in the memory of a chunk. Raises ValueError.

        ``limit``: characters after which to give up.
        """
        depth, quoted, passed, at = 0, False, 0, self.at
        while True:
            found = (INSIDE if quoted else OUTSIDE).search(self.text, at)
            if found is None:
                passed += len(self.text) - self.at
                if self.ended or passed > limit:
                    raise ValueError("the file ends inside the array" if self.ended else f"the element exceeds {mib(limit)}")
                at = max(at - len(self.text), 0)  # 1 if a backslash was the last character
                self.at = len(self.text)
                self.grow()
                continue
            mark, at = found[0], found.end()
            if quoted:
                at += mark == "\\"
                quoted = mark != '"'
            elif mark == '"':
                quoted = True
            elif mark in "[{":
                depth += 1
            elif not depth:
                self.at = found.start()
                return
            elif mark in "]}":
                depth -= 1


class _Elements:
    """Reads one element after the other from a buffer."""

    def __init__(self, buffer: _Buffer, limits: Limits) -> None:
        self.buffer, self.limits, self.parser = buffer, limits, Parser(limits)

    def next(self) -> tuple[Any, str]:
        """The value at the buffer's place, or why it is refused. Raises JSONDecodeError where the array cannot go on."""
        buffer = self.buffer
        while True:
            try:
                value, end = self.parser.scan(buffer.text, buffer.at)
                if isinstance(value, dict | list | str) or buffer.ended or not _may_go_on(buffer.text[end : end + MARGIN]):
                    error = self.parser.fault(value, buffer.text, buffer.at, end)
                    if buffer.odd and not is_text(buffer.text[buffer.at : end]):
                        error = NOT_UTF8
                    buffer.at = end
                    return value, error
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(buffer.text) - MARGIN
                if buffer.ended or not cut:
                    return self._broken(error)
            except (ValueError, RecursionError) as error:  # more digits than int() takes; nested beyond the interpreter's limit
                return self._passed_over(self.parser.reason(error))
            if len(buffer.text) - buffer.at > self.limits.row_size:
                return self._passed_over(self.limits.row_refusal)
            buffer.grow()

    def _passed_over(self, reason: str) -> tuple[None, str]:
        self.buffer.skip(PATIENCE * self.limits.row_size)
        return None, reason

    def _broken(self, error: json.JSONDecodeError) -> tuple[None, str]:
        """Passes over an element that is no JSON, if its end is found. Raises ``error`` if not."""
        buffer = self.buffer
        if buffer.peek() in ("", "]", "}"):
            raise error
        try:
            buffer.skip(self.limits.row_size)
        except ValueError:
            raise error from None
        if buffer.at > NEAR:
            buffer.text, buffer.at = buffer.text[buffer.at :], 0
        return None, self.parser.reason(error, place=False)


def is_text(text: str) -> bool:
    """Whether all of its bytes were UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _may_go_on(rest: str) -> bool:
    """Whether a number or word that ``rest`` follows may be the beginning of a longer one: "1" of "10", "1." of "1.5"."""
    return not rest or (rest[0] in ".eE" and len(rest) < MARGIN)


def rows(read: Callable[[], bytes], limits: Limits, mark: Mark) -> Iterator[Row]:
    """The array's elements from ``mark`` on. A fault that ends the array is the last row, with its reason.

    A row's size is counted in characters here.
    """
    buffer, index = _Buffer(read), 0
    elements = _Elements(buffer, limits)
    try:
        buffer.peek()
        buffer.at += 1  # the opening bracket
        more = buffer.peek() != "]"
        while more:
            value, error = elements.next()
            if index >= mark.index:
                yield Row(index, error=error) if error else _row(Row, (index, value, "", 0, 0, False))
            index += 1
            if (sign := buffer.peek()) not in (",", "]"):
                raise ValueError("the file ends inside the array" if not sign else f"{sign!r} stands where , or ] should")
            more = sign == ","
            buffer.at += more
            if more:
                buffer.peek()
        buffer.at += 1
        if buffer.peek():
            raise ValueError("something follows the array's end")
    except (ValueError, RecursionError) as error:
        if index >= mark.index:
            yield Row(index, error=f"the JSON array breaks off here: {elements.parser.reason(error, place=False)}")
