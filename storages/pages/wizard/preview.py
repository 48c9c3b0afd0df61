"""Load preview: the first objects with thumbnails, further ones on demand, and why others are left out. Saves nothing."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import replace_url

from projects.access import key_of
from storages.api.plan import present
from storages.api.preview import MORE, preview_files
from storages.base import ImportStorage
from storages.errors import StorageError
from storages.pages.wizard import steps
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import entry_page
from storages.pages.wizard.settings import entered, show
from storages.pages.wizard.thumbnail import Thumbnail, has_thumbnail
from storages.plan import draw_up

PAGE, MOST = 24, 2400  # objects shown at a time; at all
COUNTING = 20.0  # seconds that are spent on counting what is left out


@require_POST
@entry_page(steps.SETTINGS)
def preview(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The form with the first objects; with ``shown`` in the query only the rows behind so many."""
    shown = min(key_of(request.GET.get("shown")), MOST)
    if shown:
        storage = current(entry)
        found = _found(storage, shown) if storage else {"problem": "Settings have changed. Load the preview anew."}
        return render(request, "storages/wizard/preview_rows.html", {"entry": entry, "found": found})
    storage = entered(entry)
    found = _found(storage, 0) if storage else None
    if not request.htmx:
        return show(entry, "settings.html", found=found)
    return replace_url(show(entry, "settings_form.html", found=found), entry.base + steps.SETTINGS)


@require_safe
@entry_page(steps.SETTINGS)
def left_out(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """How many objects a sync would take, and for each reason how many it would not."""
    return render(request, "storages/wizard/left_out.html", counted(entry))


def current(entry: Entry) -> ImportStorage | None:
    """The unsaved storage with everything that is entered."""
    return entry.judge(steps.up_to(entry.backend, entry.side, steps.SETTINGS), ())


def counted(entry: Entry) -> dict[str, Any]:
    """Template context: ``plan`` as the API tells it, or the ``problem``."""
    storage = current(entry)
    if storage is None:
        return {"problem": "The settings are not complete. Go back and correct them."}
    try:
        return {"plan": present(draw_up(storage, COUNTING), storage)}
    except StorageError as error:
        return {"problem": str(error)}


def _found(storage: ImportStorage, shown: int) -> dict[str, Any]:
    """Rows behind the first ``shown``, and how many are shown then."""
    try:
        rows = preview_files(storage, shown + PAGE)
    except StorageError as error:
        return {"problem": str(error)}
    objects = [row for row in rows if row["size"] is not None]
    behind = rows[len(objects) :]  # a last row that says that there is more, or that the time was up
    pictured = [row | {"thumbnail": has_thumbnail(storage, row["key"], row["size"])} for row in objects[shown:]]
    more = behind == [MORE]
    ends = {"more": more and len(objects) < MOST, "slow": bool(behind) and not more, "further": shown > 0}
    return {"rows": pictured, "shown": len(objects), **ends}


urlpatterns = [
    path("preview", preview, name="wizard-preview"),
    path("left-out", left_out, name="wizard-left-out"),
    path("thumbnail", Thumbnail.as_view(), name="wizard-thumbnail"),
]
