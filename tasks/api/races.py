"""Turns what a concurrent change left behind into the answer a slower request would have got."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError
from rest_framework.exceptions import NotFound, ValidationError

from projects.models import Project
from tasks.models import Task


@contextmanager
def settled() -> Iterator[None]:
    """404 when the row was deleted since it was looked up, 400 when another annotation took the unique_id."""
    try:
        yield
    except Task.DoesNotExist:
        raise NotFound("No Task matches the given query.") from None
    except Project.DoesNotExist:
        raise NotFound("No Project matches the given query.") from None
    except IntegrityError:
        raise ValidationError({"unique_id": ["another annotation has this unique_id"]}) from None
