"""Reads the XML that object stores answer a listing with: each entry as the texts of its elements; knows no vendor."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple
from xml.parsers import expat


class NotAListing(ValueError):
    """The body is some other document, or no XML at all."""


class Entry(NamedTuple):
    """One element of the listing: its name, and the text of each element inside it (nested ones too) by name."""

    name: str
    texts: dict[str, str]


def parse(body: bytes, *, root: str, entries: Collection[str]) -> tuple[list[Entry], dict[str, str]]:
    """The elements named in ``entries``, in order, and the texts that lie outside of them.

    Raises NotAListing, also for a document type declaration: no store sends one, and entities of one can grow without end.
    """
    found: list[Entry] = []
    texts: dict[str, str] = {}
    outside, text = texts, []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal texts
        text.clear()  # white space between elements
        if name in entries:
            texts = {}

    def end(name: str) -> None:
        nonlocal texts
        if name in entries:
            found.append(Entry(name, texts))
            texts = outside
        else:
            texts[name] = "".join(text)
            text.clear()

    _read(body, start, end, text.append)
    if root not in outside:  # every element that ends outside of an entry leaves its text, the outermost one too
        raise NotAListing(f"the document is no {root}")
    return found, outside


def _read(body: bytes, start: Callable, end: Callable, text: Callable) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise NotAListing("the document is no XML") from error


def _refuse(*_: object) -> None:
    raise NotAListing("the document has a document type declaration")
