"""Configure Connection: the doctor's probes, errors beside their fields, and secrets that are entered once and never shown."""

import pytest

from storages.api.forms import label_of
from storages.drafts import StorageDraft
from storages.errors import ConfigInvalid
from storages.pages.wizard.entry import TOP, Entry
from storages.providers.aws.client import S3Client
from tests.backends.databricks_volume import body, columns, fake  # noqa: F401 - fixtures
from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)
LIMITED = "AKIAQUAYSIDELIMITED1"


@pytest.fixture
def person(alice, project) -> Person:
    return Person(alice, project)


@pytest.fixture
def filled(s3_settings):
    return {name: value for name, value in s3_settings.items() if name != "project"} | {"presign": "true", "presign_ttl": "15"}


def test_a_test_shows_every_probe_and_what_to_paste(person, filled, s3):
    s3.put("data", "a.png", b"pixels")
    page = person.begin("s3").post("test", **filled).content.decode()
    assert "The connection works" in page and page.count("</span>Works") + page.count("Works</span>") == 3
    for told in ("List objects", "Read an object", "Sign a URL for browsers", "s3:GetObject", "AllowedOrigins"):
        assert told in page, told
    assert "does not let pages of" in page, "the warning about CORS"
    assert person.stored.verified and "The connection works" in person.page("connection"), "it survives a reload"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"aws_secret_access_key": "wrong-secret-of-mine"}, "aws_secret_access_key"),
        ({"aws_session_token": "wrong-secret-of-mine"}, "aws_session_token"),
        ({"bucket": "wrong-secret-of-mine"}, "bucket"),
    ],
)
def test_what_the_storage_rejects_is_told_beside_the_field_and_next_stays(person, filled, s3, change, field):
    answer = person.begin("s3").post("connection", **filled | change)
    page = answer.content.decode()
    assert answer.status_code == 200 and "The connection does not work yet" in page and "Not tried" in page
    assert error_of(page, field), page
    assert field == "bucket" or "wrong-secret-of-mine" not in page


def test_a_permission_that_is_missing_is_named_to_copy(person, filled, s3):
    s3.put("data", "a.png", b"pixels")
    s3.add_identity(LIMITED, "limited-secret", allow=[("s3:ListBucket",)])
    keys = {"aws_access_key_id": LIMITED, "aws_secret_access_key": "limited-secret"}
    page = person.begin("s3").post("test", **filled | keys).content.decode()
    assert "Grant this permission" in page and "s3:GetObject" in page


