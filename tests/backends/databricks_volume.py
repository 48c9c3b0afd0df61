"""What the tests of the Databricks backend start from: a workspace, its volume, and storages on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from projects.models import Project
from storages.backends.databricks import DatabricksImportStorage
from storages.providers.databricks.client import DatabricksClient
from tests.fakes.databricks import DatabricksFake
from tests.fakes.entra import TENANT, EntraFake

ROOT = "/Volumes/main/default/data"
ROUTE = "/api/storages/databricks"
CLIENT, SECRET = "crane-7", "dose-of-harbour-salt"
FILES = "/api/2.0/fs/files"


@pytest.fixture
def fake() -> Iterator[DatabricksFake]:
    """A workspace with one volume, and a service principal that may do everything in it."""
    with DatabricksFake(page_cap=4) as workspace:
        yield enrol(workspace)


@pytest.fixture
def entra(settings: Any) -> Iterator[EntraFake]:
    """The Entra that the service asks for tokens, with one application."""
    with EntraFake(clients={CLIENT: SECRET}) as directory:
        settings.AZURE_AUTHORITY_HOST = directory.url
        yield directory


@pytest.fixture
def azure(entra: EntraFake) -> Iterator[DatabricksFake]:
    """A workspace that takes Entra's tokens."""
    with DatabricksFake(page_cap=4, entra=entra) as workspace:
        yield enrol(workspace)


@pytest.fixture
def body(project: Project) -> Callable[..., dict[str, Any]]:
    """What to POST to create a storage on a workspace's volume: ``body(fake, "dbx_sp", prefix="in")``."""
    return lambda workspace, *method, **more: {"project": project.pk, "title": "Quay"} | columns(workspace, *method, **more)


def enrol(fake: DatabricksFake) -> DatabricksFake:
    fake.add_principal(CLIENT, SECRET)
    fake.grant(CLIENT, "main", "ALL PRIVILEGES")
    return fake


def columns(fake: DatabricksFake, auth_type: str = "pat", **more: Any) -> dict[str, Any]:
    """The settings of a storage on the volume for one sign-in method, with some other values."""
    place = {"host": fake.url, "auth_type": auth_type, "catalog": "main", "schema": "default", "volume": "data"}
    principal = {"client_id": CLIENT, "client_secret": SECRET}
    proof = {"pat": {"token": fake.pat}, "dbx_sp": principal, "azure_ad_sp": principal | {"tenant_id": TENANT}}[auth_type]
    return place | proof | more


def client_of(fake: DatabricksFake, auth_type: str = "pat", **more: Any) -> DatabricksClient:
    return DatabricksImportStorage(project_id=1, **columns(fake, auth_type, **more)).client()


def keys(client: DatabricksClient, *, recursive: bool = True, after: str = "") -> list[str]:
    return [item.key for page in client.list(recursive=recursive, after=after) for item in page.objects]


def sign_ins(fake: DatabricksFake) -> int:
    """How many tokens the workspace was asked for."""
    return sum(request.path == "/oidc/v1/token" for request in fake.requests)


def entra_sign_ins(entra: EntraFake) -> int:
    return sum(request.method == "POST" for request in entra.requests)
