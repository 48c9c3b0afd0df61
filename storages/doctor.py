"""The permission doctor: tries what a storage will be asked to do, verb after verb, and says what to change.

No retries, and 15 s in total (protocols.md §6): SDK defaults take 85 to 120 s to notice a dead host.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from storages import budget
from storages.client import Client
from storages.errors import AccessDenied, StorageError, TimedOut

SECONDS = 15
ORDER = ("list", "read", "sign", "write", "delete")


@dataclass(frozen=True)
class Probe:
    """One verb that was tried; ``error`` is None if it worked. ``seconds`` it took."""

    verb: str
    error: StorageError | None = None
    seconds: float = 0.0


@dataclass
class Report:
    """What was tried, up to the first failure; ``client`` is None if the settings do not even make a connection."""

    client: Client | None = None
    probes: list[Probe] = field(default_factory=list)

    @property
    def error(self) -> StorageError | None:
        return next((probe.error for probe in self.probes if probe.error), None)


def examine(connect: Callable[[], Client], verbs: Collection[str], *, seconds: float = SECONDS) -> Report:
    """Tries ``verbs`` on a client made by ``connect`` and stops at the first failure; never raises a StorageError."""
    report = Report()
    with budget.limited(seconds) as limit:
        try:
            report.client = connect()
        except StorageError as error:
            error.verb = error.verb or "connect"
            report.probes.append(Probe("connect", error))
            return report
        for verb, attempt in report.client.probes(verbs):
            began = time.monotonic()
            error = _tried(attempt, verb, limit)
            if isinstance(error, AccessDenied):
                error.grant = error.grant or report.client.grant(verb)
            report.probes.append(Probe(verb, error, round(time.monotonic() - began, 3)))
            if error is not None:
                break
    return report


def _tried(attempt: Callable[[], object], verb: str, limit: budget.Budget) -> StorageError | None:
    """Runs one attempt; a connection that was broken off because the time is up counts as a time-out."""
    try:
        attempt()
    except StorageError as failure:
        error = failure
        if limit.spent:  # whatever it looks like from here: the connection was broken off
            error = TimedOut(f"no answer within {limit.seconds:.0f} s while trying to {verb}; check host and firewall")
        error.verb = error.verb or verb
        return error
    return None


def prescribe(report: Report, verbs: Collection[str], origin: str) -> dict[str, Any]:
    """``{"policy", "cors", "warnings"}``: what to paste at the provider, and what will not work though the probes passed."""
    client = report.client
    if client is None:
        return {"policy": None, "cors": None, "warnings": []}
    signs = "sign" in verbs and client.capabilities.presign
    warnings = []
    if signs and report.error is None and _allows(client, origin) is False:
        warnings.append({
            "code": "cors_missing",
            "message": f"{client.service} does not let pages of {origin} read signed URLs: images may show, but audio, video and "
            "documents that a script loads will not. Add the CORS rule given under \"cors\".",
        })  # fmt: skip
    return {"policy": client.policy(verbs), "cors": client.cors_rule(origin) if signs else None, "warnings": warnings}


def _allows(client: Client, origin: str) -> bool | None:
    try:
        return client.allows_origin(origin, client.probe_key)
    except StorageError:
        return None
