"""Azure Blob Storage with a service principal or the server's workload identity: columns and declaration."""

import os
from pathlib import Path

from django.conf import settings
from django.db import models

from storages import errors
from storages.backends import azure
from storages.base import Backend, ExportStorage, ImportStorage, Presigned, Scanned
from storages.checks import printable, required
from storages.fields import SecretField
from storages.providers.azure.delegation import TokenClient
from storages.providers.azure.entra import Principal
from storages.serializers import ScannedSerializer, StorageSerializer, TargetSerializer

SCOPE = "https://storage.azure.com/.default"  # the same in every cloud: "Authorize with Microsoft Entra ID", OAuth scope


class AuthMode(models.TextChoices):
    """Who signs in."""

    SERVICE_PRINCIPAL = "service_principal", "Service principal"
    WORKLOAD_IDENTITY = "workload_identity", "Workload identity of this server"


class AzureSPIColumns(azure.ContainerColumns):
    """The columns of Azure with a token, in both directions."""

    account_name = models.TextField("Account Name", null=True, blank=True, help_text="Azure storage account name")
    auth_mode = models.CharField(
        "Authentication Mode",
        max_length=32,
        null=True,
        blank=True,
        choices=AuthMode.choices,
        default=AuthMode.SERVICE_PRINCIPAL,
        help_text="Null: service_principal",
    )
    tenant_id = models.TextField("Tenant ID", null=True, blank=True, help_text="Directory id (service_principal)")
    client_id = models.TextField("Client ID", null=True, blank=True, help_text="Application id; optional for workload_identity")
    client_secret = SecretField("Client Secret", null=True, blank=True, help_text="Secret (service_principal)")
    user_delegation_key = SecretField(
        "User Delegation Key", null=True, blank=True, help_text="(Backend) accepted, without effect"
    )

    backend_name = "azure_spi"
    secret_bound = ("account_name", "tenant_id", "client_id")

    class Meta:
        abstract = True

    def connect(self, container: str) -> TokenClient:
        account = required((self.account_name or "").strip(), "account_name", "account_name")
        endpoint = azure.blob_endpoint(account)
        workload = self.auth_mode == AuthMode.WORKLOAD_IDENTITY
        tenant, client_id, secret = self._workload() if workload else self._entered()
        assertion = federated_token if workload else None
        principal = Principal(tenant, client_id, SCOPE, secret=secret, assertion=assertion)
        identity = (principal.authority, client_id, secret)
        return TokenClient(endpoint, account, container, self.root, principal, identity)

    def _entered(self) -> tuple[str, ...]:
        """Tenant, client id and secret of the service principal."""
        what = "{} (auth_mode is service_principal)"
        fields = ("tenant_id", "client_id", "client_secret")
        return tuple(printable(required((getattr(self, name) or "").strip(), name, what.format(name)), name) for name in fields)

    def _workload(self) -> tuple[str, str, str]:
        """The same of the server, whose secret is a file that its platform renews.

        https://learn.microsoft.com/azure/aks/workload-identity-overview#service-account-annotations
        """
        if self.client_secret:
            raise errors.ConfigInvalid("must be absent (auth_mode is workload_identity)", field="client_secret")
        if not settings.ALLOW_AMBIENT_CREDENTIALS:
            raise errors.BadCredentials("use a service principal; this server does not lend its own identity", field="auth_mode")
        tenant, own = os.environ.get("AZURE_TENANT_ID", ""), os.environ.get("AZURE_CLIENT_ID", "")
        client_id = printable((self.client_id or "").strip() or own, "client_id")
        if not (tenant and client_id and os.environ.get("AZURE_FEDERATED_TOKEN_FILE")):
            raise errors.BadCredentials("use a service principal; this server has no workload identity", field="auth_mode")
        return tenant, client_id, ""


def federated_token() -> str:
    """The server's token of this moment: the file is replaced about every hour. Raises BadCredentials."""
    try:
        return Path(os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")).read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        message = "this server's workload identity token cannot be read; see AZURE_FEDERATED_TOKEN_FILE"
        raise errors.BadCredentials(message, field="auth_mode") from error


class AzureSPIImportStorage(AzureSPIColumns, Scanned, Presigned, ImportStorage):
    """A container whose blobs become tasks."""


class AzureSPIExportStorage(AzureSPIColumns, ExportStorage):
    """A container that annotations are written to."""


class AzureSPISerializer(StorageSerializer):
    """What a client sends as ``user_delegation_key`` is dropped: keys are the server's own business."""

    def validate_user_delegation_key(self, value: str | None) -> None:
        return None


class AzureSPIImportSerializer(AzureSPISerializer, ScannedSerializer):
    class Meta(StorageSerializer.Meta):
        model = AzureSPIImportStorage


class AzureSPIExportSerializer(AzureSPISerializer, TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = AzureSPIExportStorage


IDENTITY = (("account_name*", "auth_mode"), ("tenant_id", "client_id", "client_secret"))
BACKEND = Backend(
    name="azure_spi",
    title="Azure Blob Storage with Service Principal",
    icon="key",
    needs="A container name, the storage account, and tenant, client ID and secret of a Microsoft Entra application.",
    location=("account_name", "container", "prefix"),
    scheme="azure-blob",
    import_model=AzureSPIImportStorage,
    export_model=AzureSPIExportStorage,
    import_serializer=AzureSPIImportSerializer,
    export_serializer=AzureSPIExportSerializer,
    import_form=(*azure.PLACE, ("regex_filter",), *IDENTITY, *azure.IMPORT),
    export_form=(*azure.PLACE, *IDENTITY, ("can_delete_objects",)),
)
