"""Changing a stored storage: secrets stay unless entered, another host asks for them again, and nothing else is written."""

import pytest

from storages.backends import BACKENDS
from storages.drafts import StorageDraft
from tests.backends.databricks_volume import body, columns, enrol, fake  # noqa: F401 - fixtures
from tests.fakes.databricks import DatabricksFake
from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)
S3, DATABRICKS = BACKENDS["s3"], BACKENDS["databricks"]
KEYS = "Access Key ID, Secret Access Key"


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
        assert error_of(page, "s3_endpoint") == f"Enter the credentials ({KEYS}) again when changing S3 Endpoint"
        assert error_of(page, "aws_secret_access_key") == "Enter this again when changing S3 Endpoint"
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


@pytest.fixture
def volume(create, body, fake):  # noqa: F811
    """A source on a volume that was connected with a token."""
    return create("databricks", body(fake, title="Volume"), use_blob_urls=True)["id"]


def typed(fake, method: str) -> dict:  # noqa: F811
    """What a browser sends of a volume's connection."""
    switches = {"verify_tls": "true", "request_timeout_s": "30", "stream_chunk_bytes": "1048576"}
    return columns(fake, method, title="Volume") | switches


def test_another_way_to_sign_in_erases_the_secret_of_the_one_before(person, volume, fake):  # noqa: F811
    assert person.edit("databricks", volume).post("connection", **typed(fake, "dbx_sp")).status_code == 302
    stored = DATABRICKS.import_model.objects.get(pk=volume)
    assert stored.token == fake.pat, "nothing counts before it is saved"
    assert person.post("review", save="true")["Location"] == person.home
    stored.refresh_from_db()
    assert (stored.auth_type, stored.token, stored.client_id) == ("dbx_sp", "", "crane-7")


def test_the_host_can_change_with_the_way_to_sign_in_and_after_it(person, volume, fake):  # noqa: F811
    person.edit("databricks", volume)
    with DatabricksFake() as other:
        enrol(other)
        assert person.post("connection", **typed(other, "dbx_sp")).status_code == 302
        assert person.post("review", save="true")["Location"] == person.home
        assert DATABRICKS.import_model.objects.get(pk=volume).host == other.url
        requests = len(fake.requests)
        page = person.edit("databricks", volume).post("connection", **typed(fake, "dbx_sp") | {"client_secret": ""})
        assert "again when changing" in error_of(page.content.decode(), "client_secret")
        assert len(fake.requests) == requests, "the stored secret was not sent there"
        assert person.post("connection", **typed(fake, "dbx_sp")).status_code == 302


def test_a_secret_that_is_to_go_is_shown_so_and_can_be_kept_after_all(person, source, shown, s3):
    box = 'name="clear-aws_secret_access_key" value="true"'
    page = person.edit("s3", source).post("test", **shown, **{"clear-aws_secret_access_key": "true"}).content.decode()
    assert f"{box} checked" in page and 'id="kept-aws_secret_access_key"' not in page
    assert person.stored.values["aws_secret_access_key"] is None
    page = person.post("test", **shown).content.decode()
    assert box in page and f"{box} checked" not in page and 'id="kept-aws_secret_access_key"' in page
    assert "aws_secret_access_key" not in person.stored.values and "The connection works" in page


def test_a_secret_that_is_typed_wins_over_its_removal(person, source, shown, s3):
    both = {"aws_secret_access_key": s3.secret_key, "clear-aws_secret_access_key": "true"}
    page = person.edit("s3", source).post("test", **shown, **both).content.decode()
    assert "The connection works" in page and person.stored.values["aws_secret_access_key"] == s3.secret_key


def test_the_steps_of_a_storage_that_is_down_can_be_opened_all_the_same(person, source, shown, s3):
    person.edit("s3", source)
    s3.refuse_all()
    assert person.post("connection", **shown | {"title": "Renamed"}, go="settings")["Location"].endswith("/settings")
    assert person.post("connection", **shown | {"title": ""}, go="settings").status_code == 200
    assert person.post("connection", **shown).status_code == 200, "Next tests the connection"
