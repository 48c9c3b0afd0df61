"""Reads listings of the plain shape that stores send by the million with one regular expression; knows no vendor.

What has another shape is not guessed at: it goes to the XML parser as a whole (storages.providers.listing).
"""

import re
from typing import NamedTuple

TEXT = "[^<>&]*+"  # text that stands for itself; possessive, so that nothing is tried twice
CONTROLS = bytes(range(32))  # XML refuses most of them, and normalises line breaks


def optional(names: str) -> str:
    """A pattern of elements that may be there, in this order, each with text or empty; ``names``: between white space."""
    return "".join([f"(?:<{name}(?:>{TEXT}</{name}>| ?/>))?+" for name in names.split()])


class Split(NamedTuple):
    """The groups of each entry, and the document without its entries, which is still to be parsed."""

    entries: list[tuple[str, ...]]
    rest: bytes


def split(body: bytes, root: str, entry: str, pattern: re.Pattern[str]) -> Split | None:
    """Takes the run of ``entry`` elements out of a UTF-8 document; None if there is none, or anything unusual about it.

    ``pattern``: matches one whole element; it may match no "<" but those of its own tags.
    """
    opening, closing = f"<{entry}>".encode(), f"</{entry}>".encode()
    start, end = body.find(opening), body.rfind(closing) + len(closing)
    head, tail = body[:start], body[end:]
    begins = re.match(rf'(?:\xef\xbb\xbf)?(?:<\?xml version="1\.0"(?: encoding="(?i:utf-8)")?\?>\s*)?<{root}\b'.encode(), head)
    if start < 0 or end < start or begins is None or head[-1:] != b">" or not tail.startswith(b"<"):
        return None
    if b"<!" in head or b"<?" in head[begins.end() :] or f"</{root}>".encode() not in tail:
        return None  # comments, CDATA and instructions could reach around the entries
    run = body[start:end]
    if len(run.translate(None, CONTROLS)) < len(run) or b"\xef\xbf" in run:  # U+FFFE and U+FFFF are no characters of XML
        return None
    try:
        found = pattern.findall(run.decode())
    except UnicodeDecodeError:
        return None
    # as many openings as closings as matches, each opening right behind a closing: the matches cover the run without a gap
    if not len(found) == run.count(opening) == run.count(closing) == run.count(closing + opening) + 1:
        return None
    return Split(found, head + tail)
