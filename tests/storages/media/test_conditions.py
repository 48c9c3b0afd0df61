"""Conditional requests against tables from RFC 9110 §13."""

from datetime import UTC, datetime

import pytest
from django.http.request import HttpHeaders

from storages.media.conditions import Outcome, evaluate, range_applies

MODIFIED = datetime(2026, 5, 4, 12, 30, 15, 250_000, UTC)
SAME, OLDER, NEWER = "Mon, 04 May 2026 12:30:15 GMT", "Mon, 04 May 2026 12:30:14 GMT", "Mon, 04 May 2026 12:30:16 GMT"
PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED

PRECONDITIONS = [
    ({}, PROCEED),
    ({"If-None-Match": '"v1"'}, NOT_MODIFIED),
    ({"If-None-Match": 'W/"v1"'}, NOT_MODIFIED),
    ({"If-None-Match": '"v0", "v1"'}, NOT_MODIFIED),
    ({"If-None-Match": '"v0",W/"v1" , "v2"'}, NOT_MODIFIED),
    ({"If-None-Match": "*"}, NOT_MODIFIED),
    ({"If-None-Match": '"v0"'}, PROCEED),
    ({"If-None-Match": '"V1"'}, PROCEED),
    ({"If-None-Match": '"v"'}, PROCEED),
    ({"If-None-Match": '"*"'}, PROCEED),
    ({"If-None-Match": '"v0"', "If-Modified-Since": NEWER}, PROCEED),
    ({"If-None-Match": '"v1"', "If-Modified-Since": OLDER}, NOT_MODIFIED),
    ({"If-Modified-Since": SAME}, NOT_MODIFIED),
    ({"If-Modified-Since": NEWER}, NOT_MODIFIED),
    ({"If-Modified-Since": OLDER}, PROCEED),
    ({"If-Modified-Since": "Mon, 04 May 2026 14:30:15 +0200"}, NOT_MODIFIED),
    ({"If-Modified-Since": "yesterday"}, PROCEED),
    ({"If-Modified-Since": "Mon, 04 May 99999 12:30:15 GMT"}, PROCEED),
    ({"If-Match": '"v1"'}, PROCEED),
    ({"If-Match": "*"}, PROCEED),
    ({"If-Match": '"v0", "v1"'}, PROCEED),
    ({"If-Match": 'W/"v1"'}, FAILED),
    ({"If-Match": '"v0"'}, FAILED),
    ({"If-Match": '"v1"', "If-None-Match": '"v1"'}, NOT_MODIFIED),
    ({"If-Match": '"v1"', "If-Unmodified-Since": OLDER}, PROCEED),
    ({"If-Unmodified-Since": SAME}, PROCEED),
    ({"If-Unmodified-Since": OLDER}, FAILED),
    ({"If-Unmodified-Since": "never"}, PROCEED),
]


@pytest.mark.parametrize(("headers", "outcome"), PRECONDITIONS)
def test_preconditions_decide_as_rfc_9110_says(headers, outcome):
    assert evaluate(headers, "v1", MODIFIED) is outcome


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [({"If-None-Match": '""'}, PROCEED), ({"If-Modified-Since": NEWER}, PROCEED), ({"If-Match": '""'}, FAILED)],
)
def test_an_object_without_validators_is_never_taken_for_a_known_version(headers, outcome):
    assert evaluate(headers, "", None) is outcome


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        ('"v1"', True),
        ('"v0"', False),
        ('W/"v1"', False),
        (' W/"v1"', False),
        (SAME, True),
        (OLDER, False),
        (NEWER, False),
        ("nonsense", False),
    ],
)
def test_if_range_compares_strongly(if_range, applies):
    assert range_applies(if_range, "v1", MODIFIED) is applies


def test_if_range_never_applies_to_an_object_without_validators():
    assert not range_applies('""', "", None)
    assert not range_applies(SAME, "", None)


def test_header_names_are_compared_without_case():
    assert evaluate(HttpHeaders({"HTTP_IF_NONE_MATCH": '"v1"'}), "v1", MODIFIED) is NOT_MODIFIED


@pytest.mark.parametrize(
    "text", ["Mon, 01 Jan 2020 99999999999999999999:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +99999999999999999999"]
)
def test_a_date_that_no_clock_can_show_is_ignored(text):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert evaluate({"If-Modified-Since": text}, "x", now) is Outcome.PROCEED
    assert evaluate({"If-Unmodified-Since": text}, "x", now) is Outcome.PROCEED
    assert not range_applies(text, "x", now)
