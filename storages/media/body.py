"""The bytes of an answer on their way from a storage to a browser; knows no request.

After the first byte a failure breaks the connection off, so that a short body can never pass for a whole one.
"""

import time

from django.conf import settings
from django.db import connections

from storages import watchdog
from storages.client import Client, ObjectStream
from storages.errors import StorageError, TimedOut, Unavailable
from storages.media.headers import etag
from storages.media.slots import Slot
from storages.watchdog import Asker

REOPENINGS, AT_ALL = 2, 10  # in a row, without a byte in between; of one answer
PIECE = 128 * 1024  # bytes that a browser must take within RESOLVER_PROXY_TIMEOUT (gunicorn sends a piece as a whole)


class Body:
    """The bytes of an answer, a buffer at a time; exactly the length that was announced, or an exception.

    An upstream that breaks off, or gives no buffer within RESOLVER_PROXY_TIMEOUT, is opened again where it broke, as long
    as it is the same version of the object and ``browser`` is there. Raises StorageError.
    A class and no generator: closing a generator that was never started would not close the upstream.
    """

    def __init__(self, client: Client, stream: ObjectStream, storage_id: int, slot: Slot, browser: Asker | None) -> None:
        self.client, self.storage_id, self.slot, self.browser = client, storage_id, slot, browser
        slot.kept = True
        self.stream: ObjectStream | None = stream
        self.info, self.at, self.end = stream.info, stream.start, stream.end
        self.reopenings, self.sent = AT_ALL, 0
        try:
            self.first = self._read()  # here, where a failure can still become a status
        except StorageError:
            self.close()
            raise

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        if self.sent >= len(self.first):
            self.first, self.sent = b"", 0  # not both buffers at once
            self.first = self._read()
        if not self.first:
            self.close()
            raise StopIteration
        piece = self.first[self.sent : self.sent + PIECE]
        self.sent += PIECE
        return piece

    def close(self) -> None:
        """Ends the upstream, and frees the slot; any number of times."""
        try:
            self._drop()
        finally:
            self.slot.free()

    def _read(self) -> bytes:
        """The next buffer, b"" at the end."""
        attempts_left = REOPENINGS
        with watchdog.asked_by(self.browser):
            while self.at <= self.end:
                try:
                    return self._piece(self.stream or self._reopened())
                except Unavailable:
                    self._drop()
                    if not (attempts_left and self.reopenings) or (self.browser and watchdog.hung_up([self.browser])):
                        raise
                    attempts_left, self.reopenings = attempts_left - 1, self.reopenings - 1
        return b""

    def _piece(self, stream: ObjectStream) -> bytes:
        """At most a buffer from ``stream``. Raises TimedOut, Unavailable."""
        patience, began = settings.RESOLVER_PROXY_TIMEOUT, time.monotonic()
        try:
            with watchdog.within(stream.raw, patience):
                chunk = stream.read(min(settings.RESOLVER_PROXY_BUFFER_SIZE, self.end + 1 - self.at))
        except Unavailable as error:
            if time.monotonic() - began < patience:
                raise
            raise TimedOut(f"{self.info.key} stood still for {patience} s; the storage is too slow or away") from error
        if not chunk:
            raise Unavailable(f"{self.info.key} ended {self.end + 1 - self.at} bytes early")
        self.at += len(chunk)
        return chunk

    def _reopened(self) -> ObjectStream:
        """The rest of the same version. Raises StorageError, not to be retried, if it cannot be told to be the same."""
        self.stream = self.client.open(self.info.key, self.at, self.end)
        version = etag(self.info, self.storage_id)
        if not version or etag(self.stream.info, self.storage_id) != version or self.stream.start != self.at:
            raise StorageError(f"{self.info.key} was replaced while it was read; ask for it again")
        return self.stream

    def _drop(self) -> None:
        stream, self.stream = self.stream, None
        if stream:
            stream.close()


def release_database() -> None:
    """Gives this thread's pooled connections back; outside of a pool a connection is the thread's own, and no scarce thing."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
            connection.close()
