"""Settings of a storage that somebody is entering step by step; nothing of them counts until they are saved."""

import json
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from projects.models import Project
from storages.fields import SecretField

KEPT = timedelta(days=7)
# what has no part in the connection: the check's answer is the same whatever they are. A source's prefix is asked for after
# the connection; the report says which one was tried
UNTESTED = {"title", "presign_ttl", "use_blob_urls", "regex_filter", "recursive_scan", "object_form", "key_template"}


class StorageDraft(models.Model):
    """What was entered so far for a new storage, or what shall change in ``storage_id``; seen by its user alone.

    ``entered`` is JSON of field names and values, secrets too, and so encrypted as a whole. ``report`` is what the
    connection check said of exactly these values, or null.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    direction = models.CharField(max_length=6)  # import or export
    type = models.CharField(max_length=32)
    storage_id = models.BigIntegerField(null=True, default=None)
    entered = SecretField(default="{}")
    report = models.JSONField(null=True, default=None)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    @property
    def values(self) -> dict[str, Any]:
        return json.loads(self.entered or "{}")

    @property
    def verified(self) -> bool:
        """Whether the connection was checked as it is entered now, and works."""
        return bool(self.report and self.report["ok"])

    def enter(self, values: dict[str, Any]) -> None:
        """Keeps ``values`` beside the others, and forgets the check if the connection may have become another one."""
        before = self.values
        changed = {name for name, value in values.items() if name not in before or before[name] != value}
        if changed - UNTESTED - ({"prefix"} if self.direction == "import" else set()):
            self.report = None
        self.entered = json.dumps(before | values)
        self.save(update_fields=["entered", "report", "updated_at"])

    def keep(self, report: dict[str, Any]) -> None:
        """Keeps what the check said of the values as they are, unless they were changed in the meantime."""
        same = StorageDraft.objects.filter(pk=self.pk, updated_at=self.updated_at)
        if same.update(report=report):
            self.report = report


def tidy() -> None:
    """Deletes drafts that nobody has touched for a week."""
    StorageDraft.objects.filter(updated_at__lt=timezone.now() - KEPT).delete()
