"""An object as a seekable, read-only file: each read is one ranged request. Knows no format."""

import io
from typing import Any

from storages.client import Client, ObjectInfo
from storages.errors import Unavailable

BUFFER = 1024**2  # bytes asked for at least with one request


class RangedFile(io.RawIOBase):
    """The object at ``key``, in the version that ``info`` tells of."""

    def __init__(self, client: Client, info: ObjectInfo) -> None:
        self.client, self.info, self.place = client, info, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.info.size}[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Raises StorageError; Unavailable if the object was replaced in the meantime."""
        if self.place >= self.info.size or not len(buffer):
            return 0
        with self.client.open(self.info.key, self.place, self.place + len(buffer) - 1) as stream:
            if stream.info.size != self.info.size or stream.info.etag != self.info.etag:
                raise Unavailable(f"{self.client.uri(self.info.key)} was replaced while it was read; run the sync again")
            count = 0
            while count < stream.length and (data := stream.read(stream.length - count)):
                buffer[count : count + len(data)] = data
                count += len(data)
        self.place += count
        return count


def opened(client: Client, info: ObjectInfo) -> io.BufferedReader:
    """The object as a buffered file; ``info``: what opening it told. Reading raises StorageError."""
    return io.BufferedReader(RangedFile(client, info), BUFFER)
