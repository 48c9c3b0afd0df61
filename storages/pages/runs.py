"""The runs of a storage: their history with a chart, and one run that is followed while it goes on."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from projects.models import Project
from storages import jobs
from storages.api import starting
from storages.pages import issues
from storages.pages.access import page
from storages.pages.run_facts import PLACE, counters_of, facts_of, find_run, frame, read_page, rows_of
from storages.status import runs_of

PAGE_SIZE = 30  # runs, in the table and in its chart


@require_safe
@page
def history(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """All runs of a storage, the newest first; the chart shows those that the table shows."""
    context = frame(project, side, type, pk)
    shown = read_page(request, rows_of(context["storage"]), PAGE_SIZE)
    runs = [facts_of(row) for row in shown]
    return render(request, "storages/runs.html", context | {"runs": runs, "pages": shown, "chart": _chart(runs)})


def _chart(runs: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """A list for each line of the chart, the oldest run first."""
    past = runs[::-1]
    counts = {name: [run["counters"][name] for run in past] for name in ("listed", "new", "failed")}
    times = [(run["started_at"] or run["queued_at"]).isoformat() for run in past]
    return {"runs": [run["id"] for run in past], "times": times, "rate": [run["rate"] for run in past]} | counts


@require_safe
@page
def detail(request: HttpRequest, project: Project, side: str, type: str, pk: int, run: int) -> HttpResponse:
    """One run: what it is, what it has done so far, and its issues."""
    context = _run_context(frame(project, side, type, pk), run)
    return render(request, "storages/run.html", context | issues.listed(request, context["storage"], context["run"]))


@require_safe
@page
def live(request: HttpRequest, project: Project, side: str, type: str, pk: int, run: int) -> HttpResponse:
    """The part of a run's page that changes; 204 while it is as the parameter ``seen`` says."""
    context = _run_context(frame(project, side, type, pk), run)
    if context["run"]["version"] == request.GET.get("seen"):
        return HttpResponse(status=204)
    answer = render(request, "storages/run_live.html", context | {"polled": True})
    return trigger_client_event(answer, "run-moved")


@require_POST
@page
def cancel(request: HttpRequest, project: Project, side: str, type: str, pk: int, run: int) -> HttpResponse:
    """Ends the run if it is queued or running, and goes back to its page."""
    context = frame(project, side, type, pk)
    row = find_run(context["storage"], run)
    if jobs.cancel(runs_of(context["storage"])(pk=row["id"]), request.user):
        messages.success(request, "Cancelled. What had been saved is kept; the next sync goes on from there.")
    else:
        messages.warning(request, "There was nothing to cancel: this run had ended before.")
    return redirect("storage-run", **context["ids"], run=row["id"])


def _run_context(context: dict[str, Any], run: int) -> dict[str, Any]:
    facts = facts_of(find_run(context["storage"], run))
    failed = 0 if facts["active"] else starting.failed(context["storage"]).count()
    return context | {"run": facts, "counters": counters_of(context["storage"], facts), "failed_now": failed}


urlpatterns = [
    path(f"{PLACE}/runs", history, name="storage-runs"),
    path(f"{PLACE}/runs/<int:run>", detail, name="storage-run"),
    path(f"{PLACE}/runs/<int:run>/live", live, name="storage-run-live"),
    path(f"{PLACE}/runs/<int:run>/cancel", cancel, name="storage-run-cancel"),
]
