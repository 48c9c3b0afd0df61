"""The wizard's way from a provider to a storage: steps, drafts, saving, and who may see what."""

import re
import uuid

import pytest
from cryptography.fernet import Fernet

from projects.models import Project
from storages.api import starting
from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.drafts import StorageDraft
from storages.errors import Unavailable
from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def person(alice, project) -> Person:
    return Person(alice, project)


@pytest.fixture
def settings_of_s3(s3_settings):
    return {name: value for name, value in s3_settings.items() if name != "project"} | {"presign": "true", "presign_ttl": "15"}


def test_all_providers_are_offered_with_what_they_need(person):
    page = person.client.get(f"{person.home}/source/new").content.decode()
    for backend in BACKENDS.values():
        assert f'value="{backend.name}"' in page and backend.needs in page


def test_an_unknown_provider_or_side_is_refused(person):
    page = person.client.post(f"{person.home}/source/new", {"type": "ftp"}).content.decode()
    assert error_of(page, "type") == "Choose one of these providers." and not StorageDraft.objects.exists()
    assert person.client.get(f"{person.home}/sideways/new").status_code == 404


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("type", list(BACKENDS))
def test_every_provider_has_a_connection_form_and_names_what_is_missing(person, type, side):
    page = person.begin(type, side).page("connection")
    assert 'name="title"' in page
    page = person.post("connection", title=" ").content.decode()
    assert error_of(page, "title") == "Enter a value."
    assert not ImportStorage.objects.exists() and not ExportStorage.objects.exists()


def test_a_source_is_connected_step_by_step_and_synced(person, settings_of_s3, s3, project, work):
    for number in range(3):
        s3.put("data", f"ships/{number}.png", b"pixels" * number, "image/png")
    person.begin("s3")
    assert person.post("connection", **settings_of_s3)["Location"].endswith("/settings")
    assert 'value="True" selected' in person.page("settings")
    answer = person.post("settings", prefix="ships", use_blob_urls="True", regex_filter=".*png", recursive_scan="true")
    assert answer["Location"].endswith("/review")
    review = person.page("review")
    assert "AWS S3" in review and "Harbour bucket" in review and "ships" in review
    summary = person.page("summary")
    assert "3 new objects" in summary and "s3://data/ships/0.png" in summary and "&quot;image&quot;" in summary
    answer = person.post("review", sync="true")
    assert answer["Location"] == person.home
    storage = project.import_storages.get().concrete()
    assert (storage.prefix, storage.use_blob_urls, storage.recursive_scan, storage.presign_ttl) == ("ships", True, True, 15)
    assert storage.aws_secret_access_key == s3.secret_key
    work()
    assert project.tasks.count() == 3
    assert project.import_storages.get().run.trigger == "page"
    assert person.get("review").status_code == 404, "the draft is gone"


def test_a_sync_that_cannot_begin_is_no_success(person, settings_of_s3, monkeypatch, project):
    def fail(*call: object) -> None:
        raise Unavailable("the bucket does not answer")

    monkeypatch.setattr(starting, "start_sync", fail)
    person.begin("s3")
    person.post("connection", **settings_of_s3)
    person.post("review", sync="true")
    page = person.client.get(person.home).content.decode()
    assert project.import_storages.exists() and 'class="banner warning"' in page and 'class="banner success"' not in page
    assert "is saved, but its sync could not begin: the bucket does not answer" in page


def test_saving_alone_starts_no_sync(person, settings_of_s3, project):
    person.begin("s3").post("connection", **settings_of_s3)
    person.post("settings", use_blob_urls="True")
    assert person.post("review", save="true").status_code == 302
    assert project.import_storages.get().run is None


def test_steps_that_were_not_reached_lead_back_to_the_connection(person, settings_of_s3):
    person.begin("s3")
    for step in ("settings", "review", "summary", "left-out"):
        assert person.get(step)["Location"].endswith("/connection"), step
    person.post("connection", **settings_of_s3)
    assert person.get("review").status_code == 200
    person.post("test", **settings_of_s3 | {"bucket": "elsewhere"})
    assert person.get("review")["Location"].endswith("/connection"), "the connection became another one"


