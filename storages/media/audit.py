"""One line of JSON for each read of media, if MEDIA_AUDIT_LOG names where to; never a signed URL or a credential."""

import json
import logging
from datetime import UTC, datetime

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from storages.media.resolve import Source

log = logging.getLogger(__name__)


def record(request: HttpRequest, response: HttpResponseBase, source: Source, key: str, user: int, task: int | None) -> None:
    """Notes who was given which object, how; before the first byte is sent, so that a broken-off read is noted too."""
    if not log.isEnabledFor(logging.INFO):
        return
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "user": user,
        "project": source.storage.project_id,
        "task": task,
        "storage": source.storage.pk,
        "type": source.storage.type,
        "uri": source.client.uri(key),
        "method": request.method,
        "range": request.headers.get("Range"),
        "status": response.status_code,
        "by": "redirect" if response.status_code == 303 else "nginx" if "X-Accel-Redirect" in response else "proxy",
        "address": request.META.get("REMOTE_ADDR"),
        "forwarded_for": request.headers.get("X-Forwarded-For"),
    }
    log.info(json.dumps(line))
