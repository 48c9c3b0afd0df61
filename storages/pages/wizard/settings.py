"""Import Settings & Preview: what of a source becomes tasks, and how; the preview itself is shown by its neighbour."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from storages.base import Storage
from storages.errors import StorageError
from storages.pages.wizard import steps
from storages.pages.wizard.checking import check, report_words
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import ahead, entry_page, sent

# quick filters by import method (behaviour.md §9.2)
FILTERS = {
    "True": (
        ("Images", r".*\.(jpe?g|png|gif|webp)$"),
        ("Videos", r".*\.(mp4|avi|mov|wmv|webm)$"),
        ("Audio", r".*\.(mp3|wav|ogg|flac)$"),
        ("Tabular", r".*\.(csv|tsv)$"),
    ),
    "False": (
        ("JSON", r".*\.json$"),
        ("JSONL", r".*\.jsonl$"),
        ("Parquet", r".*\.parquet$"),
        ("All task files", r".*\.(json|jsonl|parquet)$"),
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
@entry_page(steps.SETTINGS)
def settings(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The form; "Next" goes on, and tests the connection again if the prefix has become another one."""
    if request.method == "POST" and (storage := entered(entry)):
        if (entry.stored and ahead(entry, steps.SETTINGS)) or _still_works(entry, storage):
            return sent(request, entry.base + steps.REVIEW)
    elif request.method != "POST":
        _choose_method(entry)
    return show(entry, "settings.html")


def entered(entry: Entry) -> Storage | None:
    """The unsaved storage with what the request's form holds; None, and the entry's errors filled, if it cannot be used."""
    names = steps.fields_of(entry.backend, entry.side, steps.SETTINGS)
    entry.take(names)
    return entry.judge(steps.up_to(entry.backend, entry.side, steps.SETTINGS), names)


def show(entry: Entry, template: str, **more: Any) -> HttpResponseBase:
    drawn = [field for row in entry.rows(steps.fields_of(entry.backend, entry.side, steps.SETTINGS)) for field in row]
    method = str(entry.values.get("use_blob_urls", False))
    fields = sorted(drawn, key=lambda field: steps.IMPORT_FIELDS.index(field.name))
    context = entry.context(steps.SETTINGS, fields=fields, filters=FILTERS, chosen_method=method, **more)
    return render(entry.request, f"storages/wizard/{template}", context)


def _still_works(entry: Entry, storage: Storage) -> bool:
    report = entry.draft.report
    if report and report["ok"] and report.get("prefix", "") == (getattr(storage, "prefix", "") or ""):
        return True
    report = check(entry, storage, steps.fields_of(entry.backend, entry.side, steps.SETTINGS))
    if report["ok"]:
        entry.draft.keep(report)
    else:
        told = report_words(entry, report) or {}
        entry.errors.setdefault("non_field_errors", []).extend(one.message for one in told["probes"] if one.message)
    return report["ok"]


def _choose_method(entry: Entry) -> None:
    """A new source of media begins with one task per object: most people come with a folder of images."""
    if entry.stored is not None or "use_blob_urls" in entry.draft.values:
        return
    storage = entry.judge(steps.up_to(entry.backend, entry.side, steps.CONNECTION), ())
    try:
        media = storage is not None and storage.client().capabilities.media
    except StorageError:
        media = False
    entry.draft.enter({"use_blob_urls": str(media)})


urlpatterns = [path("settings", settings, name="wizard-settings")]
