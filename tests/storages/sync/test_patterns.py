"""File name filters: a pattern that one name is poison to costs that name; one that is poison to all is given up."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storages.errors import ConfigInvalid, Malformed
from storages.sync import patterns

POISON = "a" * 60 + "!"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MATCH_TIMEOUT", 0.01)


def test_a_name_that_takes_too_long_is_refused_and_the_others_are_matched():
    passes = patterns.matcher(r"(a|aa)+$", str)
    with pytest.raises(Malformed, match="takes too long on this name"):
        passes(POISON)
    assert passes("aaa") and not passes("b")


def test_a_pattern_too_slow_for_many_names_is_given_up_at_once_from_then_on(monkeypatch):
    passes = patterns.matcher(r"(a|aa)+$", str)
    for _ in range(patterns.PATIENCE - 1):
        with pytest.raises(Malformed):
            passes(POISON)
    for key in (POISON, "aaa"):
        with pytest.raises(ConfigInvalid, match="20 names") as caught:
            passes(key)
        assert caught.value.field == "regex_filter"


def test_no_pattern_passes_everything_and_a_pattern_sees_the_subject_of_a_key():
    assert patterns.matcher("", str)("x") and patterns.matcher(None, str)("x")
    passes = patterns.matcher(r".*\.png", lambda key: key.removeprefix("p/"))
    assert passes("p/a.png") and not passes("p/a.jpg")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r".*\.jpg$", True),
        (r".*(jpe?g|png|tiff)$", True),
        (r"images/(?:train|val)/.*\.(jpg|png)", True),
        (r"[^]a*]+\(x\)", True),
        (r"(a+)+$", False),
        (r"(?:a*)+b", False),
        (r"(a|b)\1", False),
        (r".*.*.*x", False),
        ("a?" * 25 + "a" * 25, False),
        ("(a|a)" * 25, False),
        (r"a{1,500}b", False),
        (r"(?=x).*", False),
    ],
)
def test_only_patterns_with_few_choices_go_without_a_time_limit(pattern, expected):
    assert patterns.harmless(pattern) is expected


@given(st.sampled_from([r".*a.*b$", r"(a|aa|aaa|b).*c", r"a?a?a?.*aaab", r".*(a|b|ab|ba)a+$"]), st.sampled_from("ab"))
def test_a_harmless_pattern_is_quick_on_its_worst_key(pattern, char):
    assert patterns.harmless(pattern)
    started = time.monotonic()
    patterns.matcher(pattern, str)(char * 1024 + "!")
    assert time.monotonic() - started < 1.0
