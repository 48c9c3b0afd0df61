"""What tests of storage pages start from: a signed-in browser, a source and a target, and an answer as its reader sees it."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from projects.models import Project
from storages import status
from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportRun, ImportRun
from users.models import User

HTMX = {"HTTP_HX_REQUEST": "true"}


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def home(project: Project) -> str:
    """The path of the page with the cards."""
    return f"/projects/{project.pk}/settings/storage"


@pytest.fixture
def source(create, s3_settings) -> dict:
    return create("s3", s3_settings, use_blob_urls=True)


@pytest.fixture
def target(create, s3_settings) -> dict:
    """Without the run that came with its creation."""
    made = create("export/s3", s3_settings, title="Out", prefix="out")
    ExportStorage.objects.update(run=None)
    ExportRun.objects.all().delete()
    return made


def text(answer: HttpResponse) -> str:
    """What is left of a page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def tokens(answer: HttpResponse) -> list[str]:
    """What an open page sends back when it asks for news."""
    return re.findall(r'name="seen" value="([^"]+)"', answer.content.decode())


def begin(storage: dict, **columns) -> ImportRun:
    """A run of a source, as it would be with these columns."""
    run = status.begin(ImportStorage.objects.get(pk=storage["id"]), user=None, trigger="schedule")
    type(run).objects.filter(pk=run.pk).update(**columns)
    return run
