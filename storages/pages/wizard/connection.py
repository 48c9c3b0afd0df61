"""Configure Connection: the provider's own settings, tested before the next step."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import replace_url

from storages.base import Storage
from storages.pages.wizard import steps
from storages.pages.wizard.checking import check, listing_refused, report_words
from storages.pages.wizard.entry import Entry
from storages.pages.wizard.opening import ahead, entry_page, sent


@require_http_methods(["GET", "HEAD", "POST"])
@entry_page(steps.CONNECTION)
def connection(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The form; "Next" goes on with a connection that works, and tests it first if that was not done.

    The stepper of a stored storage leads on without: it may be the connection that is out of order.
    """
    names, asked = _fields(entry), ahead(entry, steps.CONNECTION)
    storage = _entered(entry, names) if request.method == "POST" else None
    if storage and ((asked and entry.stored) or entry.draft.verified or _works(entry, storage, names)):
        return sent(request, entry.path_of(asked or steps.FLOWS[entry.side][2]))
    return _page(entry, "connection.html")


@require_POST
@entry_page(steps.CONNECTION)
def test(request: HttpRequest, entry: Entry) -> HttpResponseBase:
    """The button "Test connection": the form again, with every probe."""
    names = _fields(entry)
    if storage := _entered(entry, names):
        _works(entry, storage, names)
    if not request.htmx:
        return _page(entry, "connection.html")
    return replace_url(_page(entry, "connection_form.html"), entry.base + steps.CONNECTION)


def _fields(entry: Entry) -> list[str]:
    """Those of the step; the prefix too when the storage could not be listed: the key may be for one folder only."""
    own = steps.fields_of(entry.backend, entry.side, steps.CONNECTION)
    later = steps.fields_of(entry.backend, entry.side, steps.SETTINGS)
    return [*own, "prefix"] if "prefix" in later and listing_refused(entry.draft.report) else own


def _entered(entry: Entry, names: list[str]) -> Storage | None:
    entry.take(names)
    return entry.judge([*names, "prefix"], names)


def _works(entry: Entry, storage: Storage, names: list[str]) -> bool:
    report = check(entry, storage, names)
    entry.draft.keep(report)
    return report["ok"]


def _page(entry: Entry, template: str) -> HttpResponseBase:
    report = report_words(entry, entry.draft.report)
    context = entry.context(steps.CONNECTION, rows=entry.rows(_fields(entry)), report=report, backend=entry.backend)
    return render(entry.request, f"storages/wizard/{template}", context)


urlpatterns = [
    path("connection", connection, name="wizard-connection"),
    path("test", test, name="wizard-test"),
]
