"""Objects of known content: the bytes that go into a bucket, the tasks they must become, and the rows that must be refused."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow
from pyarrow import parquet

Place = tuple[int, int]  # row group, row index


@dataclass
class Thing:
    """``rows``: the data of the task at each place. ``bad``: 0-based rows that become an issue (None: the object)."""

    key: str
    body: bytes
    rows: dict[Place, dict] = field(default_factory=dict)
    bad: list[int | None] = field(default_factory=list)


def image(bucket: str, key: str, body: bytes = b"x") -> Thing:
    """An object of the "Files" method."""
    return Thing(key, body, {(0, 0): {"image": f"s3://{bucket}/{key}"}})


def one(key: str, name: str) -> Thing:
    """A JSON object with an annotation and a prediction."""
    result = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
    task = {"data": {"image": name}, "annotations": [{"result": result}], "predictions": [{"result": result}]}
    return Thing(key, json.dumps(task).encode(), {(0, 0): {"image": name}})


def lines(key: str, count: int, *, bad: Iterable[int] = (), mark: str = "", packed: bool = False) -> Thing:
    """JSON Lines, ``bad`` ones among them; ``mark`` makes another version."""
    refused = sorted(bad)
    data = {number: {"image": f"{key}#{number}{mark}", "filler": "f" * 40} for number in range(count)}
    texts = ["no json" if number in refused else json.dumps(value) for number, value in data.items()]
    body = "\n".join(texts).encode() + b"\n"
    rows = {(0, number): value for number, value in data.items() if number not in refused}
    return Thing(key, gzip.compress(body, mtime=0) if packed else body, rows, list(refused))


def array(key: str, count: int, *, bad: Iterable[int] = ()) -> Thing:
    """A JSON array; the bad elements are scalars."""
    refused = sorted(bad)
    values = [7 if number in refused else {"image": f"{key}#{number}"} for number in range(count)]
    rows = {(0, number): value for number, value in enumerate(values) if isinstance(value, dict)}
    return Thing(key, json.dumps(values).encode(), rows, list(refused))


def table(key: str, count: int) -> Thing:
    """CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", "name"])
    rows = {(0, number): {"image": f"{key}#{number}", "name": f"ship, {number}"} for number in range(count)}
    writer.writerows(row.values() for row in rows.values())
    return Thing(key, text.getvalue().encode(), rows)


def columns(key: str, groups: int, size: int) -> Thing:
    """Parquet with row groups of ``size`` rows."""
    names = [f"{key}#{number}" for number in range(groups * size)]
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"image": names}), file, row_group_size=size)
    return Thing(key, file.getvalue(), {divmod(number, size): {"image": name} for number, name in enumerate(names)})


def broken(key: str) -> Thing:
    """A JSON object that ends too early."""
    return Thing(key, b'{"image": ', {}, [0])


def task_files(rng: random.Random) -> list[Thing]:
    """About 40 objects of every format, a long file among them, and some bad rows."""
    found = [one(f"a/{number:03}.json", f"one {number}") for number in range(rng.randint(20, 30))]
    found += [array(f"b/{number}.json", 25, bad=[rng.randrange(25)] if number == 1 else []) for number in range(3)]
    found += [lines(f"c/{number}.jsonl", 40, bad=rng.sample(range(1, 40), number)) for number in range(3)]
    found += [lines("d/long.jsonl", 700, bad=rng.sample(range(1, 700), 3)), lines("d/packed.jsonl.gz", 200, packed=True)]
    found += [table("e/rows.csv", 90), columns("f/rows.parquet", 4, 50), broken("g/broken.json")]
    return found
