"""The form of a storage's schedule, policies and webhook, with the next times of the schedule in words."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.timesince import timeuntil
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import APIException

from projects.models import Project
from storages import timetable
from storages.api.forms import COMMON_ROWS, POLICY_ROWS
from storages.base import ImportStorage, Storage
from storages.errors import ConfigInvalid
from storages.fields import secret_names
from storages.pages.access import backend_of, find_storage, page
from storages.pages.form_fields import form_rows
from storages.pages.run_facts import PLACE, frame

TIMES = 3  # of the next runs
SECTIONS = (  # heading, names of its fields
    ("Schedule", COMMON_ROWS[0]),
    ("When objects change", POLICY_ROWS[0]),
    ("Limits", POLICY_ROWS[1]),
    ("Webhook", COMMON_ROWS[1]),
)
NAMES = {name for _, names in SECTIONS for name in names}
QUICK = (  # label, schedule
    ("Every 15 minutes", "every 15 minutes"),
    ("Every hour", "every hour"),
    ("Every night at 3:00", "0 3 * * *"),
    ("Weekdays at 7:00", "0 7 * * MON-FRI"),
    ("Sundays at 3:00", "0 3 * * SUN"),
    ("Only by hand", ""),
)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def schedule(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """Shows the form, or saves what was sent; nothing of it needs another look at the connection."""
    context = frame(project, side, type, pk)
    storage = context["storage"]
    values = {name: getattr(storage, name) for name in _names(storage)}
    errors: Mapping[str, Any] = {}
    if request.method == "POST":
        values |= {name: request.POST[name] for name in values if name in request.POST}
        errors = _save(request, find_storage(project, side, type, pk), values)
        if not errors:
            messages.success(request, "Schedule and policies are saved.")
            return redirect("storage-schedule", **context["ids"])
    sections = list(_sections(context, values, errors))
    context |= {"sections": sections, "quick": QUICK, "general": errors.get("non_field_errors", ())}
    return render(request, "storages/schedule.html", context | _times(storage, values))


def _names(storage: Storage) -> list[str]:
    """The fields of this form that the storage has, but secrets."""
    columns = {field.name for field in storage._meta.concrete_fields}
    return sorted(NAMES & columns - set(secret_names(type(storage))))


def _save(request: HttpRequest, storage: Storage, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Messages by field; empty when it is saved. A secret that was left empty stays, unless it is to be removed."""
    backend, data = backend_of(storage.type), dict(values)
    for name in NAMES & set(secret_names(type(storage))):
        if request.POST.get(f"forget_{name}"):
            data[name] = None
        elif request.POST.get(name):
            data[name] = request.POST[name]
    kind = backend.import_serializer if isinstance(storage, ImportStorage) else backend.export_serializer
    serializer = kind(storage, data=data, partial=True, context={"request": request, "check": False})
    try:
        if serializer.is_valid():
            serializer.save()
    except APIException as error:  # an address that must not be called
        field = getattr(error, "connection", {}).get("field")
        return {field or "non_field_errors": [str(error.detail)]}
    return serializer.errors


def _sections(context: Mapping[str, Any], values: Mapping[str, Any], errors: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    backend = backend_of(context["storage"].type)
    for heading, names in SECTIONS:
        rows = form_rows(backend, context["side"], values, errors=errors, stored=context["storage"], only=names)
        if rows:
            fields = [field for row in rows for field in row]
            yield {"heading": heading, "fields": fields, "kept": [field for field in fields if field.kept]}


@require_safe
@page
def times(request: HttpRequest, project: Project, side: str, type: str, pk: int) -> HttpResponse:
    """The next times of a schedule that is being typed, or what is wrong with it."""
    context = frame(project, side, type, pk)
    values = {name: request.GET.get(name, "") for name in COMMON_ROWS[0]}
    return render(request, "storages/schedule_times.html", context | _times(context["storage"], values))


def _times(storage: Storage, values: Mapping[str, str]) -> dict[str, Any]:
    text, zone = (str(values[name]).strip() for name in COMMON_ROWS[0])
    limit = storage._meta.get_field(timetable.SCHEDULE).max_length
    if len(text) > limit:
        return {"refused": f"A schedule has at most {limit} characters."}
    try:
        timetable.check(text, zone)
        return {"times": _next_times(storage, text, zone) if text else [], "zone": zone}
    except ConfigInvalid as error:
        return {"refused": str(error)}


def _next_times(storage: Storage, text: str, zone: str) -> list[str]:
    now = timezone.now()
    found: list[datetime] = []
    if storage.next_sync and storage.next_sync > now and (text, zone) == (storage.sync_schedule, storage.sync_timezone):
        found = [storage.next_sync]
    while len(found) < TIMES:
        before = found[-1] if found else None
        found.append(timetable.next_time(text, zone, before or now, storage.pk, previous=before))
    return [time_in_words(time, now, zone) for time in found]


def time_in_words(time: datetime, now: datetime, zone: str) -> str:
    """By the clock of ``zone``, such as "tomorrow, Monday 23 November 2026, 03:00 CET (in 6 hours)"."""
    local, today = time.astimezone(timetable.find_zone(zone)), now.astimezone(timetable.find_zone(zone)).date()
    day = {0: "today, ", 1: "tomorrow, "}.get((local.date() - today).days, "")
    # the seconds are jitter; the minute is what was asked for
    return f"{day}{local:%A} {local.day} {local:%B %Y}, {local:%H:%M} {local:%Z} (in {timeuntil(time, now)})"


urlpatterns = [
    path(f"{PLACE}/schedule", schedule, name="storage-schedule"),
    path(f"{PLACE}/schedule/times", times, name="storage-schedule-times"),
]
