"""Where to cut a stretch of keys in two, found with a few listings; knows nothing of who works on the parts."""

import os

from storages.client import Client, Span

FIRST, BASE = 0x20, 95  # the printable characters of ASCII, as digits of a fraction
DIGITS = 12  # characters behind the common prefix that take part
LAST = 0x10FFFF  # the greatest code point
STEPS = 6  # halvings when the end of the keys is looked for


def middle(client: Client, low: str, high: str, sample: list[str]) -> str | None:
    """A key (or any text between keys) that leaves much on both sides of (low, high], None if there is none.

    ``sample``: some neighbouring keys behind ``low``; they show at which character keys begin to differ. Raises StorageError.
    """
    if not high:
        found = _end(client, low, os.path.commonprefix(sample))
        if found is None:
            return None
        high = found
    for _ in range(STEPS):
        cut = between(low, high)
        if cut is None or _any_behind(client, cut, high):
            return cut
        high = cut
    return None


def _end(client: Client, low: str, prefix: str) -> str | None:
    """A text behind the last key, and not far behind it; None if nothing lies behind ``low``'s neighbours."""
    inside, outside = "", ""
    for length in range(len(prefix), len(client.root), -1):
        if (following := ord(prefix[length - 1]) + 1) > LAST or 0xD800 <= following <= 0xDFFF:
            continue  # no such character
        bound = prefix[: length - 1] + chr(following)
        if _any_behind(client, bound, ""):
            inside = bound
        else:
            outside = bound
            break
    if not inside:
        return outside or None if len(prefix) > len(client.root) else client.root + chr(FIRST + BASE - 1)
    outside = outside or client.root + chr(FIRST + BASE - 1)
    for _ in range(STEPS):
        cut = between(inside, outside)
        if cut is None:
            break
        if _any_behind(client, cut, ""):
            inside = cut
        else:
            outside = cut
    return outside


def _any_behind(client: Client, low: str, high: str) -> bool:
    """Whether an object lies in (low, high]."""
    return any(page.objects for page in client.list(recursive=True, span=Span(low, high)))


def between(low: str, high: str) -> str | None:
    """A text about half-way from ``low`` to ``high``, None if they are too near to each other."""
    shared = len(os.path.commonprefix([low, high]))
    tails = [text[shared : shared + DIGITS] for text in (low, high)]
    numbers = [sum(min(max(ord(c) - FIRST, 0), BASE - 1) * BASE ** (DIGITS - 1 - n) for n, c in enumerate(t)) for t in tails]
    number, digits = sum(numbers) // 2, []
    for _ in range(DIGITS):
        number, digit = divmod(number, BASE)
        digits.append(chr(FIRST + digit))
    cut = low[:shared] + "".join(reversed(digits)).rstrip(" ")
    return cut if low < cut < high else None
