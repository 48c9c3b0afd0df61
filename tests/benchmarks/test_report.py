"""The table says what was measured, and a missed mark is never shown as a success."""

import pytest

from tests.benchmarks.report import COST, RATE, Baseline, Figure, Mark, table


def figure(value: float, kind: str = RATE, mark: Mark | None = None) -> Figure:
    return Figure("Sync", "speed", value, "tasks/s", kind, Baseline(50, "1"), mark)


@pytest.mark.parametrize(
    ("sign", "limit", "value", "missed"),
    [
        (">=", 2000, 1999, True),
        (">=", 2000, 2000, False),
        ("<", 250, 250, True),
        ("<", 250, 249.9, False),
        ("<=", 1.2, 1.2, False),
        ("<=", 1.2, 1.21, True),
    ],
)
def test_a_figure_on_the_wrong_side_of_its_mark_is_missed(sign, limit, value, missed):
    assert figure(value, mark=Mark(sign, limit)).missed is missed
    assert ("FAIL" in table([figure(value, mark=Mark(sign, limit))])) is missed


@pytest.mark.parametrize(("kind", "value", "factor"), [(RATE, 500, 10), (COST, 5, 10), (COST, 500, 0.1)])
def test_better_means_more_of_a_rate_and_less_of_a_cost(kind, value, factor):
    assert figure(value, kind).factor == pytest.approx(factor)


def test_a_line_shows_value_baseline_section_and_factor():
    line = table([figure(1234.5)]).splitlines()[-1].split()
    assert line == ["Sync", "speed", "1,234", "tasks/s", "50.0", "1", "24.7x"]
