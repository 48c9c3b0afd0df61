"""Databricks Unity Catalog volumes, with three ways to sign in."""

import re

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from storages import errors
from storages.base import Backend, ExportStorage, ImportStorage, Prefixed, Presigned, Scanned
from storages.checks import parse_secure_url, printable, required
from storages.fields import SecretField
from storages.providers.azure import entra
from storages.providers.databricks.client import DatabricksClient, Identity
from storages.providers.databricks.signin import OAuth, PersonalToken
from storages.serializers import StorageSerializer, TargetSerializer

# https://docs.databricks.com/en/data-governance/unity-catalog/index.html "Naming rules": at most 255 characters,
# no period, space, slash, control character; stored in lower case
NAME = re.compile(r"[^.\s/\x00-\x1f\x7f]{1,255}")
# the application id of Azure Databricks, the same in every cloud:
# https://learn.microsoft.com/azure/databricks/dev-tools/service-prin-aad-token
AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
AUTHORITIES = {
    ".databricks.azure.us": "https://login.microsoftonline.us",
    ".databricks.azure.cn": "https://login.chinacloudapi.cn",
}
TIMEOUT, CHUNK = 30, 1024**2  # seconds, bytes
MOST_SECONDS, MOST_BYTES = 600, 16 * 1024**2
LIMIT = [MaxValueValidator(2**31 - 1)]


class AuthType(models.TextChoices):
    """How the service signs in."""

    PAT = "pat", "Personal access token"
    DBX_SP = "dbx_sp", "Databricks service principal"
    AZURE_AD_SP = "azure_ad_sp", "Microsoft Entra service principal"


class DatabricksColumns(Prefixed):
    """The columns of Databricks in both directions."""

    host = models.TextField("Workspace Host", help_text="Workspace URL, such as https://adb-123.4.azuredatabricks.net")
    auth_type = models.CharField("Authentication Method", max_length=16, choices=AuthType.choices, default=AuthType.PAT)
    token = SecretField("Access Token", blank=True, default="", help_text="Personal access token (pat)")
    client_id = models.TextField("Client ID", blank=True, default="", help_text="Application id (dbx_sp, azure_ad_sp)")
    client_secret = SecretField("Client Secret", blank=True, default="", help_text="OAuth secret (dbx_sp, azure_ad_sp)")
    tenant_id = models.TextField("Azure Tenant ID", blank=True, default="", help_text="Directory id (azure_ad_sp)")
    catalog = models.TextField("Catalog", help_text="Unity Catalog catalog")
    schema = models.TextField("Schema", help_text="Schema inside the catalog")
    volume = models.TextField("Volume", help_text="Volume inside the schema")
    verify_tls = models.BooleanField("Verify TLS", default=True, help_text="Refuse a workspace whose certificate is not trusted")
    request_timeout_s = models.PositiveIntegerField(
        "Request timeout (seconds)",
        default=TIMEOUT,
        validators=LIMIT,
        help_text=f"Longest wait for an answer, seconds; 0: {TIMEOUT}; at most {MOST_SECONDS} count",
    )
    stream_chunk_bytes = models.PositiveIntegerField(
        "Stream chunk (bytes)",
        default=CHUNK,
        validators=LIMIT,
        help_text=f"Most bytes of one upstream read; 0: {CHUNK}; at most {MOST_BYTES} count",
    )

    backend_name = "databricks"
    secret_bound = ("host", "tenant_id", "verify_tls")

    class Meta:
        abstract = True

    def client(self) -> DatabricksClient:
        """Raises ConfigInvalid naming the field."""
        host = required((self.host or "").strip().rstrip("/"), "host", "host")
        name = parse_secure_url(host, field="host").hostname or ""
        volume = [self._name(field) for field in ("catalog", "schema", "volume")]
        if "//" in self.root:
            raise errors.ConfigInvalid("a prefix cannot have empty parts", field="prefix")
        seconds = min(self.request_timeout_s or TIMEOUT, MOST_SECONDS)
        chunk = min(self.stream_chunk_bytes or CHUNK, MOST_BYTES)
        return DatabricksClient(host, volume, self.root, self._identity(host, name), self.verify_tls, seconds, chunk)

    def _name(self, field: str) -> str:
        name = required((getattr(self, field) or "").strip(), field, field).lower()
        if not NAME.fullmatch(name):
            raise errors.ConfigInvalid("at most 255 characters without period, space or slash", field=field)
        return name

    def _identity(self, host: str, name: str) -> Identity:
        def entered(field: str) -> str:
            what = f"{field} (auth_type is {self.auth_type})"
            return printable(required((getattr(self, field) or "").strip(), field, what), field)

        match self.auth_type:
            case AuthType.PAT:
                return PersonalToken(entered("token"))
            case AuthType.DBX_SP:
                return OAuth(host, entered("client_id"), entered("client_secret"), settings.DATABRICKS_OAUTH_SCOPE)
            case AuthType.AZURE_AD_SP:
                authority = next((url for suffix, url in AUTHORITIES.items() if name.endswith(suffix)), "")
                ids = entered("tenant_id"), entered("client_id"), AZURE_DATABRICKS
                return entra.Principal(*ids, secret=entered("client_secret"), authority=authority)
        raise errors.ConfigInvalid(f"must be one of {', '.join(AuthType.values)}", field="auth_type")


class DatabricksImportStorage(DatabricksColumns, Scanned, Presigned, ImportStorage):
    """A volume whose files become tasks. ``presign`` has no effect: Databricks signs no URLs."""


class DatabricksExportStorage(DatabricksColumns, ExportStorage):
    """A volume that annotations are written to."""


class DatabricksImportSerializer(StorageSerializer):
    class Meta(StorageSerializer.Meta):
        model = DatabricksImportStorage


class DatabricksExportSerializer(TargetSerializer):
    class Meta(TargetSerializer.Meta):
        model = DatabricksExportStorage


def _form(*rows: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return (
        ("title*",),
        ("host*", "auth_type*"),
        ("token",),
        ("tenant_id", "client_id", "client_secret"),
        ("catalog*", "schema*", "volume*"),
        ("prefix",),
        *rows,
        ("verify_tls", "request_timeout_s", "stream_chunk_bytes"),
    )


BACKEND = Backend(
    name="databricks",
    title="Databricks Files (UC Volumes)",
    icon="rectangle-stack",
    needs="The workspace URL, catalog, schema and volume, and one of three ways to sign in.",
    location=("host", "catalog", "schema", "volume", "prefix"),
    scheme="dbx",
    import_model=DatabricksImportStorage,
    export_model=DatabricksExportStorage,
    import_serializer=DatabricksImportSerializer,
    export_serializer=DatabricksExportSerializer,
    shown_if={
        "token": ("auth_type", (AuthType.PAT,)),
        "client_id": ("auth_type", (AuthType.DBX_SP, AuthType.AZURE_AD_SP)),
        "client_secret": ("auth_type", (AuthType.DBX_SP, AuthType.AZURE_AD_SP)),
        "tenant_id": ("auth_type", (AuthType.AZURE_AD_SP,)),
    },
    import_form=_form(("regex_filter",), ("use_blob_urls*",), ("recursive_scan",)),
    export_form=_form(("can_delete_objects",)),
)
