"""The dry run over the API: the plan as JSON, and for each reason to leave an object out what to change."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from storages.api.errors import to_validation_error
from storages.api.views import BackendView
from storages.base import ImportStorage
from storages.errors import StorageError
from storages.plan import Kind, Plan, draw_up

WHY = {
    "regex": "the File Name Filter (regex_filter) does not match these names from their start; change it, or leave it empty",
    "regex_timeout": "the File Name Filter (regex_filter) takes too long on these names (nested repeats?); simplify it",
    "extension": 'files of this kind hold no tasks; to label the files themselves set the import method to "Files" '
    "(use_blob_urls=true), else leave them out with the file name filter",
    "folder_marker": "empty objects that stand for folders and hold nothing; there is nothing to change",
    "sub_folder": 'these lie below sub-folders; turn on "Scan all sub-folders" (recursive_scan=true) to look into them',
    "prefix": "these lie outside of the storage's prefix; correct the prefix if they are what you are looking for",
    "name": "the name is not valid Unicode text and cannot be stored; rename these objects",
    "own_export": "targets of this server wrote these; to import a snapshot, give a source the snapshot's folder as its prefix",
    "size": "these are larger than one task file may be; split them, or raise SYNC_MAX_OBJECT_MB on the server",
}


class _Kind(serializers.Serializer):
    count = serializers.IntegerField(allow_null=True, help_text="objects; null: a listing cannot tell")
    sample = serializers.ListField(child=serializers.CharField(), help_text="a few keys, or folders")


class _Ignored(_Kind):
    why = serializers.CharField(help_text="one sentence that says what to change")


class _IgnoredAll(serializers.Serializer):
    count = serializers.IntegerField(help_text="sum of the counts that are known")
    reasons = serializers.DictField(child=_Ignored(), help_text="any of " + ", ".join(WHY))


class _Vanished(_Kind):
    count = serializers.IntegerField()
    tasks = serializers.IntegerField(help_text="made from these objects")
    policy = serializers.CharField(help_text="vanished_policy of the storage")
    would = serializers.CharField(help_text="kept, flagged, deleted (but for annotated tasks) or blocked by the cap")


class _Requests(serializers.Serializer):
    listing = serializers.IntegerField()
    reads = serializers.IntegerField(help_text="of objects with tasks: at least one each")


class PlanShape(serializers.Serializer):
    """What a sync would do now; counts are of objects, a renamed one counts as new and as vanished."""

    complete = serializers.BooleanField(help_text="false: the time was up; the counts are of what was listed until then")
    listed = serializers.IntegerField(help_text="objects that pass the file name filter")
    new = _Kind()
    existing = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="since they were imported; see changed_policy")
    unfinished = serializers.IntegerField(help_text="failed or were read in part before, and are read again")
    vanished = _Vanished(allow_null=True, help_text="null: unknown, the listing was not complete")
    ignored = _IgnoredAll()
    requests = _Requests()


def plan(storage: ImportStorage) -> dict[str, Any]:
    """The JSON of a dry run (see PlanShape). Raises StorageError."""
    return present(draw_up(storage), storage)


def present(found: Plan, storage: ImportStorage) -> dict[str, Any]:
    """The same of a plan that was drawn up before."""
    gone = found.vanished
    reasons = {reason: _kind(kind) | {"why": WHY[reason]} for reason, kind in found.ignored.items()}
    return {
        **{name: getattr(found, name) for name in ("complete", "listed", "existing", "changed", "unfinished")},
        "new": _kind(found.new),
        "vanished": gone and _kind(gone) | {"tasks": gone.tasks, "policy": str(storage.vanished_policy), "would": gone.would},
        "ignored": {"count": sum(kind.count or 0 for kind in found.ignored.values()), "reasons": reasons},
        "requests": {"listing": found.listing, "reads": found.reads},
    }


def _kind(kind: Kind) -> dict[str, Any]:
    return {"count": kind.count, "sample": kind.sample}


class StoragePlan(BackendView):
    """Plan: what a sync would find and do, and why objects are left out. Nothing is written."""

    @extend_schema(request=None, responses={200: PlanShape})
    def post(self, request: Request, pk: int) -> Response:
        try:
            return Response(plan(self.storage(pk)))
        except StorageError as error:
            raise to_validation_error(error) from error
