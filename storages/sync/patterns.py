"""File name filters: compiled and matched within bounds, whatever a user writes. Knows no storage."""

import math
import re
from collections.abc import Callable

import regex

from storages.errors import ConfigInvalid, Malformed

MATCH_TIMEOUT = 0.25  # seconds for one key; a pattern that takes longer would hold the worker for hours
PATIENCE = 20  # keys that a pattern may take too long on before it is given up: a million of them would take three days
LENGTH = 2000  # characters of a pattern
REPEATS = 100_000  # counted repeats are expanded when a pattern is compiled: (a{9999}){9999} took 7 GiB
ATOM = re.compile(r"\\[^1-9gkpPXR]|\[\^?\]?(?:\\.|[^\]\\\[])*\]")  # an escaped character, a class without classes in it
STEPS = 20_000_000  # about a tenth of a second
COUNTED = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")


def compiled(pattern: str) -> regex.Pattern:
    """The pattern ready for matching. Raises ConfigInvalid (field ``regex_filter``) when it is broken or too large."""
    if len(pattern) > LENGTH:
        raise ConfigInvalid(f"longer than {LENGTH} characters", field="regex_filter")
    bounds = [max((int(number) for number in found if number), default=1) or 1 for found in COUNTED.findall(pattern)]
    if math.prod(bounds) > REPEATS:
        raise ConfigInvalid(f"its counted repeats multiply to more than {REPEATS:,}", field="regex_filter")
    try:
        return regex.compile(pattern)
    except (regex.error, ValueError) as error:
        message = f"not a regular expression: {error}; to match every object leave it empty or use .*"
        raise ConfigInvalid(message, field="regex_filter") from None
    except RecursionError:
        raise ConfigInvalid("nested too deeply", field="regex_filter") from None


def harmless(pattern: str) -> bool:
    """Whether matching a key of 1,024 bytes cannot take more than some 10 million steps, however it fails.

    Each open-ended repeat multiplies the steps by the key's length, each choice by two; a repeat of a group, a counted one
    and whatever looks back or ahead are beyond this estimate.
    """
    plain = ATOM.sub("a", pattern).replace("(?:", "(")
    if re.search(r"\)[*+]|[{\\]|\(\?", plain):
        return False
    return 1000 ** len(re.findall(r"[*+]", plain)) * 2 ** len(re.findall(r"[?|]", plain)) <= STEPS


def matcher(pattern: str | None, subject: Callable[[str], str]) -> Callable[[str], bool]:
    """A test of keys: ``pattern`` matched from the start of ``subject(key)``, everything if it is empty.

    Raises ConfigInvalid for a broken pattern. The returned function raises Malformed for a key that a catastrophic one
    takes too long on, and ConfigInvalid from the ``PATIENCE``-th of them on.
    """
    if not pattern:
        return lambda key: True
    match, slow = compiled(pattern).match, 0
    if harmless(pattern):  # the time limit takes nine tenths of the time
        return lambda key: match(subject(key)) is not None

    def passes(key: str) -> bool:
        nonlocal slow
        try:
            if slow < PATIENCE:
                return match(subject(key), timeout=MATCH_TIMEOUT) is not None
        except TimeoutError:
            slow += 1
        message = "the file name filter takes too long on {} (nested repeats?); simplify it"
        if slow < PATIENCE:
            raise Malformed(message.format("this name"))
        raise ConfigInvalid(message.format(f"{slow} names"), field="regex_filter")

    return passes
