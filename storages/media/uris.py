"""Storage URIs inside task data, and their form in a resolver link; pure text, knows no storage.

A value that is a URI as a whole keeps every character a key may have. Inside longer text a URI ends at the quote it
began behind, else at white space, a quote, ``<``, ``>`` or the punctuation that belongs to the sentence.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

SENTENCE = ".,;:!?"
CLOSING = {")": "(", "]": "[", "}": "{"}


@lru_cache(maxsize=8)
def _patterns(schemes: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """(a URI begins, another one begins after a separator, a URI inside text) for these schemes."""
    begin = rf"(?:{'|'.join(re.escape(scheme) for scheme in sorted(schemes, reverse=True))})://(?=[^\s/\"'<>`])"
    again = rf"[\s\"'<>`,;|]{begin}"
    quoted = rf"(?P<quote>[\"'])(?P<inside>{begin}(?:(?!(?P=quote)|{again})[^\n])+)(?P=quote)"
    bare = rf"(?<![A-Za-z0-9+.-])(?P<bare>{begin}(?:(?![,;|]{begin})[^\s\"'<>`])+)"
    return re.compile(begin), re.compile(again), re.compile(f"{quoted}|{bare}")


def find(text: str, schemes: tuple[str, ...], whole: str | None = None) -> list[tuple[int, int]]:
    """Where URIs of ``schemes`` lie in ``text``: (start, end) in characters, end exclusive, in order, never overlapping.

    ``whole`` is known to be one URI, even where its key reads like several.
    """
    if "://" not in text or not schemes:
        return []
    if text == whole:
        return [(0, len(text))]
    begin, again, inside = _patterns(schemes)
    stripped = text.strip()
    if begin.match(stripped) and not again.search(stripped):
        start = text.index(stripped)
        return [(start, start + len(stripped))]
    return [_span(match) for match in inside.finditer(text)]


def replace(value: Any, schemes: tuple[str, ...], link: Callable[[str], str], whole: str | None = None) -> Any:
    """A copy of ``value`` (JSON of any depth) with ``link(uri)`` in place of every URI; dict keys stay as they are.

    ``whole`` as in ``find``.
    """
    top = [value]
    unfinished: list[list | dict] = [top]  # a stack of our own: nesting is the user's and may exceed Python's
    while unfinished:
        box = unfinished.pop()
        for place, member in box.items() if isinstance(box, dict) else enumerate(box):
            if isinstance(member, str):
                box[place] = _replace_in(member, schemes, link, whole)
            elif isinstance(member, dict | list):
                box[place] = member.copy()
                unfinished.append(box[place])
    return top[0]


def occurring(value: Any, schemes: tuple[str, ...], whole: str | None = None) -> Iterator[str]:
    """Every URI in ``value``, the same ones that ``replace`` would hand to ``link``."""
    unfinished = [value]
    while unfinished:
        member = unfinished.pop()
        if isinstance(member, str):
            yield from (member[start:end] for start, end in find(member, schemes, whole))
        elif isinstance(member, dict | list):
            unfinished.extend(member.values() if isinstance(member, dict) else member)


def encode(uri: str) -> str:
    """``uri`` as the resolver's ``fileuri``: URL-safe base64 with padding (contract.md §2.1)."""
    return base64.urlsafe_b64encode(uri.encode("utf-8", "surrogatepass")).decode()


def decode(fileuri: str) -> list[str]:
    """The URIs that ``fileuri`` can mean, likeliest first: base64 with or without padding, else plain text.

    Plain text may be percent-encoded once more than the query string was, as Label Studio accepts. Empty: it is neither.
    """
    alphabet = fileuri.strip().rstrip("=").translate(str.maketrans("-_ ", "+/+"))
    try:
        text = base64.b64decode(alphabet + "=" * (-len(alphabet) % 4), validate=True).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        text = ""
    candidates = [text] if "://" in text else list(dict.fromkeys([fileuri, unquote(fileuri)]))
    return [candidate for candidate in candidates if "://" in candidate]


def _replace_in(text: str, schemes: tuple[str, ...], link: Callable[[str], str], whole: str | None) -> str:
    pieces, last = [], 0
    for start, end in find(text, schemes, whole):
        pieces += [text[last:start], link(text[start:end])]
        last = end
    return "".join([*pieces, text[last:]])


def _span(match: re.Match[str]) -> tuple[int, int]:
    if match["inside"]:
        return match.span("inside")
    start, _ = match.span("bare")
    return start, start + _length_without_sentence(match["bare"])


def _length_without_sentence(uri: str) -> int:
    """How much of ``uri`` is left without punctuation that closes the sentence or the bracket around it."""
    unopened = {closing: uri.count(closing) - uri.count(opening) for closing, opening in CLOSING.items()}
    length = len(uri)
    while length and (uri[length - 1] in SENTENCE or unopened.get(uri[length - 1], 0) > 0):
        length -= 1
        if uri[length] in CLOSING:
            unopened[uri[length]] -= 1
    return length
