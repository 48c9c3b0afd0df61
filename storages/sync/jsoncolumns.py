"""Text columns of a Parquet file that hold JSON, as the file itself says; knows no task."""

from collections.abc import Collection, Sequence
from typing import Any

from storages.sync.jsontext import Parser
from storages.sync.row import Limits

MARK = b"quayside.json"  # key in the file's metadata; its value: the names of the columns, with commas between them


def named(metadata: Any) -> Collection[str]:
    """The columns that the file's own metadata (Parquet format, "key_value_metadata") calls JSON."""
    value = (metadata or {}).get(MARK, b"")
    return frozenset(value.decode("utf-8", "replace").split(",")) if value else frozenset()


def parse(texts: Sequence[Any], limits: Limits) -> list[tuple[Any, str]]:
    """(value, "") or (None, why it is refused) of each text; null stays null, and what is no text is taken as it is."""
    parser = Parser(limits)
    return [_parsed(parser, text) if isinstance(text, str) else (text, "") for text in texts]


def _parsed(parser: Parser, text: str) -> tuple[Any, str]:
    start = len(text) - len(text.lstrip())
    try:
        value, end = parser.scan(text, start)
    except (ValueError, RecursionError) as error:
        return None, parser.reason(error)
    if text[end:].strip():
        return None, f"not valid JSON: something follows the value at character {end + 1}"
    error = parser.fault(value, text, start, end)
    return (None, error) if error else (value, "")
