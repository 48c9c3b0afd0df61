"""Rows of a Parquet file, row group by row group through ranged reads; a file of any size takes the memory of one group."""

import base64
import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from storages.client import Client, ObjectInfo
from storages.errors import Malformed

BUFFER = 1024**2  # bytes asked for at least with one request
BATCH = 100  # rows turned into Python objects at a time; a row may hold megabytes
MAGIC = b"PAR1"  # first and last four bytes (Parquet format, "File Format")


class RangedFile(io.RawIOBase):
    """An object as a seekable, read-only file; each read is one ranged request."""

    def __init__(self, client: Client, item: ObjectInfo) -> None:
        self.client, self.item, self.place = client, item, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.item.size}[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        if self.place >= self.item.size or not len(buffer):
            return 0
        with self.client.open(self.item.key, self.place, self.place + len(buffer) - 1) as stream:
            count = 0
            while count < stream.length and (data := stream.read(stream.length - count)):
                buffer[count : count + len(data)] = data
                count += len(data)
        self.place += count
        return count


def open_ranged(client: Client, item: ObjectInfo) -> io.BufferedReader:
    """The object as a buffered, seekable file. Reading raises StorageError."""
    return io.BufferedReader(RangedFile(client, item), BUFFER)


def rows(file: Any) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(row group, row inside it, values by column). Raises Malformed when the file is no readable Parquet."""
    import pyarrow
    from pyarrow import parquet

    try:
        source = parquet.ParquetFile(file)
        for group in range(source.num_row_groups):
            index = 0
            for batch in source.iter_batches(batch_size=BATCH, row_groups=[group]):
                for value in batch.to_pylist():
                    yield group, index, plain(value)
                    index += 1
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise Malformed(f"not a readable Parquet file: {str(error).splitlines()[0][:200]}") from None


def plain(value: Any) -> Any:
    """The JSON form of a Parquet value: times as ISO 8601, decimals as numbers, bytes as base64, maps as objects."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, UUID) else value
