"""What all storages have in common: the two parent models, and the declaration that makes a backend."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from django.core.validators import MaxValueValidator
from django.db import models

from projects.models import Project
from storages import doctor
from storages.checks import folder
from storages.client import Client
from storages.fields import SecretField
from storages.policies import SyncPolicies
from storages.schedules import Scheduled
from storages.webhooks import Notified


def new_revision() -> int:
    """A number that no other state of a storage's settings has; sums of a million of them fit into 64 bits."""
    return secrets.randbits(43)


class StorageQuerySet(models.QuerySet):
    """Storages of every backend in one query."""

    def with_backend(self) -> Self:
        """Loads each row's own columns and newest run too, so that ``concrete()`` and ``run`` cost no query."""
        children = [relation.get_accessor_name() for relation in child_relations(self.model)]
        return self.select_related("run", *children)


class Storage(Scheduled, Notified):
    """A connection of one project to a container of some backend. API field names are the column names."""

    backend_name: ClassVar[str] = ""
    # columns that decide where a stored secret is sent; changing one needs the secret again (see serializers)
    secret_bound: ClassVar[tuple[str, ...]] = ()

    type = models.CharField(max_length=32, editable=False)
    revision = models.BigIntegerField(default=new_revision, editable=False)  # another one after each change of the settings
    title = models.CharField("Storage Title", max_length=256, null=True, blank=True, help_text="Cloud storage title")
    description = models.TextField(null=True, blank=True, help_text="Cloud storage description")
    created_at = models.DateTimeField(auto_now_add=True, help_text="Creation time")
    synchronizable = models.BooleanField(default=True)
    regex_filter = models.TextField(
        "File Name Filter",
        null=True,
        blank=True,
        help_text="Regular expression an object's key must match from its start; empty: every object",
    )
    use_blob_urls = models.BooleanField(
        "Import method", default=False, help_text="True: one task per object; false: objects hold task JSON"
    )

    class Meta:
        abstract = True
        ordering = ["id"]

    def save(self, *args: object, **kwargs: object) -> None:
        self.type = self.type or self.backend_name
        if kwargs.get("update_fields") is None:
            self.revision = new_revision()
        super().save(*args, **kwargs)

    def concrete(self) -> "Storage":
        """This storage with its backend's own columns; free after ``with_backend()``, else one query."""
        if self.backend_name:
            return self
        relation = next(r for r in child_relations(type(self)) if r.related_model.backend_name == self.type)
        child = getattr(self, relation.get_accessor_name())
        child.run = self.run
        return child

    def client(self) -> Client:
        """A client for this storage's settings; no network yet. Raises ConfigInvalid."""
        raise NotImplementedError

    def examine(self) -> doctor.Report:
        """Tries every verb that this storage will need."""
        return doctor.examine(self.client, self.verbs())

    def verify(self) -> None:
        """Tries the connection with these settings. Raises the StorageError of the first verb that fails."""
        if error := self.examine().error:
            raise error

    def reach(self) -> None:
        """The quick check before a sync: may the container be listed? Raises StorageError."""
        if error := doctor.examine(self.client, {"list"}).error:
            raise error

    def verbs(self) -> set[str]:
        """What the connection check tries."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.type} {type(self).__name__} {self.pk}"


class ImportStorage(Storage, SyncPolicies):
    """A source: its objects become tasks."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="import_storages")
    run = models.ForeignKey("storages.ImportRun", null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    presign_problem = models.TextField(default="", editable=False, help_text="Why media is not served by signed URLs at present")
    objects = StorageQuerySet.as_manager()

    def verbs(self) -> set[str]:
        return {"list", "read", "sign"} if getattr(self, "presign", False) else {"list", "read"}

    @property
    def recursive(self) -> bool:
        return bool(getattr(self, "recursive_scan", True))

    def scope(self) -> str:
        """A digest of the settings that decide which objects a sync looks at and what they become; no secret is in it."""
        columns = [field for field in self._meta.local_concrete_fields if not isinstance(field, SecretField)]
        own = {field.name: str(getattr(self, field.attname)) for field in columns if not field.name.startswith("presign")}
        settings = own | {"regex_filter": self.regex_filter or "", "use_blob_urls": self.use_blob_urls}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class ExportStorage(Storage):
    """A target: annotations are written to it as JSON.

    Without a project it is closing: its project was deleted, and only deletions are left to carry out (see outbox).
    """

    class ObjectForm(models.TextChoices):
        """What one object holds; by default as the server's setting FUTURE_SAVE_TASK_TO_STORAGE says."""

        DEFAULT = "", "as the server is set"
        ANNOTATION = "annotation", "one annotation with its task"
        TASK = "task", "one task with all its annotations"

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="export_storages")
    former_project = models.BigIntegerField(null=True, default=None, editable=False, help_text="id of the deleted project")
    run = models.ForeignKey("storages.ExportRun", null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    can_delete_objects = models.BooleanField(
        "Can delete objects from storage", null=True, default=None, help_text="Deletion from storage enabled"
    )
    object_form = models.CharField(
        "One object per", max_length=10, choices=ObjectForm.choices, default="", blank=True, help_text="annotation or task"
    )
    key_template = models.CharField(
        "Object name",
        max_length=512,
        default="",
        blank=True,
        help_text="Key below the prefix, e.g. {date}/{storage_filename}-{annotation_id}.json; empty: Label Studio's names",
    )
    # after failures of all of its objects: how many times in a row, and until when nobody tries again (see outbox)
    rests = models.PositiveSmallIntegerField(default=0, editable=False)
    resting_until = models.DateTimeField(null=True, default=None, editable=False)
    objects = StorageQuerySet.as_manager()

    def verbs(self) -> set[str]:
        return {"list", "write", "delete"} if self.can_delete_objects else {"list", "write"}


class Prefixed(models.Model):
    """Columns of backends whose keys live under an optional prefix."""

    prefix = models.TextField("Bucket Prefix", null=True, blank=True, help_text="Folder inside the container; empty: all of it")

    class Meta:
        abstract = True

    @property
    def root(self) -> str:
        """The prefix as a folder: "" or text ending in one "/"; ``${project_id}`` stands for the project's id.

        Raises ConfigInvalid.
        """
        project = self.project_id or getattr(self, "former_project", None)
        name = (self.prefix or "").strip("/").replace("${project_id}", str(project))
        return folder(f"{name}/" if name else "")


class Scanned(models.Model):
    """Columns of sources that have folders."""

    recursive_scan = models.BooleanField("Scan all sub-folders", default=False, help_text="Look into sub-folders too")

    class Meta:
        abstract = True


class Presigned(models.Model):
    """Columns of sources that can sign URLs for browsers."""

    presign = models.BooleanField(
        "Use pre-signed URLs (On) / Proxy through the platform (Off)",
        default=True,
        help_text="True: redirect browsers to a signed URL; false: proxy the bytes",
    )
    presign_ttl = models.PositiveSmallIntegerField(
        "Expire pre-signed URLs (minutes)",
        default=1,
        validators=[MaxValueValidator(32767)],
        help_text="Life of a signed URL, minutes",
    )

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Backend:
    """The declaration of a backend: everything else (routes, forms, OpenAPI, proxy, jobs) is derived from it."""

    name: str  # URL segment, ``type`` in the API, file name
    title: str
    import_model: type[ImportStorage]
    export_model: type[ExportStorage]
    import_serializer: type
    export_serializer: type
    scheme: str = ""  # of the URIs in task data; "" if objects are never resolved from a URI
    import_form: tuple[tuple[str, ...], ...] = ()  # rows of field names, "*" marks a required one
    export_form: tuple[tuple[str, ...], ...] = ()
    # for people who choose and connect it on the pages:
    icon: str = "cloud"  # of heroicons
    needs: str = ""  # one sentence: what to have at hand
    location: tuple[str, ...] = ()  # columns that say where the objects are
    shown_if: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # field: (other field, its values)


def child_relations(parent: type[Storage]) -> list[models.OneToOneRel]:
    """The one-to-one links from a parent model to its backends' models."""
    return [r for r in parent._meta.related_objects if r.one_to_one and getattr(r.field.remote_field, "parent_link", False)]
