"""Conditional requests (RFC 9110 §13): may the answer be left out, may a range be served; pure, knows no storage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

from werkzeug import http
from werkzeug.http import parse_etags, parse_if_range_header


class Outcome(Enum):
    """What the preconditions of a GET or HEAD decide."""

    PROCEED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def evaluate(headers: Mapping[str, str], etag: str, modified: datetime | None) -> Outcome:
    """The outcome for an object with the strong validator ``etag`` (unquoted, "" for none), in the order of §13.2.2.

    If-Match compares strongly, If-None-Match weakly; each silences the date header beside it. Bad dates are ignored.
    """
    if match := headers.get("If-Match"):
        if not _listed(match, etag, weak=False):
            return Outcome.FAILED
    elif (until := parse_date(headers.get("If-Unmodified-Since"))) and modified and _second(modified) > until:
        return Outcome.FAILED
    if none_match := headers.get("If-None-Match"):
        return Outcome.NOT_MODIFIED if _listed(none_match, etag, weak=True) else Outcome.PROCEED
    since = parse_date(headers.get("If-Modified-Since"))
    return Outcome.NOT_MODIFIED if since and modified and _second(modified) <= since else Outcome.PROCEED


def range_applies(if_range: str | None, etag: str, modified: datetime | None) -> bool:
    """False when If-Range (§13.1.5) names another version than the present one: its Range must then be ignored.

    A tag must match strongly, so a weak one never does; a date must be exactly the Last-Modified that was sent.
    """
    if not if_range:
        return True
    if if_range.lstrip().startswith("W/"):
        return False
    try:
        wanted = parse_if_range_header(if_range)
    except OverflowError:
        return False
    if wanted.date is not None:
        return modified is not None and wanted.date == _second(modified)
    return bool(etag) and wanted.etag == etag


def parse_date(text: str | None) -> datetime | None:
    """None for what is no date."""
    try:
        return http.parse_date(text)
    except OverflowError:  # a day, or a zone, with twenty digits
        return None


def _listed(header: str, etag: str, *, weak: bool) -> bool:
    tags = parse_etags(header)
    if tags.star_tag:
        return True
    return bool(etag) and (tags.contains_weak(etag) if weak else tags.contains(etag))


def _second(moment: datetime) -> datetime:
    """HTTP dates have no fractions: a Last-Modified that was sent must compare equal to its object."""
    return moment.astimezone(UTC).replace(microsecond=0)
