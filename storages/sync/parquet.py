"""Rows of a Parquet file, row group by row group; a file of any size takes the memory of a part of one group.

A damaged or refused group hides only itself. Knows neither storage nor compression.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from storages.errors import Malformed, StorageError
from storages.sync import footer, jsoncolumns
from storages.sync.columns import Columns, doubled
from storages.sync.row import Limits, Mark, Row, mib

if TYPE_CHECKING:
    from pyarrow import parquet

BATCH_ROWS = 2000  # rows turned into Python objects at a time, and the bytes that they may be expected to take
BATCH_BYTES = 4 * 1024**2
BUFFER = 1024**2  # bytes read at a time of a column; less where there are many columns
BUFFERS = 16 * 1024**2  # bytes of all columns' buffers
_row = tuple.__new__  # a NamedTuple's own constructor takes twice the time


def rows(file: Any, limits: Limits, mark: Mark) -> Iterator[Row]:
    """The rows of a seekable file from ``mark`` on; whole groups before it are not read.

    Raises Malformed when the file is no readable Parquet, and what reading ``file`` raises.
    """
    import pyarrow
    from pyarrow import parquet

    footer.check_size(file, limits)
    try:
        metadata = parquet.read_metadata(file)
        if name := doubled(metadata.schema.to_arrow_schema()):
            raise Malformed(f"the file names the column {name[:80]!r} twice; give each column a name of its own")
        faults = {group: footer.fault(metadata, group) for group in range(mark.group, metadata.num_row_groups)}
        kinds = footer.strings(metadata, [group for group, fault in faults.items() if not fault])
        source = _opened(file, metadata, kinds)
        refusals = {group: fault or _refusal(source, group, limits) for group, fault in faults.items()}
    except (pyarrow.ArrowException, ValueError, LookupError, OSError) as error:  # LookupError: a damaged column name
        raise Malformed(footer.reason(error)) from None
    for group, message in refusals.items():
        start = mark.index if group == mark.group else 0
        if message:
            yield Row(start, error=message, group=group)
        else:
            yield from _group(source, group, start, _batch_rows(source.metadata, group), limits)


def _opened(file: Any, metadata: Any, kinds: dict[str, str]) -> "parquet.ParquetFile":
    """The file for reading in little memory.

    A dictionary is kept as one: a long text that a million rows share would else take its length a million times.
    """
    from pyarrow import parquet

    return parquet.ParquetFile(
        file,
        metadata=metadata,
        read_dictionary=[path for path, kind in kinds.items() if kind == "dictionary"],
        buffer_size=max(min(BUFFER, BUFFERS // max(metadata.num_columns, 1)), 16 * 1024),
        pre_buffer=False,  # would hold all columns of a group
    )


def _refusal(source: Any, group: int, limits: Limits) -> str:
    """Why a row group is not read, "" if it may be."""
    found, schema = source.metadata.row_group(group), source.schema
    # lists of one value repeated take nothing in the file: each item takes 4 bytes at least
    lists = [number for number in range(len(schema)) if schema.column(number).max_repetition_level]
    size = max(found.total_byte_size, 4 * sum(found.column(number).num_values for number in lists))
    if size > limits.row_group_size:
        limit = mib(limits.row_group_size)
        return f"row group {group} takes {mib(size)}, more than {limit}: write smaller groups or raise SYNC_MAX_ROW_GROUP_MB"
    if any(schema.column(number).path.count(".") >= limits.depth for number in range(len(schema))):
        return limits.depth_refusal
    return ""


def _group(source: Any, group: int, start: int, size: int, limits: Limits) -> Iterator[Row]:
    import pyarrow

    index, parsed = 0, jsoncolumns.named(source.metadata.metadata)
    try:
        for batch in source.iter_batches(size, row_groups=[group], use_threads=False):
            skipped = min(max(start - index, 0), batch.num_rows)
            index += skipped
            for value, error in Columns(batch.slice(skipped), limits, parsed).rows():
                yield Row(index, error=error, group=group) if error else _row(Row, (index, value, "", group, 0, False))
                index += 1
    except StorageError:
        raise
    except (pyarrow.ArrowException, ValueError, LookupError, OSError) as error:
        yield Row(max(index, start), error=footer.reason(error), group=group)


def _batch_rows(metadata: Any, group: int) -> int:
    """How many rows to take at a time: fewer of large ones, few where texts may be much longer than they look."""
    found = metadata.row_group(group)
    average = found.total_byte_size // max(found.num_rows, 1)
    count = min(BATCH_ROWS, BATCH_BYTES // max(average, 1))
    columns = [found.column(number) for number in range(found.num_columns)]
    texts = [column for column in columns if column.physical_type == "BYTE_ARRAY"]
    longest = max((text.total_uncompressed_size for text in texts if "DELTA" in " ".join(text.encodings)), default=0)
    return max(1, min(count, 8 * BATCH_BYTES // max(longest, 1)))
