"""Azure Blob Storage with the account's key: columns and declaration."""

import base64
import binascii
import re
from typing import Any

from django.conf import settings
from django.db import models

from storages import errors
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Presigned, Scanned
from storages.checks import required
from storages.fields import SecretField
from storages.providers.azure.client import KeyClient
from storages.serializers import ScannedSerializer, StorageSerializer, TargetSerializer

# https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name; it becomes part of a host name
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
# https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9](?:-?[a-z0-9])*|\$root|\$web")


class ContainerColumns(Prefixed):
    """The columns of a container, whoever signs in."""

    container = models.TextField("Container Name", null=True, blank=True, help_text="Azure blob container")

    class Meta:
        abstract = True

    def client(self) -> Any:
        """Raises ConfigInvalid naming the field, BadCredentials."""
        container = required((self.container or "").strip(), "container", "container")
        if not CONTAINER.fullmatch(container):
            message = "not a container name: 3 to 63 lower-case letters, digits and single hyphens"
            raise errors.ConfigInvalid(message, field="container")
        return self.connect(container)

    def connect(self, container: str) -> Any:
        """The client that uses the credentials of the other columns."""
        raise NotImplementedError


class AzureColumns(ContainerColumns):
    """The columns of Azure with a key, in both directions."""

    account_name = SecretField("Account Name", null=True, blank=True, help_text="Azure storage account name")
    account_key = SecretField("Account Key", null=True, blank=True, help_text="Azure storage account key")

    backend_name = "azure"
    secret_bound = ("account_name",)

    class Meta:
        abstract = True

    def connect(self, container: str) -> KeyClient:
        account, key = self._credentials()
        try:
            base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):  # text that is not ASCII
            raise errors.BadCredentials("an account key is base64 text; copy it again", field="account_key") from None
        return KeyClient(blob_endpoint(account), account, container, self.root, key)

    def _credentials(self) -> tuple[str, str]:
        account, key = (self.account_name or "").strip(), (self.account_key or "").strip()
        if bool(account) != bool(key):
            field = "account_key" if account else "account_name"
            raise errors.ConfigInvalid("account name and key belong together; one of them is missing", field=field)
        return (account, key) if account else server_account()


def blob_endpoint(account: str) -> str:
    """The URL of the account's blob service. Raises ConfigInvalid for a name that is none, and could lead elsewhere."""
    if not ACCOUNT.fullmatch(account):
        raise errors.ConfigInvalid("not an account name: 3 to 24 lower-case letters and digits", field="account_name")
    return settings.AZURE_BLOB_ENDPOINT_TEMPLATE.replace("{account}", account)


def server_account() -> tuple[str, str]:
    """Name and key of the server's own account. Raises BadCredentials when it has none or may not be used."""
    if not settings.ALLOW_AMBIENT_CREDENTIALS:
        raise errors.BadCredentials("enter account name and key; this server does not lend its own account")
    if not (settings.AZURE_BLOB_ACCOUNT_NAME and settings.AZURE_BLOB_ACCOUNT_KEY):
        raise errors.BadCredentials("enter account name and key; this server has no Azure account of its own")
    return settings.AZURE_BLOB_ACCOUNT_NAME, settings.AZURE_BLOB_ACCOUNT_KEY


class AzureImportStorage(AzureColumns, Scanned, Presigned, ImportStorage):
    """A container whose blobs become tasks."""


class AzureExportStorage(AzureColumns, ExportStorage):
    """A container that annotations are written to."""


class AzureImportSerializer(ScannedSerializer):
    class Meta(StorageSerializer.Meta):
        model = AzureImportStorage


class AzureExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = AzureExportStorage


PLACE, KEYS = (("title*",), ("container*", "prefix")), ("account_name", "account_key")
IMPORT = (("use_blob_urls*",), ("presign", "presign_ttl"), ("recursive_scan",))
BACKEND = Backend(
    name="azure",
    title="Microsoft Azure",
    icon="square-3-stack-3d",
    needs="A container name, the storage account and its key.",
    location=("container", "prefix"),
    scheme="azure-blob",
    import_model=AzureImportStorage,
    export_model=AzureExportStorage,
    import_serializer=AzureImportSerializer,
    export_serializer=AzureExportSerializer,
    import_form=(*PLACE, ("regex_filter",), KEYS, *IMPORT),
    export_form=(*PLACE, KEYS, ("can_delete_objects",)),
)
