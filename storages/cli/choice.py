"""Which storage, and which run, the operator means; says what there is when it is none."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from config.crypto import DecryptionFailed
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage, Storage
from storages.fields import secret_names
from storages.runs import Run
from storages.snapshots.places import NAME
from storages.status import runs_of

USAGE = 2  # exit code
SHOWN = 10  # storages named in a message
LARGEST = 2**63 - 1  # of a number in the database


def storage(name: str, *, export: bool = False) -> Storage:
    """The storage called ``7`` or ``s3/7``. Raises CommandError (2) if there is none, (1) if its secrets cannot be read."""
    try:
        found = _only(_matching(name, export).with_backend().select_related("project"), name, export)
    except DecryptionFailed as error:
        raise CommandError(f"{name}: {error}") from error
    made = found.concrete()
    made.project = found.project
    return made


def without_secrets(name: str, *, export: bool = False) -> Storage:
    """The same, as its parent model, for what needs no connection: no secret is read. Raises CommandError (2)."""
    rows = _matching(name, export)
    return _only(rows.defer(*secret_names(rows.model)), name, export)


def number(text: str) -> int:
    """A number from 1 that a database can hold, for argparse. Raises ArgumentTypeError."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 0 < value <= LARGEST:
        raise ArgumentTypeError(f"{text[:40]!r} is no number from 1 to {LARGEST}")
    return value


def snapshot_name(text: str) -> str:
    """What a snapshot's folder may end in, for argparse. Raises ArgumentTypeError."""
    if not NAME.fullmatch(text):
        raise ArgumentTypeError(f"{text[:80]!r} is not up to 64 letters, digits, dots, dashes and underscores")
    return text


def name_of(one: Storage) -> str:
    """``s3/7``."""
    return f"{one.type}/{one.pk}"


def run(of: Storage, pk: int) -> Run:
    """Raises CommandError (2) if the storage has no such run."""
    found = runs_of(of).objects.filter(storage_id=of.pk, pk=pk).first() if 0 < pk <= LARGEST else None
    if found is None:
        raise CommandError(f"{name_of(of)} has no run {pk}; 'storage runs {name_of(of)}' lists them", returncode=USAGE)
    return found


def rows(*, project: int | None = None, export: bool = False) -> list[dict[str, Any]]:
    """Sources, or targets, as plain values; no secret is read."""
    parent = _parent(export)
    found = parent.objects.select_related("run").defer(*secret_names(parent)).order_by("id")
    return [
        {
            "storage": name_of(one),
            "direction": "target" if export else "source",
            "project": one.project_id,
            "title": one.title,
            "status": one.run.state if one.run else "initialized",
            "last_run": one.run_id,
            "last_sync": one.run.finished_at if one.run else None,
        }
        for one in (found if project is None else found.filter(project_id=project))
    ]


def _parent(export: bool) -> type[Storage]:
    return ExportStorage if export else ImportStorage


def _matching(name: str, export: bool) -> QuerySet:
    kind, _, digits = name.rpartition("/")
    pk = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
    return _parent(export).objects.filter(pk=pk, type__in=[kind] if kind else BACKENDS)


def _only(rows: QuerySet, name: str, export: bool) -> Storage:
    found = rows.first()
    if found is None:
        raise CommandError(f"there is no {_word(export)} {name!r}; {_what_exists(_parent(export), export)}", returncode=USAGE)
    return found


def _word(export: bool) -> str:
    return "target" if export else "source"


def _what_exists(parent: type[Storage], export: bool) -> str:
    found = parent.objects.filter(type__in=BACKENDS).order_by("id").values_list("type", "id", "title")
    some = ", ".join(f"{kind}/{pk}" + (f" ({title})" if title else "") for kind, pk, title in found[:SHOWN])
    more = found.count() - SHOWN
    other = "" if export else "; --export names targets"
    return (f"there are: {some}" + (f" and {more} more" if more > 0 else "") if some else "there are none") + other
