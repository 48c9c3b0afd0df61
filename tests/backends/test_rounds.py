"""A listing that goes in circles ends, however long the circle and wherever it begins."""

import itertools

import pytest

from storages.errors import Unavailable
from storages.providers.rounds import Rounds


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("circle", [1, 2, 3, 7, 100])
def test_a_circle_is_noticed_within_three_times_its_pages(before, circle):
    rounds = Rounds("a token")
    tokens = itertools.chain((f"in-{number}" for number in range(before)), itertools.cycle(range(circle)))
    for number, token in enumerate(tokens):
        try:
            rounds.pass_by(token)
        except Unavailable as error:
            assert before + circle <= number <= 3 * (before + circle) and "a token repeats" in str(error)
            return
        assert number < 10_000, "the circle was not noticed"


def test_a_listing_that_goes_on_is_left_alone():
    rounds = Rounds("a token")
    for number in range(10_000):
        rounds.pass_by(str(number))
