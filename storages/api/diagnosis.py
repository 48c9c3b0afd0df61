"""The answer of the permission doctor as JSON: every probe, what to paste at the provider, what to mind."""

from typing import Any

from rest_framework import serializers

from storages import budget, doctor
from storages.api.errors import describe
from storages.base import Storage


class ProbeResult(serializers.Serializer):
    """One verb; ``ok`` is null where it was not tried because an earlier one failed."""

    verb = serializers.CharField(help_text="connect, list, read, sign, write or delete")
    ok = serializers.BooleanField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    code = serializers.CharField(allow_null=True, help_text="class of the failure")
    message = serializers.CharField(allow_null=True, help_text="what failed, where, and what to do")
    field = serializers.CharField(allow_null=True, help_text="the setting at fault")
    grant = serializers.CharField(allow_null=True, help_text="the permission to give")


class Warning(serializers.Serializer):
    """Something that will not work although every probe passed."""

    code = serializers.CharField()
    message = serializers.CharField()


class Diagnosis(serializers.Serializer):
    """The whole answer."""

    ok = serializers.BooleanField()
    probes = ProbeResult(many=True)
    policy = serializers.JSONField(allow_null=True, help_text="least permissions in the provider's own form")
    cors = serializers.JSONField(allow_null=True, help_text="CORS rule in the provider's own form; null where none is needed")
    warnings = Warning(many=True)


def diagnose(storage: Storage, origin: str) -> dict[str, Any]:
    """Runs the doctor on ``storage``; ``origin``: scheme and host of the pages that will load its media."""
    verbs = storage.verbs()
    with budget.limited(doctor.SECONDS):
        report = storage.examine()
        prescription = doctor.prescribe(report, verbs, origin)
    if report.client is not None and not report.client.capabilities.presign:
        verbs = verbs - {"sign"}
    tried = {probe.verb for probe in report.probes}
    probes = [_told(probe) for probe in report.probes]
    if report.error is not None:
        probes += [_untried(verb) for verb in doctor.ORDER if verb in verbs - tried]
    return {"ok": report.error is None, "probes": probes} | prescription


def _told(probe: doctor.Probe) -> dict[str, Any]:
    error = probe.error
    about = describe(error) if error else dict.fromkeys(("code", "field", "grant"))
    return about | {
        "verb": probe.verb,
        "ok": error is None,
        "seconds": probe.seconds,
        "message": str(error) if error else None,
    }


def _untried(verb: str) -> dict[str, Any]:
    return {"verb": verb, "ok": None} | dict.fromkeys(("seconds", "code", "message", "field", "grant"))
