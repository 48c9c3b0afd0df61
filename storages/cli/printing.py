"""What the command line prints: tables for people, one JSON document for scripts. Knows no command."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

from django.urls import reverse
from rest_framework.utils.encoders import JSONEncoder

from storages.api import run_shapes
from storages.runs import ExportRun, Run

WIDEST = 100  # characters of one cell


def document(out: TextIO, value: Any) -> None:
    """One JSON document, ASCII only."""
    out.write(json.dumps(value, cls=JSONEncoder, indent=2) + "\n")


def table(out: TextIO, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as their widest cell; numbers are set to the right."""
    cells = [list(head), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[n], int | None) for row in rows) for n in range(len(head))]
    for line in cells:
        parts = zip(line, widths, right, strict=True)
        out.write("  ".join(text.rjust(width) if number else text.ljust(width) for text, width, number in parts).rstrip() + "\n")


def cell(value: Any) -> str:
    """A value in one short line."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = line(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def line(value: Any) -> str:
    """A text in one line; what a terminal would take for a command of its own is escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))


def shape(run: Run) -> dict[str, Any]:
    """The JSON of a run, as the API tells it; ``issues_url`` is a path."""
    model = type(run)
    row = model.objects.filter(pk=run.pk).values(*run_shapes.columns(model)).get()
    return shape_of(model, row)


def shape_of(model: type[Run], row: dict[str, Any]) -> dict[str, Any]:
    """The same from a row of ``run_shapes.columns``."""
    direction = "export" if model is ExportRun else "import"
    ids = {"type": row["storage__type"], "pk": row["storage_id"], "run": row["id"]}
    return run_shapes.present(row, reverse(f"{direction}-run-issues", kwargs=ids))


def summary(told: dict[str, Any]) -> str:
    """One line about a run that has ended, or goes on."""
    numbers = ", ".join(f"{count:,} {name}" for name, count in told["counters"].items() if count or name in ("listed", "new"))
    seconds = f" in {told['duration']:.1f} s" if told["duration"] is not None else ""
    return f"run {told['id']} of {told['type']}/{told['storage']}: {told['state']}, {numbers}{seconds}"


def plan(out: TextIO, told: dict[str, Any]) -> None:
    """The plan as people read it."""
    gone, asked = told["vanished"], told["requests"]
    if not told["complete"]:
        out.write("The time was up before the listing ended; the counts are of what was listed until then.\n")
    rows: list[tuple[str, Any, str]] = [("listed", told["listed"], ""), ("new", told["new"]["count"], _some(told["new"]))]
    rows += [(name, told[name], "") for name in ("existing", "changed", "unfinished")]
    if gone is None:
        rows.append(("vanished", None, "unknown, the listing is not complete"))
    else:
        fate = f"{gone['tasks']:,} tasks would be {gone['would']} (vanished_policy={gone['policy']})" if gone["count"] else ""
        rows.append(("vanished", gone["count"], " ".join(part for part in (_some(gone), fate) if part)))
    rows += [(f"ignored: {reason}", kind["count"], _some(kind)) for reason, kind in told["ignored"]["reasons"].items()]
    rows.append(
        ("requests", asked["listing"] + asked["reads"], f"{asked['listing']:,} to list, {asked['reads']:,} or more to read")
    )
    table(out, ("", "count", ""), rows)
    for reason, kind in told["ignored"]["reasons"].items():
        out.write(f"{reason}: {kind['why']}\n")


def _some(kind: dict[str, Any]) -> str:
    more = kind["count"] is not None and kind["count"] > len(kind["sample"])
    return ", ".join(cell(key) for key in kind["sample"]) + (", …" if more else "")
