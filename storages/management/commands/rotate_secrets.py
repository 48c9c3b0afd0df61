"""Re-encrypts every stored credential with the newest key of STORAGE_ENCRYPTION_KEYS; shows none of them.

Safe while the service runs: a value is replaced only if it is still the one that was read. A run that was stopped
is continued by the next one, which leaves alone what the newest key opens already.
"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models
from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast

from config import crypto
from storages.fields import secret_names
from users.models import LegacyToken

CHUNK = 500  # rows read at a time


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """(model, column) of everything that is kept encrypted, each column once."""
    yield LegacyToken, "ciphertext"
    for model in apps.get_models():
        for name in secret_names(model):
            if model._meta.get_field(name).model is model:  # an inherited column belongs to its parent's table
                yield model, name


class Command(BaseCommand):
    help = (
        "Re-encrypts stored credentials with the first key of STORAGE_ENCRYPTION_KEYS. Put the new key first, restart "
        "web and workers, run this, then remove the old key. Exit code 1: some values are opened by no key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--clear-unreadable", action="store_true", help="empty the storage credentials that no key opens, to enter them again"
        )

    def handle(self, *args: object, clear_unreadable: bool, **options: object) -> None:
        counts: Counter[str] = Counter()
        for model, name in encrypted_columns():
            for pk, ciphertext in _stored(model, name):
                outcome = _rotate(model, name, pk, ciphertext, clear_unreadable)
                counts[outcome] += 1
                if outcome in ("unreadable", "cleared"):
                    self.stderr.write(f"{model._meta.label} {pk} {name}: no key of STORAGE_ENCRYPTION_KEYS opens it ({outcome})")
        wanted = ("rotated", "current", "changed meanwhile", "cleared", "unreadable")
        self.stdout.write(", ".join(f"{counts[outcome]} {outcome}" for outcome in wanted))
        if counts["unreadable"]:
            raise CommandError(
                "put the old key back at the end of STORAGE_ENCRYPTION_KEYS and run this again, or run it with "
                "--clear-unreadable and enter the credentials again; a user token is replaced by resetting it"
            )


def _raw(model: type[models.Model], name: str) -> QuerySet:
    """All rows with the column as it is stored, under ``raw``: a SecretField would decrypt it on the way."""
    return model._base_manager.annotate(raw=Cast(F(name), TextField()))


def _stored(model: type[models.Model], name: str) -> Iterator[tuple[int, str]]:
    """(primary key, ciphertext) by rising key."""
    last = 0
    while chunk := list(_raw(model, name).filter(pk__gt=last, raw__gt="").order_by("pk").values_list("pk", "raw")[:CHUNK]):
        yield from chunk
        last = chunk[-1][0]


def _rotate(model: type[models.Model], name: str, pk: int, ciphertext: str, clear: bool) -> str:
    """What became of one value: current, rotated, changed meanwhile, unreadable or cleared."""
    try:
        if crypto.is_newest(ciphertext):
            return "current"
        fresh, outcome = crypto.rotate(ciphertext), "rotated"
    except crypto.DecryptionFailed:
        if not (clear and model._meta.get_field(name).null):
            return "unreadable"
        fresh, outcome = None, "cleared"
    unchanged = _raw(model, name).filter(pk=pk, raw=ciphertext)
    return outcome if unchanged.update(**{name: Value(fresh, output_field=TextField())}) else "changed meanwhile"
