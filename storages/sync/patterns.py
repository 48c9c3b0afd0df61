"""File name filters: compiled and matched within bounds, whatever a user writes. Knows no storage."""

import math
import re
from collections.abc import Callable

import regex

from storages.errors import ConfigInvalid

MATCH_TIMEOUT = 0.25  # seconds for one key; a pattern that takes longer would hold the worker for hours
LENGTH = 2000  # characters of a pattern
REPEATS = 100_000  # counted repeats are expanded when a pattern is compiled: (a{9999}){9999} took 7 GiB
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


def matcher(pattern: str | None, subject: Callable[[str], str]) -> Callable[[str], bool]:
    """A test of keys: ``pattern`` matched from the start of ``subject(key)``, everything if it is empty.

    Raises ConfigInvalid for a broken pattern, at once or (a catastrophic one) from the returned function.
    """
    if not pattern:
        return lambda key: True
    match = compiled(pattern).match

    def passes(key: str) -> bool:
        try:
            return match(subject(key), timeout=MATCH_TIMEOUT) is not None
        except TimeoutError:
            message = "the expression takes too long on some keys (nested repeats?); simplify it"
            raise ConfigInvalid(message, field="regex_filter") from None

    return passes
