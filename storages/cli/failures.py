"""Turns what ends a command early into one line and an exit code; knows no command."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError, OutputWrapper
from django.db import InterfaceError, OperationalError, ProgrammingError

from config.crypto import DecryptionFailed
from storages.cli.printing import line
from storages.errors import StorageError

FAILED = 1  # exit code


@contextmanager
def in_one_line(out: OutputWrapper) -> Iterator[None]:
    """Raises CommandError (1) for a storage or a database that cannot be used; SystemExit (1) when nobody reads ``out``."""
    try:
        try:
            yield
        finally:
            out.flush()  # a reader that has gone is noticed here, not when the interpreter leaves
    except (StorageError, DecryptionFailed) as error:
        raise CommandError(line(error), returncode=FAILED) from error
    except (OperationalError, InterfaceError, ProgrammingError) as error:  # a missing table is one of the last on PostgreSQL
        reason = line(str(error).strip().partition("\n")[0])
        message = f"the database (DATABASE_URL) cannot be used: {reason}; is it running, and was 'manage.py migrate' run?"
        raise CommandError(message, returncode=FAILED) from error
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is still buffered must not complain when the interpreter leaves
        os.close(nowhere)
        raise SystemExit(FAILED) from None
