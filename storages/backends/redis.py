"""Redis databases whose string values are tasks, or to which annotations are written: settings and checks."""

from django.core.validators import MaxValueValidator
from django.db import models

from storages import errors
from storages.base import Backend, ExportStorage, ImportStorage
from storages.fields import SecretField
from storages.providers.redis.client import RedisClient
from storages.providers.redis.protocol import parse_address
from storages.serializers import StorageSerializer, TargetSerializer

DATABASES = MaxValueValidator(32767)


class RedisColumns(models.Model):
    """The columns of Redis in both directions."""

    host = models.TextField(
        "Host", null=True, blank=True, help_text="Host name; rediss://name for TLS, rediss://user@name for an ACL user"
    )
    port = models.TextField("Port", null=True, blank=True, help_text="Server port; empty: 6379")
    password = SecretField("Password", null=True, blank=True, help_text="Server password")

    backend_name = "redis"
    secret_bound = ("host", "port")

    class Meta:
        abstract = True

    @property
    def root(self) -> str:
        """What our keys begin with, as it was entered; ``${project_id}`` stands for the project's id."""
        return (self.path or "").replace("${project_id}", str(self.project_id or getattr(self, "former_project", None)))

    def client(self) -> RedisClient:
        """Raises ConfigInvalid naming the field."""
        address = parse_address((self.host or "").strip(), (self.port or "").strip())
        if not 1 <= self.db <= DATABASES.limit_value:
            raise errors.ConfigInvalid("give a database number from 1 on; database 0 is left to other programs", field="db")
        return RedisClient(address, self.password or "", self.db, self.root)


class RedisImportStorage(RedisColumns, ImportStorage):
    """A database whose string values hold tasks."""

    path = models.TextField("Path to Files", null=True, blank=True, help_text="What the keys begin with; empty: every key")
    db = models.PositiveSmallIntegerField("Database Number", default=1, validators=[DATABASES], help_text="Server database")

    def client(self) -> RedisClient:
        if self.use_blob_urls:
            raise errors.ConfigInvalid(
                'values of Redis have no URL that a browser could open; use the import method "Tasks" (false), with JSON values',
                field="use_blob_urls",
            )
        return super().client()


class RedisExportStorage(RedisColumns, ExportStorage):
    """A database that annotations are written to."""

    path = models.TextField("Bucket Prefix", null=True, blank=True, help_text="What the keys shall begin with")
    db = models.PositiveSmallIntegerField("Database Number", default=2, validators=[DATABASES], help_text="Server database")

    @property
    def root(self) -> str:
        """Set off from the names behind it, so that "out1" + "23" and "out" + "123" are different keys."""
        root = super().root
        return f"{root}/" if root[-1:].isalnum() else root


class RedisImportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = RedisImportStorage


class RedisExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = RedisExportStorage


CONNECTION = ("db", "path", "password", "host", "port")
BACKEND = Backend(
    name="redis",
    title="Redis",
    icon="bolt",
    needs="Host, port and database number, the password if there is one, and the path that the keys begin with.",
    location=("host", "port", "path"),
    import_model=RedisImportStorage,
    export_model=RedisExportStorage,
    import_serializer=RedisImportSerializer,
    export_serializer=RedisExportSerializer,
    import_form=(("title*",), CONNECTION, ("regex_filter",), ("use_blob_urls*",)),
    export_form=(("title*",), CONNECTION, ("can_delete_objects",)),
)