def test_only_its_user_sees_a_draft(person, bob, charlie, project, settings_of_s3):
    person.begin("s3").post("connection", **settings_of_s3)
    for step in ("connection", "settings", "review", "summary", "left-out", "thumbnail?key=a.png"):
        for other, code in ((bob, 404), (charlie, 404)):
            one = Person(other, project)
            one.draft = person.draft
            assert one.get(step).status_code == code, (step, other)
    nobody = Person(None, project)
    nobody.draft = person.draft
    assert nobody.get("settings")["Location"] == f"/user/login/?next={person.draft}/settings"
    assert person.client.get(f"{person.home}/drafts/{uuid.uuid4()}/connection").status_code == 404


def test_a_draft_is_not_seen_through_another_project(person, alice, settings_of_s3):
    other = Project.objects.create(title="Other", organization=alice.active_organization)
    person.begin("s3")
    moved = person.draft.replace(person.home, f"/projects/{other.pk}/settings/storage")
    assert person.client.get(f"{moved}/connection").status_code == 404


def test_discard_deletes_the_draft(person):
    person.begin("s3")
    assert person.post("discard")["Location"] == person.home
    assert not StorageDraft.objects.exists()


def test_another_provider_takes_the_title_along(person):
    person.begin("s3").post("connection", title="Harbour", bucket="x", aws_secret_access_key="key-of-s3")
    draft = person.draft.rsplit("/", 1)[1]
    assert 'value="s3" checked' in person.client.get(f"{person.home}/source/new?draft={draft}").content.decode()
    answer = person.client.post(f"{person.home}/source/new", {"type": "gcs", "draft": draft})
    assert draft not in answer["Location"]
    kept = StorageDraft.objects.get()
    assert (kept.type, kept.values) == ("gcs", {"title": "Harbour"})


def test_the_stepper_leads_to_pages_that_are_there(person, settings_of_s3):
    person.begin("s3").post("connection", **settings_of_s3)
    for step in ("connection", "settings", "review"):
        page = person.page(step)
        others = re.findall(r'form="wizard-form" name="go" value="([^"]+)" formnovalidate', page)
        assert len(others) == 3, "all but the one that is open"
        for other in others:
            answer = person.post(step, **settings_of_s3 | {"use_blob_urls": "True", "go": other})
            assert answer.status_code == 302 and person.client.get(answer["Location"]).status_code == 200
            assert answer["Location"].endswith(other) or other == "provider" and "/source/new?draft=" in answer["Location"]
        assert 'aria-current="step"' in page and 'id="wizard-form"' in page
        assert page.index('tabindex="-1" aria-hidden="true"') < page.index('name="go"'), "Enter in a field must not lead back"


def test_going_back_keeps_what_was_typed_and_going_on_needs_values_that_can_be_used(person, settings_of_s3):
    person.begin("s3").post("connection", **settings_of_s3)
    typed = {"use_blob_urls": "True", "regex_filter": "([", "prefix": "ships"}
    assert person.post("settings", **typed, go="review").status_code == 200, "the filter is wrong"
    answer = person.post("settings", **typed | {"prefix": "boats"}, go="connection")
    assert answer["Location"] == f"{person.draft}/connection"
    assert 'value="boats"' in person.page("settings") and 'value="(["' in person.page("settings")
    answer = person.post("connection", **settings_of_s3 | {"title": "", "bucket": "!"}, go="provider")
    assert "/source/new?draft=" in answer["Location"]
    assert person.stored.values["bucket"] == "!"


@pytest.mark.parametrize("go", ["nowhere", "names", "", "summary"])
def test_a_step_that_is_not_there_leads_to_the_same_and_saves_nothing(person, settings_of_s3, project, go):
    person.begin("s3").post("connection", **settings_of_s3)
    assert person.post("review", go=go)["Location"] == f"{person.draft}/review"
    assert not project.import_storages.exists()


def test_a_secret_that_no_key_opens_is_told_and_breaks_no_page(person, create, s3_settings, settings):
    pk = create("s3", s3_settings)["id"]
    person.begin("s3").post("connection", title="Begun")
    settings.STORAGE_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for path in (f"{person.home}/source/s3/{pk}/edit", f"{person.draft}/connection"):
        answer = person.client.get(path)
        assert answer["Location"] == person.home
        assert "STORAGE_ENCRYPTION_KEYS" in str(list(answer.wsgi_request._messages)[-1])


def test_a_step_asks_the_database_little(person, settings_of_s3, django_assert_max_num_queries):
    person.begin("s3").post("connection", **settings_of_s3)
    person.page("settings")  # chooses the import method once
    for step in ("connection", "settings", "review"):
        with django_assert_max_num_queries(5):  # session, user, membership, project, draft
            person.page(step)
