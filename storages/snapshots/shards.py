"""The two formats of a snapshot: tasks go in one by one, the bytes of an object come out. Knows neither keys nor storages."""

import hashlib
import io
from typing import Any

from storages.snapshots.records import Record
from storages.snapshots.texts import TEXTS, spliced
from storages.sync.jsoncolumns import MARK

MOST_TASKS = 10_000  # per shard
MOST_BYTES = 64 * 1024**2  # of its tasks as text, and of what is held in memory of a shard
GROUP_BYTES = 8 * 1024**2  # of a Parquet row group's texts
# what one task is in Parquet: whole numbers and times for filters, JSON text for what differs from task to task
NUMBERS = ("id", "inner_id", "total_annotations", "cancelled_annotations", "total_predictions", "updated_by")
TIMES = ("created_at", "updated_at")
PLAIN = (*NUMBERS, *TIMES, "allow_skip")


class Lines:
    """JSON Lines (jsonlines.org): a task per line, in UTF-8."""

    content_type = "application/jsonl"

    def __init__(self) -> None:
        self.file = io.BytesIO()

    @staticmethod
    def encode(plain: dict[str, Any], texts: dict[str, str]) -> tuple[bytes, int]:
        """A task as ``add`` takes it, and its bytes."""
        body = f"{spliced(plain, texts)}\n".encode()
        return body, len(body)

    def add(self, body: bytes) -> None:
        self.file.write(body)

    def close(self) -> bytes:
        return self.file.getvalue()


class Table:
    """Parquet: a task per row, what is nested as JSON text; the file names those columns, so that an import parses them."""

    content_type = "application/vnd.apache.parquet"

    def __init__(self) -> None:
        import pyarrow
        from pyarrow import parquet

        moment, text = pyarrow.timestamp("us", "UTC"), pyarrow.string()
        kinds = [(name, pyarrow.int64()) for name in NUMBERS] + [(name, moment) for name in TIMES]
        kinds += [("allow_skip", pyarrow.bool_()), *((name, text) for name in TEXTS)]
        self.schema = pyarrow.schema(kinds, {MARK: ",".join(TEXTS).encode()})
        self.file, self.rows, self.size = io.BytesIO(), list[tuple](), 0
        self.writer = parquet.ParquetWriter(self.file, self.schema, compression="zstd", use_dictionary=False)

    @staticmethod
    def encode(plain: dict[str, Any], texts: dict[str, str]) -> tuple[tuple, int]:
        """A task as ``add`` takes it, and about its bytes."""
        values = [plain[name] for name in PLAIN]
        return (*values, *texts.values()), sum(map(_bytes, texts.values())) + 8 * len(values)

    def add(self, body: tuple) -> None:
        self.rows.append(body)
        self.size += sum(map(_bytes, body[-len(TEXTS) :]))
        if self.size > GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        import pyarrow

        if not self.rows:
            return
        columns = []
        for field, values in zip(self.schema, zip(*self.rows, strict=True), strict=True):
            times = field.name in TIMES
            made = pyarrow.array(values, pyarrow.string() if times else field.type)
            columns.append(made.cast(field.type) if times else made)
        self.writer.write_table(pyarrow.Table.from_arrays(columns, schema=self.schema))
        self.rows, self.size = [], 0

    def close(self) -> bytes:
        self._write()
        self.writer.close()
        return self.file.getvalue()


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


SHAPES: dict[str, type[Lines] | type[Table]] = {"jsonl": Lines, "parquet": Table}


class Counted:
    """A shard with what the manifest says about it."""

    def __init__(self, shape: type[Lines] | type[Table]) -> None:
        self.shard = shape()
        self.tasks = self.annotations = self.predictions = self.size = 0

    def fits(self, record: Record) -> bool:
        return not self.tasks or (self.tasks < MOST_TASKS and self.size + record.size <= MOST_BYTES)

    def add(self, record: Record) -> None:
        self.shard.add(record.body)
        self.tasks += 1
        self.annotations += record.annotations
        self.predictions += record.predictions
        self.size += record.size

    def close(self, name: str) -> tuple[bytes, dict[str, Any]]:
        """The object, and its entry in the manifest."""
        body = self.shard.close()
        counts = {"tasks": self.tasks, "annotations": self.annotations, "predictions": self.predictions}
        return body, {"name": name, **counts, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
