"""A draft on its way through the wizard: what is entered, what the serializer says of it, and the storage it would become."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from projects.models import Project
from storages.api.forms import label_of
from storages.backends import BACKENDS
from storages.base import Backend, Storage
from storages.drafts import StorageDraft
from storages.fields import SecretField, secret_names
from storages.pages.access import SOURCE, model_of, side_of
from storages.pages.form_fields import FormField, form_rows, unused_fields
from storages.pages.wizard import steps
from storages.pages.wizard.posted import is_ticked, read_values
from storages.pages.words import in_labels
from storages.serializers import StorageSerializer

Errors = dict[str, list[str]]
TOP = "non_field_errors"


@dataclass
class Entry:
    """One draft of the signed-in user. ``stored``: the storage that it changes, None for a new one."""

    request: HttpRequest
    project: Project
    draft: StorageDraft
    stored: Storage | None
    errors: Errors = field(default_factory=dict)

    @property
    def backend(self) -> Backend:
        return BACKENDS[self.draft.type]

    @property
    def side(self) -> str:
        return side_of(self.draft.direction)

    @property
    def model(self) -> type[Storage]:
        return model_of(self.backend, self.side)

    @property
    def base(self) -> str:
        """What the paths of the draft's pages begin with."""
        return f"/projects/{self.project.pk}/settings/storage/drafts/{self.draft.pk}/"

    @property
    def chooser(self) -> str:
        """The path of the first step, which a new draft can come back to."""
        return f"/projects/{self.project.pk}/settings/storage/{self.side}/new?draft={self.draft.pk}"

    def path_of(self, step: str) -> str:
        """Where the page of ``step`` is."""
        return self.chooser if step == steps.PROVIDER else self.base + step

    @cached_property
    def secrets(self) -> Collection[str]:
        return secret_names(self.model)

    @property
    def values(self) -> dict[str, Any]:
        """What the form shows: the stored settings under what was entered; no secrets."""
        columns = () if self.stored is None else self.stored._meta.concrete_fields
        stored = {one.name: getattr(self.stored, one.attname) for one in columns if not isinstance(one, SecretField)}
        return {name: value for name, value in (stored | self.draft.values).items() if name not in self.secrets}

    def take(self, names: Collection[str]) -> None:
        """Keeps what the request's form holds of these settings, right or wrong; an empty secret keeps the one before."""
        self._take_back(names)
        shown, entered = self.values, self.draft.values
        posted = read_values(self.request.POST, self.model, names)
        if self.stored is not None:  # what is as it was is not to be written
            same = {name for name, value in posted.items() if name in shown and str(value or "") == str(shown[name] or "")}
            posted = {name: value for name, value in posted.items() if name in entered or name not in same}
        self.draft.enter(posted)

    def rows(self, names: Collection[str]) -> list[list[FormField]]:
        entered = {name: value for name, value in self.draft.values.items() if name in self.secrets}
        told = {
            "errors": self.errors,
            "stored": self.stored,
            "kept": [name for name, value in entered.items() if value],
            "cleared": [name for name, value in entered.items() if not value],
        }
        return form_rows(self.backend, self.side, self.values, only=set(names), **told)

    def _take_back(self, names: Collection[str]) -> None:
        """Secrets that were to be removed and are not ticked any more stay what they are."""
        before, post = self.draft.values, self.request.POST
        undone = {one for one in names if one in self.secrets and one in before and not before[one] and not is_ticked(post, one)}
        if undone:
            self.draft.entered = json.dumps({name: value for name, value in before.items() if name not in undone})
            self.draft.report = None

    def serializer(self, names: Collection[str], *, check: bool) -> StorageSerializer:
        """Holds the entered settings ``names`` against the rules of the API."""
        kind = self.backend.import_serializer if self.side == SOURCE else self.backend.export_serializer
        erased = unused_fields(self.backend, self.side, self.values) & set(self.backend.shown_if)
        context = {"request": self.request, "check": check, "erased": erased}
        return kind(self.stored, data=self._data(names), partial=self.stored is not None, context=context)

    def judge(self, names: Collection[str], shown: Collection[str]) -> Storage | None:
        """The unsaved storage of these settings; None, and ``errors`` of ``shown`` filled, if they cannot be used."""
        serializer = self.serializer(names, check=False)
        valid = serializer.is_valid()
        self.blame(serializer.errors, shown)
        filled = self.values
        for row in self.rows(shown):
            for one in row:
                if one.required and one.shown and str(filled.get(one.name, one.value) or "").strip() == "":
                    self.errors.setdefault(one.name, ["Enter a value."])
        if not valid and not self.errors:  # of a step to come, where they wait
            self.errors[TOP] = [f"{name}: {text}" for name, texts in serializer.errors.items() for text in texts]
        return None if self.errors else self.built(serializer)

    def blame(self, found: dict[str, Any], shown: Collection[str]) -> None:
        """Notes messages of the API beside the fields that are seen; those of steps to come are left for these."""
        hidden = unused_fields(self.backend, self.side, self.values)
        later = set(steps.up_to(self.backend, self.side, steps.REVIEW)) - set(shown)
        for name, texts in found.items():
            if name not in later:
                place = name if name in shown and name not in hidden else TOP
                about = f"{label_of(self.model._meta.get_field(name))}: " if name in hidden else ""
                said = texts if isinstance(texts, list) else [texts]
                self.errors.setdefault(place, []).extend(f"{about}{in_labels(str(text), self.model)}" for text in said)

    def built(self, serializer: StorageSerializer) -> Storage:
        """The storage as the valid serializer would save it."""
        storage = serializer.merged(serializer.validated_data)
        storage.type = self.backend.name
        return storage

    def _data(self, names: Collection[str]) -> dict[str, Any]:
        """What to send: fields that are not shown with the chosen values are left out."""
        sent = set(names) - unused_fields(self.backend, self.side, self.values)
        return {name: value for name, value in self.draft.values.items() if name in sent} | {"project": self.project.pk}

    def context(self, step: str, **more: Any) -> dict[str, Any]:
        """What every step's template needs."""
        return {
            "project": self.project, "section": "storage", "entry": self, "step": step, "title": steps.TITLES[step],
            "steps": steps.marks(self.side, step, reachable(self)), "top_errors": self.errors.get(TOP, ()),
            "editing": self.stored is not None, "is_source": self.side == SOURCE,
        } | more  # fmt: skip


def reachable(entry: Entry) -> set[str]:
    """The steps that can be opened: all of a stored storage, of a new one those behind a connection that works."""
    flow = steps.FLOWS[entry.side]
    if entry.stored is not None:
        return set(flow) - {steps.PROVIDER}
    return set(flow) if entry.draft.verified else {steps.PROVIDER, steps.CONNECTION}
