"""Changing a stored storage: secrets stay unless entered, another host asks for them again, and nothing else is written."""

import pytest

from storages.backends import BACKENDS
from storages.drafts import StorageDraft
from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)
S3 = BACKENDS["s3"]


@pytest.fixture
def person(alice, project) -> Person:
    return Person(alice, project)


@pytest.fixture
def shown(s3_settings):
    """What a browser sends back of an untouched form: everything but secrets."""
    names = ("title", "bucket", "s3_endpoint")
    return {name: s3_settings[name] for name in names} | {"region_name": "", "presign": "true", "presign_ttl": "1"}


@pytest.fixture
def source(create, s3_settings):
    return create("s3", s3_settings, use_blob_urls=True)["id"]


def test_an_edit_shows_what_is_stored_and_no_secret(person, source, s3):
    page = person.edit("s3", source).page("connection")
    assert 'value="Harbour bucket"' in page and "Stored; leave empty to keep it" in page
    assert s3.secret_key not in page and "Select Provider" not in page
    assert 'value="True" selected' in person.page("settings") and person.get("review").status_code == 200


def test_the_title_changes_and_the_secret_stays(person, source, shown, s3):
    person.edit("s3", source)
    assert person.post("connection", **shown | {"title": "Renamed"})["Location"].endswith("/settings")
    assert set(person.stored.values) == {"title"}, "what is as it was is not written"
    assert person.post("review", save="true")["Location"] == person.home
    stored = S3.import_model.objects.get(pk=source)
    assert (stored.title, stored.aws_secret_access_key) == ("Renamed", s3.secret_key)


def test_another_host_asks_for_the_secrets_again(person, source, shown, s3):
    from tests.fakes.s3 import S3Fake

    with S3Fake() as other:
        other.create_bucket("data")
        page = person.edit("s3", source).post("connection", **shown | {"s3_endpoint": other.url}).content.decode()
        assert "Enter the credentials" in error_of(page, "s3_endpoint")
        assert not other.requests, "the stored key was not sent there"
        keys = {"aws_access_key_id": other.access_key, "aws_secret_access_key": other.secret_key}
        assert person.post("connection", **shown | {"s3_endpoint": other.url} | keys).status_code == 302
        assert person.post("review", save="true").status_code == 302
        assert S3.import_model.objects.get(pk=source).s3_endpoint == other.url


def test_a_change_that_was_begun_is_found_again(person, source, shown):
    first = person.edit("s3", source).draft
    person.post("test", **shown | {"title": "Half done"})
    again = Person(None, source and person.stored.project)
    again.client = person.client
    assert again.edit("s3", source).draft == first and 'value="Half done"' in again.page("connection")
    assert "You had begun to change this storage" in again.page("connection") or StorageDraft.objects.count() == 1


def test_a_storage_deleted_meanwhile_is_told(person, source, shown):
    person.edit("s3", source)
    S3.import_model.objects.all().delete()
    answer = person.client.post(f"{person.draft}/connection", shown, follow=False)
    assert answer["Location"] == person.home and not StorageDraft.objects.exists()
    assert "deleted meanwhile" in str(list(answer.wsgi_request._messages)[0])


def test_a_strangers_storage_cannot_be_edited(person, charlie, project, source):
    assert Person(charlie, project).client.get(f"{person.home}/source/s3/{source}/edit").status_code == 404
    assert person.client.get(f"{person.home}/target/s3/{source}/edit").status_code == 404
    assert person.client.get(f"{person.home}/source/ftp/{source}/edit").status_code == 404


def test_saving_tests_the_connection_once_more(person, source, s3):
    person.edit("s3", source)
    s3.refuse_all()
    page = person.post("review", save="true").content.decode()
    assert "Nothing was saved." in page and StorageDraft.objects.exists()
