"""JSON as text for people: indented, and cut where it is too long for a page."""

import json
from typing import Any, NamedTuple

_indented = json.JSONEncoder(indent=2, ensure_ascii=False)


class Shown(NamedTuple):
    """``cut``: the text is not all of it."""

    text: str
    cut: bool


def show(value: Any, most: int) -> Shown:
    """``value`` as JSON of at most ``most`` characters; made piece by piece, since deep nesting indents without bound."""
    pieces, length = [], 0
    try:
        for piece in _indented.iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                return Shown("".join(pieces)[:most], True)
    except RecursionError:  # the encoder that indents takes less depth than the one that stored it
        text = json.dumps(value, ensure_ascii=False)
        return Shown(text[:most], len(text) > most)
    return Shown("".join(pieces), False)


def shorten(text: str, most: int) -> Shown:
    """A text of at most ``most`` characters."""
    return Shown(text[:most], len(text) > most)
