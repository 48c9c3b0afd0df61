"""The bytes of an open object, chunk by chunk, with a look at what comes next; knows no format."""

import codecs
from collections.abc import Callable

from storages.errors import StorageError

CHUNK = 256 * 1024  # bytes asked for at a time
BOM = codecs.BOM_UTF8


class Source:
    """Bytes from ``offset`` on; ``pull(n)`` gives up to ``n`` more, b"" at the end."""

    def __init__(self, pull: Callable[[int], bytes], offset: int = 0) -> None:
        self.pull, self.offset, self.head = pull, offset, b""
        self.failure: StorageError | None = None  # met while looking ahead, raised behind the bytes that came before it

    def read(self) -> bytes:
        """The next chunk, b"" at the end. ``offset`` moves behind it. Raises what ``pull`` raises."""
        if self.failure and not self.head:
            raise self.failure
        head = self.head or self.pull(CHUNK)
        data, self.head = head[:CHUNK], head[CHUNK:]
        self.offset += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """At least the next ``size`` bytes, fewer only where the object ends or breaks off; they are not consumed."""
        try:
            while len(self.head) < size and not self.failure and (data := self.pull(CHUNK)):
                self.head += data
        except StorageError as error:
            self.failure = error
        if self.failure and not self.head:
            raise self.failure
        return self.head

    def skip_bom(self) -> None:
        if self.peek(len(BOM)).startswith(BOM):
            self._drop(len(BOM))

    def skip_blanks(self) -> bytes:
        """The first byte that is no white space, not consumed; b"" if there is none. What comes before it is consumed."""
        while head := self.peek(1):
            self._drop(len(head) - len(head.lstrip()))
            if self.head:
                return self.head[:1]
        return b""

    def _drop(self, count: int) -> None:
        self.head, self.offset = self.head[count:], self.offset + count
