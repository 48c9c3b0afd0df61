"""Long JSON answers, a page at a time, so that memory does not grow with the project."""

from collections.abc import Iterable, Iterator
from typing import Any

from projects.jsontext import dump


def json_array(pages: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """The items of all ``pages`` as one JSON array, in pieces of a page each."""
    separator = "["
    for page in pages:
        if text := ",".join(map(dump, page)):
            yield (separator + text).encode()
            separator = ","
    yield b"]" if separator == "," else b"[]"
