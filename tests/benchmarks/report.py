"""Figures, marks and the one table they are shown in; measures nothing."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import ge, le, lt
from typing import Any, Literal

RATE, COST = "rate", "cost"  # more is better, less is better
COLUMNS = ("case", "figure", "value", "unit", "Label Studio", "section", "better by", "mark", "")
RIGHT = (2, 4, 6)  # columns of numbers


@dataclass(frozen=True)
class Mark:
    """What a figure must reach: at least (``>=``), at most (``<=``) or less than (``<``) ``limit``."""

    sign: Literal[">=", "<=", "<"]
    limit: float

    def reached(self, value: float) -> bool:
        return {">=": ge, "<=": le, "<": lt}[self.sign](value, self.limit)


@dataclass(frozen=True)
class Baseline:
    """Label Studio 1.23.2's figure on the same kind of machine, and the section of performance.md it stands in."""

    value: float
    section: str


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    case: str
    name: str
    value: float
    unit: str
    kind: str = COST
    baseline: Baseline | None = None
    mark: Mark | None = None

    @property
    def factor(self) -> float | None:
        """How many times better than Label Studio; None without its figure."""
        if self.baseline is None or not self.value:
            return None
        return self.value / self.baseline.value if self.kind == RATE else self.baseline.value / self.value

    @property
    def missed(self) -> bool:
        return self.mark is not None and not self.mark.reached(self.value)


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text, a case's name on its first line only."""
    rows = [COLUMNS]
    for figure, before in zip(figures, [None, *figures], strict=False):
        name = "" if before is not None and before.case == figure.case else figure.case
        rows.append((name, figure.name, short(figure.value), figure.unit, *_compared(figure)))
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[n].rjust(width) if n in RIGHT else row[n].ljust(width) for n, width in enumerate(widths)]
    return "  ".join(cells).rstrip()


def _compared(figure: Figure) -> tuple[str, ...]:
    theirs, section = (short(figure.baseline.value), figure.baseline.section) if figure.baseline else ("", "")
    factor = f"{short(figure.factor)}x" if figure.factor else ""
    mark = f"{figure.mark.sign} {short(figure.mark.limit)}" if figure.mark else ""
    verdict = ("FAIL" if figure.missed else "pass") if figure.mark else ""
    return theirs, section, factor, mark, verdict


def short(value: float) -> str:
    """Three significant digits at least, thousands with commas."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def machine() -> str:
    """Where the figures were taken; the load tells how far wall times can be believed."""
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}, {load()}"


def load() -> str:
    """The load averages of the last 1, 5 and 15 minutes."""
    return "load " + ", ".join(f"{value:.1f}" for value in os.getloadavg())


def document(figures: Sequence[Figure], database: str) -> dict[str, Any]:
    """The same as JSON values."""
    rows = [asdict(figure) | {"factor": figure.factor, "missed": figure.missed} for figure in figures]
    return {"database": database, "machine": machine(), "figures": rows}
