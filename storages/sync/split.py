"""Where to cut a stretch of keys, found with a few rounds of listings; knows nothing of who works on the parts."""

import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise

from storages.client import Client, Span

LAST = 0x10FFFF  # the greatest code point
PLACES = 12  # characters behind the common prefix that take part
ROUNDS, WIDTH = 4, 4  # so often the stretch that holds the end of the keys is cut into so many parts
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
CLASSES = ("0123456789", "abcdef", "ABCDEF", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def cuts(client: Client, low: str, high: str, sample: Sequence[str], count: int) -> list[str]:
    """Up to ``count`` texts between keys, rising, that cut (low, high] into parts of much the same size, none of them empty.

    ``high`` may be "" for no end. ``sample``: keys of one page behind ``low``. Raises StorageError.
    """
    search = Search(client, sample)
    end = high or search.end()
    if not end:
        return []
    found = points(low, end, count + 1, sample)
    filled = search.each(search.holds, pairwise([*found, end]))
    return [cut for cut, behind in zip(found, filled, strict=True) if behind]


class Search:
    """Asks ``client`` where keys lie, several things at once."""

    def __init__(self, client: Client, sample: Sequence[str]) -> None:
        self.client, self.sample = client, sample

    @cached_property
    def prefix(self) -> str:
        return os.path.commonprefix(list(self.sample))

    def each(self, ask: Callable[..., bool], questions: object) -> list[bool]:
        with ThreadPoolExecutor(8, thread_name_prefix="probe") as pool:
            return list(pool.map(lambda question: ask(*question), questions))

    def holds(self, low: str, high: str = "") -> bool:
        """Whether an object lies in (low, high]."""
        return any(page.objects for page in self.client.list(recursive=True, span=Span(low, high)))

    def end(self) -> str:
        """A text behind the last key, and not far behind it; "" if nothing lies behind the sample's neighbours."""
        bounds = list(self._bounds())
        answers = self.each(self.holds, [(bound,) for bound in bounds])
        if True not in answers:
            return bounds[0] if bounds else self.client.root + PRINTABLE[-1]
        inside = max(bound for bound, held in zip(bounds, answers, strict=True) if held)
        outside = min((bound for bound in bounds if bound > inside), default=self.client.root + PRINTABLE[-1])
        for _ in range(ROUNDS):
            between = points(inside, outside, WIDTH, self.sample)
            held = [
                cut for cut, answer in zip(between, self.each(self.holds, [(cut,) for cut in between]), strict=True) if answer
            ]
            inside = max([inside, *held])
            outside = min([outside, *(cut for cut in between if cut > inside)])
        return outside

    def _bounds(self) -> Sequence[str]:
        """Behind everything that begins as the sample does: with its whole common prefix, one character less, and so on."""
        for length in range(len(self.prefix), len(self.client.root), -1):
            following = ord(self.prefix[length - 1]) + 1
            if following <= LAST and not 0xD800 <= following <= 0xDFFF:
                yield self.prefix[: length - 1] + chr(following)


def points(low: str, high: str, parts: int, sample: Sequence[str] = ()) -> list[str]:
    """The texts, rising, that cut (low, high) into ``parts`` of the same number of possible keys; fewer if it is too narrow.

    ``sample`` shows which characters keys have, and where; without it they may have all that can be printed.
    """
    start = len(os.path.commonprefix([low, high]))
    ends = {text[start] for text in (low, high) if start < len(text)}
    # at the first place keys of one page are too much alike to tell
    scale = [_alphabet(ends.union(*sample))] if sample else [_alphabet(ends, PRINTABLE)]
    for place in range(start + 1, start + PLACES):
        seen = {key[place] for key in (low, high, *sample) if place < len(key)}
        scale.append(_alphabet(seen) if sample else _alphabet(seen, PRINTABLE))
    first, last = (_number(text[start : start + PLACES], scale) for text in (low, high))
    texts = [low[:start] + _text(first + (last - first) * part // parts, scale) for part in range(1, parts)]
    return sorted({text for text in texts if low < text < high})


def _alphabet(seen: set[str], more: str = "") -> str:
    """The characters of ``more`` and of the classes that those ``seen`` belong to, rising."""
    found = set(more)
    while left := seen - found:
        some = left.pop()
        found.update(next((chars for chars in CLASSES if some in chars), some))
    return "".join(sorted(found)) or PRINTABLE


def _number(tail: str, scale: Sequence[str]) -> int:
    """What ``tail`` is worth as digits of a number whose places have different alphabets; the end of a text is a zero."""
    number = 0
    for place, chars in enumerate(scale):
        digit = bisect_left(chars, tail[place]) if place < len(tail) else 0
        number = number * len(chars) + min(digit, len(chars) - 1)
    return number


def _text(number: int, scale: Sequence[str]) -> str:
    """The text of that worth, without the zeros at its end."""
    digits = []
    for chars in reversed(scale):
        number, digit = divmod(number, len(chars))
        digits.append(chars[digit])
    zeros = 0
    while zeros < len(digits) and digits[zeros] == scale[len(scale) - 1 - zeros][0]:
        zeros += 1
    return "".join(reversed(digits[zeros:]))
