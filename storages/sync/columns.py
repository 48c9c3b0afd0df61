"""Columns of Arrow as JSON values: a shared text stays shared, plain types cost no Python code per value. Knows no file."""

import base64
import math
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from storages.sync import jsoncolumns
from storages.sync.row import Limits


class Unfit:
    """Stands for a value that JSON cannot hold; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Columns:
    """A record batch as rows; the text columns named in ``parsed`` hold JSON."""

    def __init__(self, batch: Any, limits: Limits, parsed: Collection[str] = ()) -> None:
        self.batch, self.limits, self.parsed = batch, limits, parsed
        self.doubtful = batch.nbytes > limits.row_size  # whether rows must be looked at one by one

    def rows(self) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """(values by column, "") or (None, why the row is refused), row by row."""
        names = self.batch.schema.names
        columns = [self._values(column) for column in self.batch.columns]
        if self.parsed:
            columns = [self._of_json(c) if name in self.parsed else c for name, c in zip(names, columns, strict=True)]
        for values in zip(*columns, strict=True) if columns else ():
            row = dict(zip(names, values, strict=True))
            error = self._fault(row) if self.doubtful else ""
            yield (None, error) if error else (row, "")

    def _values(self, array: Any) -> list[Any]:
        """The items of an Arrow array, parts of which are shared where they are in Arrow."""
        from pyarrow import types

        kind = array.type
        if types.is_dictionary(kind):
            return self._of_dictionary(array)
        if types.is_struct(kind):
            return self._of_struct(array)
        if types.is_nested(kind):
            self.doubtful = True  # a short list of one long shared text is a long row
            return self._of_map(array) if types.is_map(kind) else self._of_list(array)
        if types.is_floating(kind):
            values = array.to_pylist()
            self.doubtful = self.doubtful or not all(map(math.isfinite, filter(None, values)))
            return values
        if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind):
            return array.to_pylist()
        return self._texts(array) if types.is_string(kind) or types.is_large_string(kind) else self._each(array)

    def _of_json(self, texts: list[Any]) -> list[Any]:
        values = []
        for value, error in jsoncolumns.parse(texts, self.limits):
            self.doubtful = self.doubtful or bool(error)
            values.append(Unfit(error) if error else value)
        return values

    def _texts(self, array: Any) -> list[Any]:
        try:
            return array.to_pylist()
        except UnicodeDecodeError:
            return self._each(array)

    def _each(self, array: Any) -> list[Any]:
        """Item by item, so that one without a JSON form spoils only its row."""
        if getattr(array.type, "unit", "") == "ns":  # Python's times end at microseconds; what is below them is cut off
            array = array.cast(_in_microseconds(array.type), safe=False)
        values = []
        for item in array:
            try:
                values.append(plain(item.as_py()))
            except (ValueError, OverflowError, LookupError) as error:
                self.doubtful = True
                values.append(Unfit(f"a value has no JSON form: {str(error).splitlines()[0][:200]}"))
        return values

    def _of_dictionary(self, array: Any) -> list[Any]:
        used = array.indices.dictionary_encode()  # only what these rows use of a dictionary that serves the whole group
        values = self._values(array.dictionary.take(used.dictionary))
        return [None if place is None else values[place] for place in used.indices.to_pylist()]

    def _of_struct(self, array: Any) -> list[Any]:
        names = [field.name for field in array.type]
        columns = [self._values(column) for column in array.flatten()]
        rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)] or [{} for _ in array]
        if not array.null_count:
            return rows
        return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]

    def _of_list(self, array: Any) -> list[Any]:
        import pyarrow.compute as compute

        items, lengths = iter(self._values(array.flatten())), compute.list_value_length(array)
        return [None if length is None else list(islice(items, length)) for length in lengths.to_pylist()]

    def _of_map(self, array: Any) -> list[Any]:
        keys, items, offsets = self._values(array.keys), self._values(array.items), array.offsets.to_pylist()
        spans = zip(offsets, offsets[1:], array.is_valid().to_pylist(), strict=False)
        return [{str(keys[n]): items[n] for n in range(start, end)} if valid else None for start, end, valid in spans]

    def _fault(self, row: dict[str, Any]) -> str:
        """Why a row is refused, "" if it is not; counts what the texts take."""
        size, todo = 0, list[Any](row.values())
        while todo:
            value = todo.pop()
            if isinstance(value, str):
                size += len(value)
            elif isinstance(value, dict | list):
                size += 2 * len(value)
                todo += value.values() if isinstance(value, dict) else value
            elif isinstance(value, float) and not math.isfinite(value):
                return f"{value} is not JSON; write null instead"
            elif isinstance(value, Unfit):
                return value.reason
            if size > self.limits.row_size:
                return self.limits.row_refusal
        return ""


def doubled(fields: Iterable[Any]) -> str:
    """The first name that two of these Arrow fields share, or two fields of a struct below them; "" if there is none."""
    from pyarrow import types

    seen = set[str]()
    for field in fields:
        if field.name in seen:
            return str(field.name)
        seen.add(field.name)
        kind = field.type
        if types.is_map(kind):
            inner = [kind.key_field, kind.item_field]
        elif types.is_struct(kind):
            inner = list(kind)
        else:
            inner = [kind.value_field] if types.is_nested(kind) and hasattr(kind, "value_field") else []
        if name := doubled(inner):
            return name
    return ""


def _in_microseconds(kind: Any) -> Any:
    import pyarrow
    from pyarrow import types

    if types.is_timestamp(kind):
        return pyarrow.timestamp("us", kind.tz)
    return pyarrow.duration("us") if types.is_duration(kind) else pyarrow.time64("us")


def plain(value: Any) -> Any:
    """The JSON form of a single value: times as ISO 8601, decimals as numbers, bytes as base64."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, UUID) else value