def test_a_key_for_one_folder_is_tried_there(person, filled, s3):
    s3.put("data", "mine/a.png", b"pixels")
    s3.add_identity(LIMITED, "limited-secret", allow=[("s3:ListBucket", "data", "mine/"), ("s3:GetObject", "data", "mine/")])
    keys = {"aws_access_key_id": LIMITED, "aws_secret_access_key": "limited-secret"}
    page = person.begin("s3").post("test", **filled | keys).content.decode()
    assert "The connection does not work yet" in page and 'name="prefix"' in page
    assert person.post("connection", **filled | keys, prefix="mine")["Location"].endswith("/settings")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("bucket", "NOT A BUCKET", "Not a bucket name"),
        ("region_name", "mars!", "Not a region name"),
        ("s3_endpoint", "ftp://x", "must be an http:// or https:// URL"),
        ("presign_ttl", "soon", "A valid integer is required."),
        ("title", "x" * 257, "no more than 256 characters"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_the_rest_is_kept(person, filled, field, value, message):
    page = person.begin("s3").post("connection", **filled | {field: value}).content.decode()
    assert message in error_of(page, field)
    assert filled["s3_endpoint"] in page or field == "s3_endpoint"
    assert f'name="{field}"' in page and 'aria-invalid="true" autofocus' in page
    assert not person.stored.verified


def test_a_message_of_the_storage_names_a_setting_as_the_form_does(person, filled, monkeypatch):
    def refuse(client: S3Client, **options: object) -> None:
        raise ConfigInvalid("s3://data/region_name_1 lives in region eu-west-1; set region_name to it", field="region_name")

    monkeypatch.setattr(S3Client, "try_list", refuse)
    page = person.begin("s3").post("test", **filled).content.decode()
    told = "s3://data/region_name_1 lives in region eu-west-1; set “Region Name” to it"
    assert told.removeprefix("s3://data/") in error_of(page, "region_name") and page.count(told) == 2


def test_secrets_are_never_in_a_page(person, filled, s3):
    person.begin("s3").post("connection", **filled)
    for step in ("connection", "settings", "review", "summary", "left-out"):
        page = person.page(step)
        assert s3.secret_key not in page and s3.access_key not in page, step
    assert "Stored; leave empty to keep it" in person.page("connection")
    row = StorageDraft.objects.values_list("entered").query
    assert s3.secret_key not in str(row)


def test_a_secret_that_was_entered_stays_when_left_empty_and_goes_when_asked(person, filled, s3):
    person.begin("s3").post("test", **filled)
    person.post("test", **filled | {"aws_secret_access_key": "", "aws_access_key_id": ""})
    assert person.stored.verified and person.stored.values["aws_secret_access_key"] == s3.secret_key
    page = person.post("test", **filled | {"aws_secret_access_key": "", "clear-aws_secret_access_key": "true"}).content.decode()
    assert "one of them is missing" in error_of(page, "aws_secret_access_key")


def test_a_report_is_forgotten_with_what_it_was_about_and_kept_with_what_it_was_not(person, filled):
    person.begin("s3").post("test", **filled)
    draft = person.stored
    draft.enter({"title": "Another", "presign_ttl": "30"})
    assert draft.verified
    draft.enter({"bucket": "another"})
    assert not draft.verified and not person.stored.verified


def test_only_the_fields_of_the_chosen_sign_in_are_shown_and_sent(person, fake):  # noqa: F811
    fake.put("/Volumes/main/default/data/a.png", b"pixels")
    page = person.begin("databricks").page("connection")
    assert 'data-if-values="dbx_sp azure_ad_sp" hidden' in page and 'data-if-values="pat">' in page
    entered = columns(fake, "dbx_sp", title="Volume", verify_tls="true", request_timeout_s="30", stream_chunk_bytes="1048576")
    page = person.post("test", **entered, token="left-from-before").content.decode()
    assert "The connection works" in page
    assert 'data-if-values="pat" hidden' in page and "left-from-before" not in page
    person.post("settings", use_blob_urls="True")
    assert person.post("review", save="true").status_code == 302
    from storages.backends import BACKENDS

    stored = BACKENDS["databricks"].import_model.objects.get()
    assert (stored.auth_type, stored.token, stored.client_id) == ("dbx_sp", "", entered["client_id"])


def test_htmx_gets_the_form_alone_and_what_to_announce(person, filled):
    person.begin("s3")
    answer = person.client.post(f"{person.draft}/test", filled, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "<html" not in page and 'hx-swap-oob="innerHTML">Connection verified.' in page


def test_what_is_wrong_in_a_field_that_is_not_shown_stops_nobody(person, filled):
    page = person.begin("s3").post("connection", **filled | {"presign_ttl": "99999"}).content.decode()
    assert error_of(page, "presign_ttl")
    off = {name: value for name, value in filled.items() if name not in ("presign", "presign_ttl")}
    assert person.post("connection", **off)["Location"].endswith("/settings")


def test_an_error_of_a_field_that_is_not_shown_is_told_at_the_top(person, project, rf):
    person.begin("s3").post("connection", title="Begun")
    request = rf.get("/")
    entry = Entry(request, project, person.stored, None)
    entry.draft.enter({"presign": False})
    entry.blame({"presign_ttl": ["Too long."], "bucket": ["No."]}, ["bucket", "presign", "presign_ttl"])
    label = label_of(entry.model._meta.get_field("presign_ttl"))
    assert entry.errors == {TOP: [f"{label}: Too long."], "bucket": ["No."]}
