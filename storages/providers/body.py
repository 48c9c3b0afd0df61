"""The bytes of an answer on their way: a piece at a time, each within its time. Knows no vendor and no object."""

from typing import Any

from storages import watchdog
from storages.client import Readable
from storages.meter import Meter
from storages.providers.failures import translated

PIECE_TIME = 60  # seconds for one piece of a stream, 1 MiB at most where the backend says no other size


class Body(Readable):
    """The bytes of a GET answer; a connection that breaks off raises Unavailable instead of ending short."""

    def __init__(self, response: Any, host: str, meter: Meter, chunk: int | None = None) -> None:
        self.response, self.host, self.meter, self.chunk = response, host, meter, chunk
        self.watched = getattr(response, "watched", None)  # the connection, for the watchdog

    def read(self, size: int = -1) -> bytes:
        size = self.chunk if self.chunk and size > self.chunk else size
        with translated(self.host), watchdog.within(self.response, PIECE_TIME):
            data = self.response.read(None if size < 0 else size)
        self.meter.count(size=len(data))
        return data

    def close(self) -> None:
        self.response.close()
        self.response.release_conn()
