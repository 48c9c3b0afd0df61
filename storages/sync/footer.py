"""What a Parquet file's footer says of its columns, asked for without trusting it. Knows no rows."""

import io
import struct
from typing import Any

from storages.errors import Malformed
from storages.sync.row import Limits, mib

MAGIC = b"PAR1"  # first and last four bytes (Parquet format, "File Format")
SMALLEST = 12  # bytes: the magic twice, and the footer's length


def check_size(file: Any, limits: Limits) -> None:
    """Raises Malformed for a file that breaks off, or whose footer would take more memory than a row group may.

    A footer takes about four times its size when it is read.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    if size < SMALLEST or tail[4:] != MAGIC:
        raise Malformed("not a readable Parquet file: its end is missing; upload the file again")
    if struct.unpack("<I", tail[:4])[0] > limits.row_group_size // 4:
        raise Malformed(f"the Parquet footer exceeds {mib(limits.row_group_size // 4)}, a quarter of SYNC_MAX_ROW_GROUP_MB")


class _SoundError(Exception):
    """Raised by the first byte that is asked for."""


class _NoBytes(io.RawIOBase):
    """A file without content: who gets as far as reading it found nothing wrong in the footer."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def __init__(self) -> None:
        self.place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = 2**62 if whence == io.SEEK_END else offset  # larger than any column's place in a real file
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int = -1) -> bytes:
        raise _SoundError


def fault(metadata: Any, group: int) -> str:
    """What is wrong with what the footer says of a row group, "" if nothing.

    Asked first, since ``RowGroupMetaData.column`` ends the process where the footer contradicts itself (pyarrow 26: its
    C++ exception has no handler), while reading the group raises.
    """
    import pyarrow
    from pyarrow import parquet

    probe = parquet.ParquetFile(_NoBytes(), metadata=metadata, buffer_size=4096, pre_buffer=False)
    try:
        next(probe.iter_batches(1, row_groups=[group], use_threads=False), None)
    except _SoundError:
        pass
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        return reason(error)
    return ""


def strings(metadata: Any, groups: list[int]) -> dict[str, str]:
    """For each column of texts or bytes, how it may hold more than it takes in the file: dictionary, delta or ""."""
    found: dict[str, str] = {}
    for group in groups:
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            if column.physical_type == "BYTE_ARRAY" and found.get(column.path_in_schema) != "delta":
                encodings = " ".join(column.encodings)
                kind = "delta" if "DELTA" in encodings else "dictionary" if "DICTIONARY" in encodings else ""
                found[column.path_in_schema] = kind or found.get(column.path_in_schema, "")
    return found


def reason(error: Exception) -> str:
    return f"not a readable Parquet file: {(str(error).splitlines() or [type(error).__name__])[0][:200]}"
