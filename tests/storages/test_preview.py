"""The files preview where the storage, the names in it or the filter misbehave: an honest answer within its time, never a 500."""

import time

import pytest

from storages.api import preview
from storages.providers import http
from storages.sync import patterns
from tests.backends.boxes import HARNESSES
from tests.fakes.s3 import S3Fake
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)
POISON = "a" * 60 + "!"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Slow names are given up at once."""
    monkeypatch.setattr(patterns, "MATCH_TIMEOUT", 0.01)


@pytest.fixture
def slow_store(s3_settings):
    """A store of 40 objects, four to a page, and the settings to reach it."""
    with S3Fake(page_cap=4) as store:
        store.create_bucket("data")
        for number in range(40):
            store.put("data", f"{number:02}.png", b"x")
        keys = {"aws_access_key_id": store.access_key, "aws_secret_access_key": store.secret_key}
        yield store, s3_settings | keys | {"s3_endpoint": store.url}
        store.heal()


def test_names_that_a_sync_would_report_are_no_rows(api, documents, project):
    box = HARNESSES["redis"](documents)
    try:
        for name in ("ok.json", POISON):
            box.put(name, b"{}")
        box.admin.set(b"bad\xff.json", b"{}")
        settings = box.settings() | {"project": project.pk, "regex_filter": r"(a|aa)+$|.*json"}
        answer = api.post("/api/storages/redis/files", settings)
        assert (answer.status_code, [row["key"] for row in answer.json()["files"]]) == (200, ["ok.json"]), answer.content
    finally:
        box.close()


def test_a_filter_that_is_poison_to_every_name_is_refused(api, s3, s3_settings):
    for number in range(25):
        s3.put("data", f"{POISON}{number}!", b"x")
    body = envelope(api.post("/api/storages/s3/files", s3_settings | {"regex_filter": r"(a|aa)+$"}), 400)
    assert "simplify" in body["validation_errors"]["regex_filter"][0]


def test_a_preview_that_takes_too_long_says_so_behind_what_it_found(api, slow_store, monkeypatch):
    store, settings = slow_store
    monkeypatch.setattr(preview, "TIME_LIMIT", 1.0)
    store.delay(0.3)
    began = time.monotonic()
    files = api.post("/api/storages/s3/files", settings).json()["files"]
    assert time.monotonic() - began < 2 and files[0]["key"] == "00.png"
    assert files[-1] == preview.TIMED_OUT and 4 < len(files) < 20


def test_a_store_that_does_not_answer_at_all_ends_the_preview_in_time(api, slow_store, monkeypatch):
    store, settings = slow_store
    monkeypatch.setattr(preview, "TIME_LIMIT", 0.5)
    store.delay(2, n=1)
    began = time.monotonic()
    assert api.post("/api/storages/s3/files", settings).json()["files"] == [preview.TIMED_OUT]
    assert time.monotonic() - began < 1.5


def test_a_store_that_only_asks_to_slow_down_is_named_as_that(api, slow_store, monkeypatch):
    store, settings = slow_store
    monkeypatch.setattr(preview, "TIME_LIMIT", 1.0)
    monkeypatch.setattr(http, "RETRIES", 0)
    store.fail_next(999)
    body = envelope(api.post("/api/storages/s3/files", settings), 400)
    assert body["connection"]["code"] == "throttled"


def test_a_preview_gets_over_short_trouble_as_a_sync_does(api, slow_store, monkeypatch):
    store, settings = slow_store
    monkeypatch.setattr(http, "RETRIES", 0)
    store.fail_next(2)
    assert len(api.post("/api/storages/s3/files", settings).json()["files"]) == 40
