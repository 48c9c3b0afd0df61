"""The connection check of a draft and how its answer is told: one probe after the other, what to grant, what to paste."""

import json
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings

from storages.api.diagnosis import diagnose
from storages.base import Storage
from storages.pages.wizard.entry import Entry
from storages.pages.words import in_labels

VERBS = {
    "connect": "Connect to the storage",
    "list": "List objects",
    "read": "Read an object",
    "sign": "Sign a URL for browsers",
    "write": "Write an object",
    "delete": "Delete an object",
}
ICONS = {True: ("Works", "check-circle", "good"), False: ("Failed", "x-circle", "bad"), None: ("Not tried", "minus-circle", "")}


class ProbeWords(NamedTuple):
    """One probe as it is shown."""

    what: str
    outcome: str
    icon: str
    tone: str
    seconds: float | None
    message: str
    grant: str


def check(entry: Entry, storage: Storage, shown: list[str]) -> dict[str, Any]:
    """The report on the unsaved ``storage``; a failure is put beside the field at fault."""
    request = entry.request
    report = diagnose(storage, settings.HOST or f"{request.scheme}://{request.get_host()}")
    failed = next((probe for probe in report["probes"] if probe["ok"] is False), None)
    report["prefix"] = getattr(storage, "prefix", "") or ""
    if failed and (field := failed["field"] or _place(entry, failed, shown)):
        entry.blame({field: [failed["message"]]}, shown)
    return report


def _place(entry: Entry, failed: dict[str, Any], shown: list[str]) -> str:
    """The setting on this page that a failure is about which the API tells without one, "" if it may be any.

    Rejected credentials: the last secret that was entered. A place that is not there: the one setting that names it.
    """
    fields = [one for row in entry.rows(shown) for one in row if one.shown]
    if failed["code"] == "bad_credentials":
        return next((one.name for one in reversed(fields) if one.secret and one.kept), "")
    absent = failed["code"] == "not_found" or (failed["verb"], failed["code"]) == ("connect", "misconfigured")
    names = [one.name for one in fields if one.name in entry.backend.location and one.name not in entry.model.secret_bound]
    return names[0] if absent and len(names) == 1 else ""


def report_words(entry: Entry, report: dict[str, Any] | None) -> dict[str, Any] | None:
    """Template context for a stored report."""
    say = partial(in_labels, model=entry.model)
    if report is None:
        return None
    probes = [
        ProbeWords(
            VERBS.get(one["verb"], one["verb"]), *ICONS[one["ok"]], one["seconds"], say(one["message"] or ""), one["grant"] or ""
        )
        for one in report["probes"]
    ]
    pasted = {name: _text(report[name]) for name in ("policy", "cors") if report[name]}
    granting = any(probe.grant for probe in probes)
    return {
        "ok": report["ok"],
        "probes": probes,
        "granting": granting,
        "warnings": [say(one["message"]) for one in report["warnings"]],
        **pasted,
    }


def listing_refused(report: dict[str, Any] | None) -> bool:
    """Whether the container as a whole may not be listed, though perhaps a folder of it."""
    return any(
        one["verb"] == "list" and one["code"] in ("no_permission", "not_found") for one in (report or {}).get("probes", ())
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
