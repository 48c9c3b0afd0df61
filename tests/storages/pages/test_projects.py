"""The start page of a signed-in user."""

import pytest
from django.test import Client

from projects.models import Project

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_the_projects_of_the_own_organization_and_escapes_their_titles(alice, charlie, project, s3_settings, create):
    create("s3", s3_settings, title="<img src=x onerror=alert(1)>")
    Project.objects.create(title="Foreign fleet", organization=charlie.active_organization)
    browser = Client()
    assert browser.get("/").status_code == 302
    browser.force_login(alice)
    page = browser.get("/").content.decode()
    assert "Ships" in page and "Foreign fleet" not in page
    assert "<img" not in page and "&lt;img" in page and "Initialized" in page


def test_its_queries_do_not_grow_with_projects_and_storages(alice, project, s3_settings, create, django_assert_num_queries):
    browser = Client()
    browser.force_login(alice)
    for number in range(3):
        create("s3", s3_settings, title=str(number))
        Project.objects.create(title=f"P{number}", organization=alice.active_organization)
    with django_assert_num_queries(6):  # session, user, membership, projects, sources, targets
        browser.get("/")
