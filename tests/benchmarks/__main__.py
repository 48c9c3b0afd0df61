"""``python -m tests.benchmarks``: measures a Quayside of its own and compares it with Label Studio; 1 if a mark is missed.

Minutes on a quiet machine; ``--full`` adds the syncs of a million objects and rows, and takes twice as long.
"""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import export_cases, planes, scale_cases, serving_cases, sync_cases
from tests.benchmarks.api import Api
from tests.benchmarks.baseline import POSTGRES, SQLITE
from tests.benchmarks.profiling import TARGETS
from tests.benchmarks.report import Figure, document, load, machine, short, table
from tests.benchmarks.server import ROOT, Server, start

Case = Callable[[Api], Iterator[Figure]]
SMALL, LARGE, LARGEST = 10_000, 100_000, 1_000_000  # objects, or rows of one file


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--database", choices=(POSTGRES, SQLITE), default=POSTGRES)
    parser.add_argument("--objects", type=_counts, help="sizes of the Files syncs, default 10000,100000")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a fifth or less of everything: 10,000 objects and rows")
    size.add_argument("--full", action="store_true", help="a Files sync of 1,000,000 objects too, and files of 1,000,000 rows")
    names = ", ".join(cases(Sizes([], 0, 1)))
    parser.add_argument("--only", default="", help=f"only the cases whose names begin so (several: a,b): {names}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--profile", choices=TARGETS, help="instead of measuring, show where the time goes in this process")
    return parser.parse_args(arguments)


def _counts(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


@dataclass(frozen=True)
class Sizes:
    """How much is measured. ``files``: objects of each Files sync; ``rows`` of one file; the rest is divided by ``share``."""

    files: list[int]
    rows: int
    share: int


def sizes(asked: argparse.Namespace) -> Sizes:
    """What the command line asks for."""
    if asked.quick:
        return Sizes(asked.objects or [SMALL], SMALL, 5)
    files, rows = ([SMALL, LARGE, LARGEST], LARGEST) if asked.full else ([SMALL, LARGE], LARGE)
    return Sizes(asked.objects or files, rows, 1)


def cases(size: Sizes) -> dict[str, Case]:
    """Every case by name, in the order of the table."""
    share = size.share
    return {  # the ones with few rows first: PostgreSQL's autovacuum would disturb them after the large ones
        "planes": planes.planes,
        "proxy": lambda api: serving_cases.proxy(api, 10 // share),
        "redirect": lambda api: serving_cases.redirect(api, 1500 // share),
        "page": lambda api: serving_cases.page(api, 200 // share),
        "saves": lambda api: export_cases.saves(api, 500 // share),
        "exports": lambda api: export_cases.exports(api, SMALL // share),
        "objects": lambda api: sync_cases.objects(api, 20_000 // share),
        "files": lambda api: sync_cases.files(api, size.files),
        "jsonl": lambda api: sync_cases.lines(api, size.rows),
        "parquet": lambda api: sync_cases.parquet(api, size.rows),
        "snapshots": lambda api: export_cases.snapshots(api, [SMALL // share, LARGE // share]),
        "latency": lambda api: scale_cases.latency(api, 100_000 // share),
        "scale": lambda api: scale_cases.scale(api, 200_000 // share),
    }


def measure(server: Server, chosen: list[Case], figures: list[Figure]) -> None:
    """Runs the cases one after another and adds to ``figures``; says each at once, since the table comes at the end."""
    api = Api(server)
    for case in chosen:
        for figure in case(api):
            print(f"{figure.case}: {figure.name} {short(figure.value)} {figure.unit}", file=sys.stderr, flush=True)
            figures.append(figure)


def profile(server: Server, target: str, objects: int) -> int:
    """In a process of its own, since Django reads its settings once: that process's exit code."""
    command = [sys.executable, "-m", "tests.benchmarks.profiling", target, server.stub, server.url, str(objects)]
    return subprocess.run(command, cwd=ROOT, env=server.env, check=False, timeout=600).returncode


def main() -> int:
    asked = options()
    size, wanted = sizes(asked), tuple(asked.only.split(","))
    chosen = [case for name, case in cases(size).items() if name.startswith(wanted)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an orderly end, so that nothing is left running
    before, figures = machine(), []
    try:
        with start(asked.database) as server:
            if asked.profile:
                return profile(server, asked.profile, (asked.objects or [LARGE])[-1])
            measure(server, chosen, figures)
    finally:  # what was measured before a case failed is still worth its while
        if figures:
            print(f"{asked.database}; {before}; afterwards {load()}\n\n{table(figures)}")
    if asked.json:
        asked.json.write_text(json.dumps(document(figures, asked.database), indent=1) + "\n", encoding="utf-8")
    missed = [figure for figure in figures if figure.missed]
    print(f"\n{len(missed)} marks missed" if missed else "\nevery mark reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
