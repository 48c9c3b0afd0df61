"""The two ways a project's settings are written, for the API and the pages alike."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction

from projects import signals
from projects.models import Project
from projects.serializers import ProjectSerializer
from users.models import User


def create(data: Mapping[str, Any], user: User) -> Project:
    """A new project of the organization that ``user`` works in. Raises ValidationError by field."""
    serializer = ProjectSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    title = serializer.validated_data.get("title") or "New Project"
    return serializer.save(title=title, organization_id=user.active_organization_id, created_by=user)


def change(project: Project, data: Mapping[str, Any]) -> None:
    """Writes the given settings only: the counters move under other writers' hands. Raises ValidationError by field."""
    serializer = ProjectSerializer(project, data=data, partial=True)
    serializer.is_valid(raise_exception=True)
    if changes := serializer.validated_data:
        with transaction.atomic():
            _write(project, changes)


def _write(project: Project, changes: Mapping[str, Any]) -> None:
    for column, value in changes.items():
        setattr(project, column, value)
    project.save(update_fields=[*changes, "updated_at"])
    if "maximum_annotations" in changes:
        transaction.on_commit(partial(signals.overlap_changed.send, Project, project_id=project.pk))
