"""Large objects that exist only while they are read; run in a process whose memory is measured."""

import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator

from storages.client import ObjectInfo, ObjectStream, Readable
from tests.storages.sync.objects import Store

ROW = json.dumps({"image": "s3://bucket/" + "x" * 980, "number": 12345}).encode()


class Endless(Readable):
    """``head``, then ``body`` over and over until ``size`` bytes are out, then ``tail``."""

    def __init__(self, head: bytes, body: bytes, tail: bytes, size: int) -> None:
        block = body * (1024**2 // len(body) + 1)
        self.parts: Iterator[bytes] = itertools.chain([head], itertools.repeat(block, size // len(block)), [tail])
        self.rest = b""

    def read(self, size: int = -1) -> bytes:
        while not self.rest and (part := next(self.parts, None)) is not None:
            self.rest = part
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def close(self) -> None:
        self.parts = iter([])


class Generated(Store):
    """A store of one object without an end of its own."""

    def __init__(self, head: bytes, body: bytes, tail: bytes, size: int) -> None:
        super().__init__({})
        self.raw, self.size = Endless(head, body, tail, size), size

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        return ObjectStream(ObjectInfo(key, self.size, None), 0, self.size - 1, self.raw)


def generated(name: str, head: bytes, body: bytes, tail: bytes = b"") -> Callable[[int], tuple[Store, ObjectInfo]]:
    return lambda size: (Generated(head, body, tail, size), ObjectInfo(name, size, None))


def shared_text(count: int) -> tuple[Store, ObjectInfo]:
    """Parquet of ``count`` rows with one text of 1 MiB; made of few rows at a time, so that the making takes no memory."""
    import pyarrow as pa
    from pyarrow import parquet

    column = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 1024**2])
    body = io.BytesIO()
    parquet.write_table(pa.table({"text": column}), body)
    store = Store({"t.parquet": body.getvalue()})
    return store, store.stat("t.parquet")


PACKED = gzip.compress((ROW + b"\n") * 1000)
OBJECTS: dict[str, Callable[[int], tuple[Store, ObjectInfo]]] = {
    "lines": generated("t.jsonl", b"", ROW + b"\n"),
    "array": generated("t.json", b"[", ROW + b",\n", ROW + b"]"),
    "table": generated("t.csv", b"image,number\n", b"s3://bucket/" + b"x" * 980 + b",12345\n"),
    "lines.gz": lambda size: generated("t.jsonl.gz", b"", PACKED)(size // 150),
    "one-line": generated("t.jsonl", b'{"a": "', b"x"),
    "one-object": generated("t.json", b'{\n"a": [', b"1,\n"),
    "many-lines-of-no-object": generated("t.json", b"{\n", b"1\n"),
    "open-quote": generated("t.csv", b'a,b\n1,"', b"x\n"),
    "shared-text": shared_text,
}
