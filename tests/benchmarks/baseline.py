"""Label Studio 1.23.2's figures as performance.md holds them, quiet runs where there are any; and the marks for ours."""

from tests.benchmarks.report import Baseline, Mark

POSTGRES, SQLITE = "postgres", "sqlite"


def _both(section: str, **figures: float) -> dict[tuple[str, str], Baseline]:
    return {(database, name): Baseline(value, section) for database in (POSTGRES, SQLITE) for name, value in figures.items()}


def _one(database: str, section: str, **figures: float) -> dict[tuple[str, str], Baseline]:
    return {(database, name): Baseline(value, section) for name, value in figures.items()}


# (database, figure) by kind of case; CPU figures are seconds per 10,000 unless a name says otherwise
BASELINES: dict[str, dict[tuple[str, str], Baseline]] = {
    "files": _one(POSTGRES, "1, PostgreSQL + RQ 1k", rate=61, app=121, db=55, peak=282)
    | _one(SQLITE, "1, SQLite 10k", rate=91, app=84, peak=288),
    "again": _one(POSTGRES, "1, PostgreSQL + RQ 50k", rate=3270, app=2.88, db=0.79)
    | _one(SQLITE, "1, SQLite 10k", rate=3900, app=2.44),
    "objects": _both("2, SQLite 1k", rate=55, app=153, peak=309),
    "lines": _both("2, SQLite 10k loaded", rate=41, app=75.6, peak=286),
    "export": _both("3, 1k first", rate=42, app=237, peak=307),
    "proxy-1": _both("4, runserver 1", rate=214, app=4.5, first=29),
    "proxy-8": _both("4, runserver 8", rate=162, app=6.8, first=261),
    "redirect-1": _both("5, uWSGI 1 loaded", rate=35, app=24.6, p50=25),
    "redirect-8": _both("5, uWSGI 8 loaded", rate=41, app=26.1, p50=190),
    # per CPU second, from the CPU seconds per 10,000 of boto3, which Label Studio lists and reads with
    "planes": _both("6, boto3 resource, GET boto3", **{"s3-keys": 5435, "s3-objects": 312}),
    "page": _both("5, 100 a page", rate=3.1, app=320, p50=284),
}
RATE_MARK = Mark(">=", 2000)  # tasks a second of a Files sync on PostgreSQL
PEAK_MARK = Mark("<", 250)  # MiB
GROWTH_MARK = Mark("<", 10)  # percent from the smallest to the largest bucket
POST_MARK = Mark("<", 300)  # milliseconds


def baseline(kind: str, name: str, database: str) -> Baseline | None:
    """Label Studio's figure, None where there is none to compare with."""
    return BASELINES[kind].get((database, name))
