"""Reads the dates of HTTP headers and of listings that use their form; knows no vendor."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


@lru_cache(maxsize=4096)  # objects that were uploaded together have the same date
def parse_http_date(text: str) -> datetime:
    """The time of an IMF-fixdate, or of any other form that RFC 9110 §5.6.7 allows. Raises ValueError.

    email.utils takes ten times as long for the usual form.
    """
    if len(text) != 29 or text[25:] != " GMT" or text[8:11] not in MONTHS or text[19] + text[22] != "::":
        try:
            return parsedate_to_datetime(text)
        except OverflowError as error:  # a day, or a zone, with twenty digits
            raise ValueError(text[:40]) from error
    hour, minute, second = text[17:19], text[20:22], text[23:25]
    return datetime(int(text[12:16]), MONTHS[text[8:11]], int(text[5:7]), int(hour), int(minute), int(second), tzinfo=UTC)
