"""The cast of every test: Alice owns the project, Bob is on her team, Charlie is a stranger with a team of his own."""

import os

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from rest_framework.test import APIClient

from projects.models import Project
from storages.media import grants, signer
from storages.providers import tokens
from users.models import Organization, OrganizationMember, User

LONG = ("test_backend_stories", "test_story", "tests/e2e/", "tests/faults/", "test_up.py", "tests/backends/", "test_splitting")
DATABASE = {"db", "transactional_db", "live_server", "django_db_setup"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files come first, so that no worker is left with one of them at the end.

    ONLY_DATABASE_TESTS=1: the tests that use no database need not run once more for another one.
    """
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if name in item.nodeid), len(LONG)))
    if os.environ.get("ONLY_DATABASE_TESTS"):
        config.hook.pytest_deselected(items=[item for item in items if not uses_database(item)])
        items[:] = [item for item in items if uses_database(item)]


def uses_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(getattr(item, "fixturenames", ()))


def make_user(email: str, organization: Organization) -> User:
    user = User.objects.create_user(email, "secret-pass-1", active_organization=organization)
    OrganizationMember.objects.create(user=user, organization=organization)
    return user


def client_of(user: User | None) -> APIClient:
    """An API client signed in as ``user`` (not at all if None)."""
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The flush after a test would make permissions and content types anew, 50 ms each time; nobody asks for them."""
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")


@pytest.fixture(autouse=True)
def fast_passwords(settings) -> None:
    """A real password hash takes 0.3 s a user."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def no_old_tokens() -> None:
    """A fake may get the port of an earlier one, whose tokens are worth nothing here."""
    tokens._slots.clear()


@pytest.fixture(autouse=True)
def no_old_grants() -> None:
    """Ids come again in the next test, within the seconds that a signed link's permission is remembered."""
    grants.forget()
    signer.forget()


@pytest.fixture
def team(db) -> Organization:
    return Organization.objects.create(title="Harbour")


@pytest.fixture
def alice(team) -> User:
    return make_user("alice@harbour.example", team)


@pytest.fixture
def bob(team) -> User:
    return make_user("bob@harbour.example", team)


@pytest.fixture
def charlie(db) -> User:
    return make_user("charlie@elsewhere.example", Organization.objects.create(title="Elsewhere"))


@pytest.fixture
def api(alice) -> APIClient:
    return client_of(alice)


@pytest.fixture
def stranger(charlie) -> APIClient:
    return client_of(charlie)


@pytest.fixture
def project(alice) -> Project:
    config = (
        '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'
    )
    return Project.objects.create(title="Ships", label_config=config, organization=alice.active_organization, created_by=alice)
