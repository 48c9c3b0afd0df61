"""Base serializers of all backends: secrets in but never out, PATCH merged with what is stored, connection checked.

A backend's own serializer only names its model; everything here is derived from the model's columns.
"""

import copy
from typing import Any

from django.db import transaction
from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from projects.access import key_of, visible_projects
from projects.models import Project
from storages import keys, names, outbox, places, schedules, status, webhooks
from storages.api.errors import to_validation_error
from storages.api.forms import label_of
from storages.base import Storage, new_revision
from storages.errors import ConfigInvalid, EgressDenied, StorageError
from storages.fields import SecretField, secret_names
from storages.sync.patterns import compiled

STATUSES = [choice for choice in status.State.choices if choice[0] != status.State.CANCELLED]  # Label Studio's
SCHEDULE = {"sync_schedule", "sync_timezone"}


class VisibleProject(serializers.PrimaryKeyRelatedField):
    """A project of the caller's organization; any other counts as absent."""

    def get_queryset(self) -> Any:
        return visible_projects(self.context["request"].user) if "request" in self.context else Project.objects.none()

    def to_internal_value(self, data: Any) -> Project:
        if isinstance(data, float):  # 1.5 is no id, and 1e400 no number at all
            self.fail("incorrect_type", data_type="float")
        return super().to_internal_value(key_of(data) if isinstance(data, str) and data.isdigit() else data)


