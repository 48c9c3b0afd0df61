"""What a run could not deal with: read page by page, as CSV, and tried again."""

import csv
from collections.abc import Collection, Iterator
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import push_url

from projects.models import Project
from storages.api import starting
from storages.base import ImportStorage, Storage
from storages.errors import StorageError
from storages.pages.access import find_storage, page
from storages.pages.run_facts import PLACE, facts_of, find_run, frame, read_page
from storages.runs import Run
from storages.status import runs_of

PAGE_SIZE = 50
COLUMNS = ("key", "row", "code", "message", "created_at")
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # what makes a cell a formula (OWASP, "CSV Injection")
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read UTF-8 as something else


def listed(request: HttpRequest, storage: Storage, run: dict[str, Any]) -> dict[str, Any]:
    """The context of a page of the run's issues, the newest first; ``code`` of the query filters them."""
    rows = _issues(storage, run["id"])
    counts = dict(rows.order_by("code").values_list("code").annotate(number=Count("id")))
    code = request.GET.get("code", "")
    code = code if code in counts else ""
    shown = read_page(request, (rows.filter(code=code) if code else rows).order_by("-id").values("id", *COLUMNS), PAGE_SIZE)
    issues = list(shown)
    again = _still_failed(storage, [issue["key"] for issue in issues]) if issues and not run["active"] else set()
    query = urlencode({"code": code, "page": shown.number} if code else {"page": shown.number})
    return {
        "issues": [issue | {"again": issue["key"] in again} for issue in issues],
        "any_again": bool(again),
        "pages": shown,
        "codes": counts,
        "code": code,
        "query": query,
        "all_issues": sum(counts.values()),
    }


def _issues(storage: Storage, run: int) -> QuerySet:
    return runs_of(storage)._meta.get_field("issues").related_model.objects.filter(run_id=run)


def _still_failed(storage: Storage, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` that a retry would try again."""
    name = "key" if isinstance(storage, ImportStorage) else "subject"
    return {str(key) for key in starting.failed(storage, keys).values_list(name, flat=True)}


@require_safe
@page
def issues(request: HttpRequest, project: Project, side: str, type: str, pk: int, run: int) -> HttpResponse:
    """The part of a run's page that lists issues; without htmx the page itself."""
    context = frame(project, side, type, pk)
    facts = facts_of(find_run(context["storage"], run))
    context |= {"run": facts, **listed(request, context["storage"], facts)}
    address = f"{reverse('storage-run', kwargs=context['ids'] | {'run': facts['id']})}?{context['query']}"
    if not request.htmx:
        return redirect(f"{address}#issues")
    answer = render(request, "storages/issues.html", context | {"polled": True})
    return push_url(answer, address) if request.htmx.trigger == "issue-filter" else answer


@require_safe
@page
def download(request: HttpRequest, project: Project, side: str, type: str, pk: int, run: int) -> HttpResponseBase:
    """All issues of the run as CSV (RFC 4180) in UTF-8 with a byte order mark, in the order in which they were found."""
    storage = frame(project, side, type, pk)["storage"]
    row = find_run(storage, run)
    answer = StreamingHttpResponse(_lines(_issues(storage, row["id"])), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="issues-of-run-{row["id"]}.csv"'
    return answer


class _Line:
    """What csv writes to: gives each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: QuerySet) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield BYTE_ORDER_MARK + writer.writerow(COLUMNS)
    for key, row, code, message, time in rows.order_by("id").values_list(*COLUMNS).iterator(chunk_size=1000):
        yield writer.writerow([_cell(key), "" if row is None else row, _cell(code), _cell(message), time.isoformat()])


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


@require_POST
@page
def retry(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """Tries again what failed: all of it, or with ``which=selected`` the objects of the fields ``key``."""
    storage = find_storage(project, side, type, pk)
    run = _start(request, storage)
    ids = {"project": project.pk, "side": side, "type": type, "pk": storage.pk}
    return redirect("storage-run", **ids, run=run.pk) if run else redirect("storage-runs", **ids)


def _start(request: HttpRequest, storage: Storage) -> Run | None:
    """The new run, or the newest one when a message says why there is no new one."""
    keys = request.POST.getlist("key")[:PAGE_SIZE] if request.POST.get("which") == "selected" else None
    problem = _problem(storage, keys)
    if problem:
        messages.warning(request, problem)
        return storage.run
    try:
        run = starting.start_retry(storage, request.user, "page", keys=keys or ())
    except StorageError as error:
        messages.warning(request, f"The storage cannot be reached. {error}")
        return storage.run
    if run is None:
        messages.warning(request, "A sync was started meanwhile. Try again when it has ended.")
        return storage.run
    messages.success(request, "The retry is queued.")
    return run


def _problem(storage: Storage, keys: list[str] | None) -> str:
    """Why nothing can be tried again now; "" if it can."""
    if not storage.synchronizable:
        return "This storage is set not to be synced."
    if storage.run and storage.run.active:
        return "A sync is queued or running. Try again when it has ended."
    if keys is not None and not keys:
        return "Nothing was selected. Tick the objects to try again, or retry all."
    if not starting.failed(storage, keys or ()).exists():
        return "Nothing is left to try again: no object counts as failed any more."
    return ""


urlpatterns = [
    path(f"{PLACE}/runs/<int:run>/issues", issues, name="storage-run-issues"),
    path(f"{PLACE}/runs/<int:run>/issues.csv", download, name="storage-run-issues-csv"),
    path(f"{PLACE}/retry", retry, name="storage-retry"),
]
