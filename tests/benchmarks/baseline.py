"""Label Studio 1.23.2's figures as performance.md holds them, quiet runs where there are any; and the marks for ours."""

from tests.benchmarks.report import Baseline, Mark

POSTGRES, SQLITE = "postgres", "sqlite"
Marks = dict[tuple[str, str], Mark]


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
    "export-again": _both("3, 1k again", rate=34, app=257, peak=309),
    "proxy-1": _both("4, runserver 1", rate=214, app=4.5, first=29),
    "proxy-8": _both("4, runserver 8", rate=162, app=6.8, first=261),
    "redirect-1": _both("5, uWSGI 1 loaded", rate=35, app=24.6, p50=25),
    "redirect-8": _both("5, uWSGI 8 loaded", rate=41, app=26.1, p50=190),
    # per CPU second, from the CPU seconds per 10,000 of boto3, which Label Studio lists and reads with
    "planes": _both("6, boto3 resource, GET boto3", **{"s3-keys": 5435, "s3-objects": 312}),
    "page": _both("5, 100 a page", rate=3.1, app=320, p50=284, statements=232),
    **{f"{kind}-{clients}": {} for kind in ("direct", "nginx") for clients in (1, 8, 64)},
    **dict.fromkeys(
        ("changed", "parquet", "latency", "scale", "proxy-64", "link-1", "link-8", "export-local", "export-local-again"), {}
    ),
    **dict.fromkeys(("only-new", "snapshot-jsonl", "snapshot-parquet"), {}),
    # Parquet is not supported there, nor are snapshots and only_new, the others not measured
}


def _least(database: str, limit: float) -> Marks:
    return {(database, "rate"): Mark(">=", limit)}


def _cost(database: str, limit: float) -> Marks:
    return {(database, "cpu"): Mark("<=", limit)}


def _marks(**marks: Mark) -> Marks:
    return {(database, name): mark for database in (POSTGRES, SQLITE) for name, mark in marks.items()}


def _always() -> Marks:
    """Memory of the largest worker in MiB; milliseconds of the POST that starts a sync."""
    return _marks(peak=Mark("<", 200), post=Mark("<", 300))


# (database, figure) by kind of case; rates are per second, CPU figures seconds per 10,000 of app and database
MARKS: dict[str, Marks] = {
    "files": _least(POSTGRES, 10_000) | _cost(POSTGRES, 1.0) | _least(SQLITE, 20_000) | _cost(SQLITE, 0.5) | _always(),
    "again": _least(POSTGRES, 100_000) | _always(),
    "changed": _always(),
    "objects": _least(POSTGRES, 1200) | _always(),
    "lines": _least(POSTGRES, 10_000) | _always(),
    "parquet": _least(POSTGRES, 10_000) | _always(),
    "latency": _least(POSTGRES, 8000) | _least(SQLITE, 8000),
    **dict.fromkeys(
        ("export", "export-again", "export-local", "export-local-again"),
        _least(POSTGRES, 1200) | _least(SQLITE, 1200) | _cost(POSTGRES, 10) | _cost(SQLITE, 10) | _always(),
    ),
    "only-new": _marks(wall=Mark("<=", 1), post=Mark("<", 300)),
    **dict.fromkeys(("snapshot-jsonl", "snapshot-parquet"), _least(POSTGRES, 10_000) | _least(SQLITE, 10_000) | _always()),
    "proxy-1": _marks(rate=Mark(">=", 450), app=Mark("<=", 1.6), first=Mark("<=", 8)),
    "proxy-8": _marks(rate=Mark(">=", 600), app=Mark("<=", 1.6)),
    "redirect-1": _marks(rate=Mark(">=", 300), app=Mark("<=", 4)),
    "redirect-8": _marks(rate=Mark(">=", 600), app=Mark("<=", 4)),
    "link-8": _marks(rate=Mark(">=", 1500)),
    "page": _marks(p50=Mark("<=", 20), statements=Mark("<=", 12)),
}
MEMORY_MARK = Mark("<", 10)  # percent from the smallest to the largest bucket
COST_MARK = Mark("<=", 1.2)  # CPU of a task of the largest bucket by that of the smallest
SAVE_MARK = Mark("<=", 5)  # milliseconds that a target adds to a save, whatever state it is in
RATIO_MARK = Mark(">=", 3)  # four workers by one


def baseline(kind: str, name: str, database: str) -> Baseline | None:
    """Label Studio's figure, None where there is none to compare with."""
    return BASELINES[kind].get((database, name))


def mark(kind: str, name: str, database: str) -> Mark | None:
    """What the figure has to reach, None if nothing was promised."""
    return MARKS.get(kind, {}).get((database, name))
