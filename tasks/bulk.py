"""Many rows in few statements: COPY on PostgreSQL, executemany on SQLite; knows no model's meaning."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, models, transaction


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("bulk writes run inside the caller's transaction.atomic()")


def _sqlite_adapters(model: type[models.Model], columns: Sequence[str]) -> dict[int, Callable[[Any], Any]]:
    """Column positions whose Python value SQLite stores differently from how the driver would."""
    fields = {field.column: field for field in model._meta.concrete_fields}
    adapters: dict[int, Callable[[Any], Any]] = {}
    for position, column in enumerate(columns):
        if isinstance(fields[column], models.DateTimeField):
            adapters[position] = lru_cache(1024)(connection.ops.adapt_datetimefield_value)
        elif isinstance(fields[column], models.UUIDField):
            adapters[position] = lambda value: value and value.hex
    return adapters


def _adapted(rows: Iterable[tuple], adapters: dict[int, Callable[[Any], Any]]) -> Iterator[tuple]:
    """By column, which is quicker than by row."""
    columns = list(zip(*rows, strict=True))
    for position, adapt in adapters.items():
        if columns:
            columns[position] = tuple(map(adapt, columns[position]))
    return zip(*columns, strict=True)


def insert_rows(model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple]) -> int:
    """Insert ``rows`` into the model's table and return how many there were.

    ``columns`` are database column names (``project_id``); JSON columns take text that is already serialized, times
    are aware. Streams ``rows``. Raises django.db.DatabaseError, and TransactionManagementError outside ``transaction.atomic()``.
    """
    _require_transaction()
    quote = connection.ops.quote_name
    table, names = quote(model._meta.db_table), ", ".join(map(quote, columns))
    count = 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # the driver's own errors, which Django does not translate here by itself
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for count, row in enumerate(rows, 1):  # noqa: B007
                    copy.write_row(row)
            return count
        adapters = _sqlite_adapters(model, columns)
        marks = ", ".join(["%s"] * len(columns))
        prepared = list(_adapted(rows, adapters)) if adapters else list(rows)
        if prepared:
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", prepared)  # noqa: S608
        return len(prepared)


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """``count`` fresh primary keys in rising order, not always consecutive; nobody else is given them."""
    _require_transaction()
    table = model._meta.db_table
    if not count:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = "pg_get_serial_sequence(%s, %s)"
            cursor.execute(
                f"SELECT nextval({sequence}) FROM generate_series(1, %s)",  # noqa: S608
                [connection.ops.quote_name(table), model._meta.pk.column, count],
            )
            return sorted(row[0] for row in cursor.fetchall())
        cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [count, table])
        if not cursor.rowcount:  # a table that never had a row
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count])
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()[0]
        return list(range(last - count + 1, last + 1))


def delete_rows(model: type[models.Model], column: str, ids: Sequence[int]) -> int:
    """Delete the rows whose ``column`` is one of ``ids``, in one statement; return how many.

    No cascade of Django's runs: the caller removed what points at these rows, or does so before the commit (foreign
    keys are checked at commit on both databases).
    """
    _require_transaction()
    quote = connection.ops.quote_name
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {quote(model._meta.db_table)} WHERE {quote(column)} IN ({marks})", list(ids))  # noqa: S608
        return cursor.rowcount
