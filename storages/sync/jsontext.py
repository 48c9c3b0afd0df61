"""JSON texts as Python values within limits, and in words why a text is none (RFC 8259). Knows no file."""

import json
import math
import sys
from typing import Any

from storages.sync.row import Limits

NOT_UTF8 = "not UTF-8; save the file with this encoding"


class Parser:
    """One reader's decoder. Values that JSON cannot hold (NaN, 1e999) are noted in ``faults``, so that parsing goes on.

    The standard library's decoder: faster ones lose integers beyond 64 bits, or take memory by nesting level.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.faults = limits, list[str]()
        self.decoder = json.JSONDecoder(parse_constant=self._constant, parse_float=self._float)

    def scan(self, text: str, at: int) -> tuple[Any, int]:
        """The value that begins at ``at``, and where it ends. Raises JSONDecodeError, ValueError, RecursionError."""
        if self.faults:
            self.faults.clear()
        return self.decoder.raw_decode(text, at)

    def fault(self, value: Any, text: str, start: int, end: int) -> str:
        """What is wrong with a value that was just scanned from ``text[start:end]``, "" if nothing."""
        if self.faults:
            return self.faults[0]
        length, depth = end - start, self.limits.depth
        if length > self.limits.row_size:
            return self.limits.row_refusal
        # a level takes two characters; counting brackets is cheap, but counts those inside texts too
        if length > 2 * depth and text.count("[", start, end) + text.count("{", start, end) > depth and deeper(value, depth):
            return self.limits.depth_refusal
        return ""

    def reason(self, error: Exception, *, place: bool = True) -> str:
        """Why a text could not be parsed; ``place``: the text is the row's own, so that places in it mean something."""
        if isinstance(error, RecursionError):
            return self.limits.depth_refusal
        if isinstance(error, UnicodeDecodeError):
            return NOT_UTF8
        if str(error).startswith("Exceeds the limit"):  # int(): sys.set_int_max_str_digits
            return f"holds an integer of more than {sys.get_int_max_str_digits()} digits"
        if isinstance(error, json.JSONDecodeError):
            return f"not valid JSON: {error if place else error.msg}"
        return str(error)

    def _constant(self, name: str) -> None:
        self.faults.append(f"not valid JSON: {name} is not JSON; write null or leave the value out")

    def _float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self.faults.append(f"{digits[:40]} is too large a number")
        return number


def deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested in more than ``depth`` levels, ``value`` being the first."""
    level = [value]
    for _ in range(depth):
        level = [
            item
            for held in level
            for item in (held.values() if isinstance(held, dict) else held)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