class StorageSerializer(serializers.ModelSerializer):
    """Label Studio's fields of a storage. Server-managed ones are derived from the newest run and ignored on input."""

    type = serializers.CharField(read_only=True)
    project = VisibleProject()
    last_sync = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Last sync finished time")
    last_sync_count = serializers.IntegerField(read_only=True, allow_null=True, help_text="Count of tasks synced last time")
    last_sync_job = serializers.CharField(read_only=True, allow_null=True, help_text="Last sync job ID")
    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    traceback = serializers.CharField(read_only=True, allow_null=True, help_text="What went wrong in the last sync, in words")
    meta = serializers.DictField(read_only=True, help_text="Times and counters of the last sync")
    last_run = serializers.IntegerField(source="run_id", read_only=True, allow_null=True, help_text="The newest of its runs")

    class Meta:
        exclude = ("run", "revision")

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[type, dict]:
        field_class, options = super().build_standard_field(field_name, model_field)
        if isinstance(model_field, SecretField):
            options.update(write_only=True, trim_whitespace=True, style={"input_type": "password"})
        return field_class, options

    def get_extra_kwargs(self) -> dict:
        return {name: dict(options) for name, options in getattr(self.Meta, "extra_kwargs", {}).items()}

    def to_representation(self, storage: Storage) -> dict[str, Any]:
        for name, value in status.summary(storage).items():
            setattr(storage, name, value)
        return super().to_representation(storage)

    def validate_regex_filter(self, value: str | None) -> str | None:
        try:
            compiled(value or "")
        except ConfigInvalid as error:
            raise ValidationError(str(error)) from error
        return value

    def validate_webhook_url(self, value: str | None) -> str | None:
        try:
            webhooks.check(value or "")
        except EgressDenied as error:
            raise to_validation_error(error) from error
        except ConfigInvalid as error:
            raise ValidationError(str(error)) from error
        return value

    def validate_project(self, project: Project) -> Project:
        if self.instance and self.instance.pk and self.instance.project_id != project.pk:
            raise ValidationError("a storage cannot be moved to another project; create it there instead")
        return project

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Keeps stored secrets, then checks the merged settings and the connection (unless ``check`` is False).

        Context ``erased``: names of settings that the chosen way to sign in has no use for; what is stored of them goes.
        """
        secrets = secret_names(self.Meta.model)
        stored = self.instance
        if stored is not None:
            attributes = {k: v for k, v in attributes.items() if not (k in secrets and v == "")}
            attributes |= self._emptied(stored)
            self._refuse_redirected_secret(stored, attributes, secrets)
        if SCHEDULE & set(attributes):
            self._check_schedule(self.merged(attributes))
        if self.context.get("check", True):
            self.check_connection(self.merged(attributes))
        return attributes

    def create(self, attributes: dict[str, Any]) -> Storage:
        with transaction.atomic():
            storage = super().create(attributes)
            if storage.sync_schedule:
                schedules.plan_next(storage)
        return storage

    def update(self, storage: Storage, attributes: dict[str, Any]) -> Storage:
        """Writes what was sent and nothing else: a sync or a key rotation may have changed the row meanwhile."""
        before = schedules.settings_of(storage)
        with transaction.atomic():
            changes = attributes | {"revision": new_revision()}
            changes |= {"presign_problem": ""} if hasattr(storage, "presign_problem") else {}  # of what was set before
            if attributes and not type(storage).objects.filter(pk=storage.pk).update(**changes):
                raise Http404("The storage was deleted meanwhile.")
            for name, value in changes.items():
                setattr(storage, name, value)
            if schedules.settings_of(storage) != before:
                schedules.plan_next(storage)
        return storage

    def merged(self, attributes: dict[str, Any]) -> Storage:
        """An unsaved storage with the stored settings overlaid by ``attributes``."""
        storage = self.Meta.model()
        if self.instance is not None:
            for field in self.Meta.model._meta.concrete_fields:
                setattr(storage, field.attname, getattr(self.instance, field.attname))
        for name, value in attributes.items():
            setattr(storage, name, value)
        return storage

    def _emptied(self, stored: Storage) -> dict[str, Any]:
        columns = [self.Meta.model._meta.get_field(name) for name in self.context.get("erased", ()) if getattr(stored, name)]
        return {column.name: None if column.null else "" for column in columns}

    def _check_schedule(self, storage: Storage) -> None:
        try:
            schedules.check(storage.sync_schedule, storage.sync_timezone)
        except ConfigInvalid as error:
            raise ValidationError({error.field: [str(error)]}) from error

    def _refuse_redirected_secret(self, stored: Storage, attributes: dict[str, Any], secrets: list[str]) -> None:
        """A stored secret must not be sent to a host its owner did not enter it for; that of webhooks is never sent."""
        secrets = [name for name in secrets if name not in secret_names(webhooks.Notified)]
        changed = [n for n in stored.secret_bound if n in attributes and (attributes[n] or "") != (getattr(stored, n) or "")]
        kept = [name for name in secrets if getattr(stored, name) and name not in attributes]
        if changed and kept:
            on_page = "erased" in self.context  # where people see labels, and the message beside each field that it is about
            told = {name: label_of(stored._meta.get_field(name)) if on_page else name for name in (*kept, *changed)}
            where = ", ".join(told[name] for name in changed)
            message = f"enter the credentials ({', '.join(told[name] for name in kept)}) again when changing {where}"
            again = {name: [f"enter this again when changing {where}"] for name in kept} if on_page else {}
            raise ValidationError({name: [message] for name in changed} | again)

    def check_connection(self, storage: Storage) -> None:
        """Raises the 400 that names what is wrong with the connection."""
        try:
            storage.verify()
        except StorageError as error:
            raise to_validation_error(error) from error


class TargetSerializer(StorageSerializer):
    """Of targets: what their objects are called and hold, and that no other target's are called alike."""

    class Meta:
        exclude = (*StorageSerializer.Meta.exclude, "former_project", "rests", "resting_until")

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        try:
            names.check(self.merged(attributes))
        except ConfigInvalid as error:
            raise ValidationError({error.field or "key_template": [str(error)]}) from error
        attributes = super().validate(attributes)
        self._refuse_rival(attributes)
        return attributes

    def create(self, attributes: dict[str, Any]) -> Storage:
        with transaction.atomic():
            places.one_at_a_time()
            self._refuse_rival(attributes)
            return super().create(attributes)

    def update(self, storage: Storage, attributes: dict[str, Any]) -> Storage:
        with transaction.atomic():
            places.one_at_a_time()
            self._refuse_rival(attributes)
            before = copy.copy(storage)
            saved = super().update(storage, attributes)
            keys.settings_changed(before, saved)
            outbox.wake(saved.pk)
            return saved

    def _refuse_rival(self, attributes: dict[str, Any]) -> None:
        """A stored target may keep what it has; a new place, form or name must be its own."""
        own = {"object_form", "key_template", *(field.name for field in self.Meta.model._meta.local_fields)}
        stored = self.instance
        if stored is not None and all(attributes[n] == getattr(stored, n) for n in own & set(attributes)):
            return
        if (other := places.rival(self.merged(attributes))) is None:
            return
        user = self.context["request"].user if "request" in self.context else None
        seen = user is not None and visible_projects(user).filter(pk=other.project_id).exists()
        name = f'target {other.pk} "{other.title or ""}" of project {other.project_id}' if seen else "another target"
        message = f"{name} writes to this place too, and could overwrite these objects or be overwritten"
        raise ValidationError(
            {"key_template": [f"{message}; use another prefix, or put {{project_id}}/ before the names of both"]}
        )


class ScannedSerializer(StorageSerializer):
    """Of sources whose ``recursive_scan`` may be sent as null, which counts as false."""

    recursive_scan = serializers.BooleanField(required=False, allow_null=True)

    def validate_recursive_scan(self, value: bool | None) -> bool:
        return bool(value)
