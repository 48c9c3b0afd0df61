"""Policies, schedule and webhook of a storage over the API: defaults, what is refused, what saving a schedule does."""

import json

import pytest

from storages.backends.s3 import S3ImportStorage
from storages.base import ImportStorage
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = {
    "changed_policy": "update",
    "vanished_policy": "delete",
    "renamed_policy": "follow",
    "vanished_cap": 100,
    "sync_workers": 64,
    "sync_reads": 256,
}
COMMON = {"sync_schedule": "every 15 minutes", "sync_timezone": "Europe/Berlin", "webhook_url": "https://hooks.example/x?y=1"}
WRONG = [
    ({"sync_schedule": "sometimes"}, "sync_schedule", "no schedule"),
    ({"sync_schedule": "0 0 30 2 *"}, "sync_schedule", "never comes"),
    ({"sync_schedule": None}, "sync_schedule", "null"),
    ({"sync_schedule": "x" * 129}, "sync_schedule", "128"),
    ({"sync_timezone": "Mars/Olympus"}, "sync_timezone", "no time zone"),
    ({"sync_timezone": ""}, "sync_timezone", "blank"),
    ({"webhook_url": "ftp://hooks.example"}, "webhook_url", "http"),
    ({"webhook_url": "https://u:hush@hooks.example"}, "webhook_url", "user name"),
]
WRONG_POLICIES = [
    ({"changed_policy": "burn"}, "changed_policy", "not a valid choice"),
    ({"vanished_policy": ""}, "vanished_policy", "not a valid choice"),
    ({"renamed_policy": None}, "renamed_policy", "null"),
    ({"vanished_cap": 101}, "vanished_cap", "less than or equal to 100"),
    ({"vanished_cap": -1}, "vanished_cap", "greater than or equal to 0"),
    ({"sync_workers": 0}, "sync_workers", "greater than or equal to 1"),
    ({"sync_workers": 65}, "sync_workers", "less than or equal to 64"),
    ({"sync_reads": 0}, "sync_reads", "greater than or equal to 1"),
    ({"sync_reads": "many"}, "sync_reads", "integer"),
]
REFUSED = [(route, *wrong) for route in ("s3", "export/s3") for wrong in WRONG] + [("s3", *wrong) for wrong in WRONG_POLICIES]


@pytest.mark.parametrize("route", ["s3", "export/s3"])
def test_settings_are_kept_and_a_patch_changes_only_what_it_names(api, s3_settings, create, route):
    wanted = COMMON | (SETTINGS if route == "s3" else {})
    made = create(route, s3_settings, **wanted, webhook_secret="hush-hush", next_sync="2001-01-01T00:00:00Z", last_run=7)
    assert wanted.items() <= made.items() and made["last_run"] != 7 and made["next_sync"] > made["created_at"]
    changed = api.patch(f"/api/storages/{route}/{made['id']}", {"title": "T"}).json()
    assert (wanted | {"next_sync": made["next_sync"]}).items() <= changed.items(), "the schedule did not change"
    assert "hush" not in json.dumps([made, changed]) and "webhook_secret" not in changed


@pytest.mark.parametrize(("route", "change", "field", "said"), REFUSED)
def test_a_wrong_setting_is_a_400_that_names_it(api, s3_settings, create, route, change, field, said):
    pk = create(route, s3_settings)["id"]
    slash = "" if "export" in route else "/"
    for answer in (
        api.post(f"/api/storages/{route}{slash}", s3_settings | change),
        api.post(f"/api/storages/{route}/validate", s3_settings | change),
        api.patch(f"/api/storages/{route}/{pk}", change),
    ):
        body = envelope(answer, 400)
        assert list(body["validation_errors"]) == [field] and said in str(body["validation_errors"][field]), body
        assert "hush" not in json.dumps(body)


def test_a_webhook_in_a_reserved_network_is_refused_like_any_other_address(api, s3_settings):
    body = envelope(api.post("/api/storages/s3/", s3_settings | {"webhook_url": "http://169.254.169.254/latest"}), 403)
    assert "reserved network" in body["detail"] and body["connection"]["field"] == "webhook_url"
    assert not S3ImportStorage.objects.exists()


def test_the_next_sync_follows_the_schedule(api, s3_settings, create):
    pk = create("s3", s3_settings)["id"]
    path = f"/api/storages/s3/{pk}"
    assert api.get(path).json()["next_sync"] is None
    daily = api.patch(path, {"sync_schedule": "0 3 * * *"}).json()
    assert daily["next_sync"][11:16] == "03:00"
    moved = api.patch(path, {"sync_timezone": "Asia/Tokyo"}).json()
    assert moved["next_sync"][11:16] == "18:00"
    assert api.patch(path, {"synchronizable": False}).json()["next_sync"] is None
    assert api.patch(path, {"synchronizable": True}).json()["next_sync"] == moved["next_sync"]
    assert api.patch(path, {"sync_schedule": ""}).json()["next_sync"] is None
    assert ImportStorage.objects.get(pk=pk).next_sync is None


def test_the_webhook_secret_stays_until_it_is_changed_and_hinders_no_other_change(api, s3_settings, create):
    pk = create("s3", s3_settings, webhook_url="https://hooks.example/", webhook_secret="hush-hush")["id"]
    keys = {name: s3_settings[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
    endpoint = s3_settings["s3_endpoint"].replace("127.0.0.1", "localhost")
    assert api.patch(f"/api/storages/s3/{pk}", keys | {"s3_endpoint": endpoint}).status_code == 200
    for change, kept in (
        ({"webhook_secret": ""}, "hush-hush"),
        ({"webhook_secret": "new"}, "new"),
        ({"webhook_secret": None}, None),
    ):
        assert api.patch(f"/api/storages/s3/{pk}", change).status_code == 200
        assert S3ImportStorage.objects.get(pk=pk).webhook_secret == kept


@pytest.mark.parametrize("backend", ["s3", "gcs", "azure", "redis", "localfiles", "databricks"])
def test_every_form_ends_with_rows_for_policies_schedule_and_webhook(api, backend):
    rows = api.get(f"/api/storages/{backend}/form").json()
    own = {row["name"]: row for line in rows for row in line["fields"]}
    assert [[field["name"] for field in row["fields"]] for row in rows[-4:]] == [
        ["changed_policy", "vanished_policy", "renamed_policy"],
        ["vanished_cap", "sync_workers", "sync_reads"],
        ["sync_schedule", "sync_timezone"],
        ["webhook_url", "webhook_secret"],
    ]
    assert own["vanished_cap"] | {"type": "counter", "min": 0, "max": 100, "value": 20} == own["vanished_cap"]
    assert own["sync_reads"] | {"min": 1, "max": 256, "value": 32} == own["sync_reads"]
    assert own["changed_policy"]["type"] == "select" and own["changed_policy"]["value"] == "ignore"
    assert own["sync_timezone"]["value"] == "UTC" and own["webhook_secret"]["type"] == "password"
    export = api.get(f"/api/storages/export/{backend}/form").json()
    names = [field["name"] for row in export for field in row["fields"]]
    common = ["sync_schedule", "sync_timezone", "webhook_url", "webhook_secret"]
    assert names[-6:] == ["object_form", "key_template", *common] and "changed_policy" not in names
