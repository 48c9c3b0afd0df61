"""``python -m tests.benchmarks``: measures a Quayside of its own and compares it with Label Studio; 1 if a mark is missed."""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import planes, serving_cases, sync_cases
from tests.benchmarks.api import Api
from tests.benchmarks.baseline import POSTGRES, SQLITE
from tests.benchmarks.profiling import TARGETS
from tests.benchmarks.report import Figure, document, machine, short, table
from tests.benchmarks.server import ROOT, Server, start

Case = Callable[[Api], Iterator[Figure]]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--database", choices=(POSTGRES, SQLITE), default=POSTGRES)
    parser.add_argument("--objects", type=_counts, help="sizes of the Files syncs, default 10000,100000")
    parser.add_argument("--quick", action="store_true", help="a fifth of everything and no bucket of 100,000")
    parser.add_argument("--only", default="", help="only the cases whose name begins so: " + ", ".join(cases(False, [])))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--profile", choices=TARGETS, help="instead of measuring, show where the time goes in this process")
    return parser.parse_args(arguments)


def _counts(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


def cases(quick: bool, objects: list[int]) -> dict[str, Case]:
    """Every case by name, in the order of the table."""
    share = 5 if quick else 1
    return {  # the ones with few rows first: PostgreSQL's autovacuum would disturb them after the large ones
        "planes": planes.planes,
        "proxy": lambda api: serving_cases.proxy(api, 10 // share),
        "redirect": lambda api: serving_cases.redirect(api, 1500 // share),
        "page": lambda api: serving_cases.page(api, 200 // share),
        "export": lambda api: sync_cases.export(api, 1000 // share),
        "tasks": lambda api: sync_cases.objects(api, 2000 // share),
        "lines": lambda api: sync_cases.lines(api, jsonl_lines(quick)),
        "files": lambda api: sync_cases.files(api, objects),
    }


def jsonl_lines(quick: bool) -> int:
    return 10_000 if quick else 50_000


def measure(server: Server, chosen: list[Case]) -> list[Figure]:
    """Runs the cases one after another; says each figure at once, since the table comes at the end."""
    api, figures = Api(server), []
    for case in chosen:
        for figure in case(api):
            print(f"{figure.case}: {figure.name} {short(figure.value)} {figure.unit}", file=sys.stderr, flush=True)
            figures.append(figure)
    return figures


def profile(server: Server, target: str, objects: int) -> int:
    """In a process of its own, since Django reads its settings once: that process's exit code."""
    command = [sys.executable, "-m", "tests.benchmarks.profiling", target, server.stub, server.url, str(objects)]
    return subprocess.run(command, cwd=ROOT, env=server.env, check=False, timeout=600).returncode


def main() -> int:
    asked = options()
    objects = asked.objects or ([10_000] if asked.quick else [10_000, 100_000])
    chosen = [case for name, case in cases(asked.quick, objects).items() if name.startswith(asked.only)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an orderly end, so that nothing is left running
    with start(asked.database, jsonl_lines(asked.quick)) as server:
        if asked.profile:
            return profile(server, asked.profile, objects[-1])
        figures = measure(server, chosen)
    print(f"{asked.database}; {machine()}\n\n{table(figures)}")
    if asked.json:
        asked.json.write_text(json.dumps(document(figures, asked.database), indent=1) + "\n", encoding="utf-8")
    missed = [figure for figure in figures if figure.missed]
    print(f"\n{len(missed)} marks missed" if missed else "\nevery mark reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
