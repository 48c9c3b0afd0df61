"""The wizard in a browser, by keyboard alone: a bucket, a directory and a volume become sources; a target gets its names."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.keyboard import choose, no_secret, png, press, type_into
from tests.e2e.pages.looking import Visitor
from tests.fakes.databricks import DatabricksFake
from tests.fakes.s3 import S3Fake
from tests.fakes.s3 import s3 as s3  # noqa: F401 - the fixture

CONFIG = '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/></Choices></View>'


@pytest.fixture
def home(visitor: Visitor) -> str:
    """The storage pages of a new project."""
    project = visitor.api("POST", "/api/projects/", {"title": "Harbour", "label_config": CONFIG})
    return f"/projects/{project['id']}/settings/storage"


@pytest.fixture
def bucket(s3: S3Fake) -> S3Fake:  # noqa: F811
    for number in range(30):
        s3.put("data", f"ships/{number:02}.png", png(8 * number), "image/png")
    s3.put("data", "ships/01.png", b"damaged", "image/png")
    s3.put("data", "ships/notes.txt", b"no picture")
    s3.put("data", "ships/<img src=x onerror=alert(1)>\u202egnp.png", png(1), "image/png")
    s3.set_cors("data", ["*"])
    return s3


@pytest.fixture
def volume() -> Iterator[DatabricksFake]:
    with DatabricksFake() as fake:
        fake.put("/Volumes/main/default/data/cranes/1.png", png(9))
        yield fake


def fill_bucket(page: Page, fake: S3Fake, secret: str = "") -> None:
    type_into(page, "Storage Title", "Ships")
    type_into(page, "Bucket Name", "data")
    type_into(page, "S3 Endpoint", fake.url)
    type_into(page, "Access Key ID", fake.access_key)
    type_into(page, "Secret Access Key", secret or fake.secret_key)


def test_a_bucket_by_keyboard_from_the_provider_to_the_sync(visitor: Visitor, home: str, bucket: S3Fake) -> None:
    page = visitor.open(f"{home}/source/new")
    visitor.look("wizard-provider")
    choose(page, "AWS S3")
    fill_bucket(page, bucket, "wrong/secret")
    press(page, "Test connection")
    expect(page.get_by_text("rejected the credentials").first).to_be_visible()
    no_secret(page, "wrong/secret")
    visitor.look("wizard-s3-wrong-key")
    type_into(page, "Bucket Name", "NOT A BUCKET")
    press(page, "Next")
    expect(page.locator("#id-bucket")).to_be_focused()
    expect(page.locator("#error-bucket")).to_contain_text("Not a bucket name")
    visitor.look("wizard-s3-field-error")
    fill_bucket(page, bucket)
    press(page, "Test connection")
    expect(page.locator("#announce")).to_have_text("Connection verified.")
    expect(page.locator(".probes .good")).to_have_count(3)
    expect(page.get_by_role("button", name="Test connection")).to_be_focused()
    visitor.look("wizard-s3-tested")
    no_secret(page, bucket.secret_key, bucket.access_key)
    page.reload()
    expect(page.locator(".probes .good")).to_have_count(3)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Import settings")).to_be_focused()
    type_into(page, "Bucket Prefix", "ships")
    press(page, "Images")
    expect(page.locator("#id-regex_filter")).to_have_value(re.compile("jpe"))
    press(page, "Load preview")
    expect(page.locator(".objects .key")).to_have_count(24)
    expect(page.get_by_text("31 new objects")).to_be_visible()
    expect(page.get_by_text("1 left out")).to_be_visible()
    page.wait_for_function("document.querySelector('.thumbnail img').naturalWidth === 1")
    expect(page.locator(".objects li").nth(1).locator("img")).to_have_count(0)  # it is damaged: an icon instead
    visitor.look("wizard-s3-preview")
    press(page, "Load more")
    expect(page.locator(".objects .key")).to_have_count(31)
    expect(page.locator(".objects li").nth(24)).to_be_focused()
    no_secret(page, bucket.secret_key, bucket.access_key, '<img src="x"')
    press(page, "Next")
    expect(page.get_by_text("31 new objects")).to_be_visible()
    expect(page.locator("pre")).to_contain_text("s3://data/ships/")
    visitor.look("wizard-s3-review")
    no_secret(page, bucket.secret_key, bucket.access_key)
    page.go_back()
    expect(page.locator("#id-prefix")).to_have_value("ships")
    page.go_forward()
    press(page, "Save & Sync")
    page.wait_for_url(visitor.service.url + home)
    expect(page.get_by_text("its sync has begun")).to_be_visible()


def test_a_stored_bucket_is_changed_without_its_secret(visitor: Visitor, home: str, bucket: S3Fake) -> None:
    project = int(home.split("/")[2])
    stored = visitor.api("POST", "/api/storages/s3", about(project, bucket))
    page = visitor.open(f"{home}/source/s3/{stored['id']}/edit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Edit Source Storage")
    no_secret(page, bucket.secret_key, bucket.access_key)
    visitor.look("wizard-s3-edit")
    type_into(page, "Storage Title", "Renamed")
    press(page, "Next")
    expect(page.get_by_role("heading", name="Import settings")).to_be_visible()
    page.get_by_role("button", name="Review & Confirm").focus()
    page.keyboard.press("Enter")
    press(page, "Save")
    expect(page.get_by_text("Renamed is saved.")).to_be_visible()
    assert visitor.api("POST", f"/api/storages/s3/{stored['id']}/sync")["status"] != "failed", "the secret is still there"


def about(project: int, fake: S3Fake) -> dict[str, Any]:
    keys = {"aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key}
    return {"project": project, "title": "Ships", "bucket": "data", "s3_endpoint": fake.url, **keys, "use_blob_urls": True}


def test_a_directory_of_the_server(visitor: Visitor, home: str) -> None:
    directory = visitor.service.files / "wizard"
    directory.mkdir(exist_ok=True)
    (directory / "crane.png").write_bytes(png(200))
    page = visitor.open(f"{home}/source/new")
    choose(page, "Local files")
    type_into(page, "Storage Title", "Disk")
    type_into(page, "Absolute local path", str(visitor.service.files / "missing"))
    press(page, "Next")
    expect(page.get_by_text("does not exist").first).to_be_visible()
    visitor.look("wizard-localfiles-connection")
    type_into(page, "Absolute local path", str(directory))
    press(page, "Next")
    press(page, "Load preview")
    expect(page.get_by_text("1 new object")).to_be_visible()
    visitor.look("wizard-localfiles-preview")
    press(page, "Next")
    expect(page.locator("pre")).to_contain_text("crane.png")
    press(page, "Save")
    expect(page.get_by_text("Disk is connected.")).to_be_visible()


def test_a_volume_with_the_fields_of_the_chosen_sign_in(visitor: Visitor, home: str, volume: DatabricksFake) -> None:
    page = visitor.open(f"{home}/source/new")
    choose(page, "Databricks Files (UC Volumes)")
    expect(page.locator("#id-client_id")).to_be_hidden()
    page.get_by_label("Authentication Method").focus()
    page.keyboard.type("Databricks service")
    expect(page.locator("#id-client_id")).to_be_visible()
    expect(page.locator("#id-token")).to_be_hidden()
    visitor.look("wizard-databricks-principal")
    page.get_by_label("Authentication Method").focus()
    page.keyboard.press("Home")  # the first one; letters would be taken for more of the name before
    expect(page.locator("#id-token")).to_be_visible()
    for label, text in (("Storage Title", "Volume"), ("Workspace Host", volume.url), ("Access Token", volume.pat)):
        type_into(page, label, text)
    for label, text in (("Catalog", "main"), ("Schema", "default"), ("Volume", "data")):
        page.get_by_role("textbox", name=label).focus()
        page.keyboard.type(text)
    press(page, "Test connection")
    expect(page.locator(".probes .good")).to_have_count(2)
    visitor.look("wizard-databricks-tested")
    no_secret(page, volume.pat)
    press(page, "Next")
    page.locator("#id-recursive_scan").focus()
    page.keyboard.press("Space")
    press(page, "Load preview")
    expect(page.get_by_text("1 new object")).to_be_visible()
    press(page, "Next")
    press(page, "Save & Sync")
    expect(page.get_by_text("its sync has begun")).to_be_visible()


def test_a_target_shows_the_key_while_its_name_is_typed(visitor: Visitor, home: str, bucket: S3Fake) -> None:
    page = visitor.open(f"{home}/target/new")
    choose(page, "AWS S3")
    fill_bucket(page, bucket)
    type_into(page, "Bucket Prefix", "out")
    press(page, "Next")
    expect(page.locator("#example .key")).to_have_text("out/1")
    type_into(page, "Object name", "kind-{annotation_id}.json")
    expect(page.locator("#example .key")).to_have_text("out/kind-1.json")
    visitor.look("wizard-target-names")
    type_into(page, "Object name", "{nonsense}")
    expect(page.locator("#example")).to_contain_text("is no placeholder")
    press(page, "Save")
    expect(page.locator("#id-key_template")).to_be_focused()
    expect(page.locator("#error-key_template")).to_contain_text("is no placeholder")
    visitor.look("wizard-target-refused")
    type_into(page, "Object name", "{date}/{annotation_id}.json")
    press(page, "Save")
    expect(page.get_by_text("Ships is connected")).to_be_visible()


def test_a_lost_session_comes_back_to_the_same_step(visitor: Visitor, home: str, bucket: S3Fake) -> None:
    page = visitor.open(f"{home}/source/new")
    choose(page, "AWS S3")
    fill_bucket(page, bucket)
    press(page, "Next")
    expect(page.get_by_role("heading", name="Import settings")).to_be_visible()
    step = page.url
    page.context.clear_cookies(name="sessionid")
    press(page, "Load preview")
    page.wait_for_url(re.compile("/user/login/"))
    page.fill("input[name=username]", "sailor@harbour.example")
    page.fill("input[name=password]", "a-long-password-1")
    page.keyboard.press("Enter")
    page.wait_for_url(step)
    page.keyboard.press("Escape")
    page.wait_for_url(visitor.service.url + home)
