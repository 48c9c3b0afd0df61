"""The bytes of an answer on their way from a storage to a browser; knows no request.

After the first byte a failure breaks the connection off, so that a short body can never pass for a whole one.
"""

import time

from django.conf import settings

from storages.client import ObjectStream
from storages.errors import TimedOut, Unavailable


class Body:
    """The bytes of an answer, a buffer at a time; exactly the length that was announced, or an exception.

    A class and no generator: closing a generator that was never started would not close the upstream.
    """

    def __init__(self, stream: ObjectStream) -> None:
        self.stream, self.left = stream, stream.length
        self.deadline = time.monotonic() + settings.RESOLVER_PROXY_TIMEOUT
        self.first = self._read()  # here, where a failure can still become a status

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        chunk, self.first = self.first or self._read(), b""
        if not chunk:
            raise StopIteration
        return chunk

    def _read(self) -> bytes:
        if not self.left:
            return b""
        if time.monotonic() > self.deadline:
            raise TimedOut(f"{self.stream.info.key} took longer than RESOLVER_PROXY_TIMEOUT; ask for byte ranges")
        chunk = self.stream.read(min(settings.RESOLVER_PROXY_BUFFER_SIZE, self.left))
        if not chunk:
            raise Unavailable(f"{self.stream.info.key} ended {self.left} bytes early")
        self.left -= len(chunk)
        return chunk

    def close(self) -> None:
        self.stream.close()
