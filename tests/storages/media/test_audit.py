"""The audit log of media: a line for each read, and nothing secret in it."""

import json
import logging

import pytest
from django.test import Client as Browser

from tests.storages.media.asking import ROUTES, URI, address, content


@pytest.fixture
def lines(caplog):
    """What the audit log holds, as parsed JSON; it is switched on."""
    logger = logging.getLogger("storages.media.audit")
    level, logger.propagate = logger.level, True
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(record.message) for record in caplog.records if record.name == logger.name]
    logger.setLevel(level)


def test_every_read_is_a_line_with_who_what_and_how(api, alice, task, source, lines):
    storage = source(presign=False)
    content(api.get(address(ROUTES[0], task), headers={"Range": "bytes=0-3"}))
    api.head(address(ROUTES[2], task))
    first, second = lines()
    wanted = {"user": alice.pk, "task": task.pk, "project": task.project_id, "storage": storage.pk, "uri": URI, "type": "s3"}
    assert wanted.items() <= first.items()
    assert (first["method"], first["range"], first["status"], first["by"]) == ("GET", "bytes=0-3", 206, "proxy")
    assert (second["method"], second["task"], second["status"]) == ("HEAD", None, 200)


def test_redirects_and_signed_links_are_noted_without_the_signed_url(api, alice, task, source, lines, caplog):
    source()
    link = api.get(f"/api/tasks/{task.pk}/?signed_links=true").json()["data"]["image"]
    assert Browser().get(link).status_code == 303
    (line,) = lines()
    assert (line["user"], line["by"], line["status"]) == (alice.pk, "redirect", 303)
    assert "Signature" not in caplog.text and "signature" not in caplog.text


def test_nothing_is_noted_for_what_was_refused(stranger, task, source, lines):
    source()
    stranger.get(address(ROUTES[0], task))
    assert lines() == []


def test_the_log_is_off_unless_a_place_is_named(api, task, source, caplog):
    source(presign=False)
    content(api.get(address(ROUTES[0], task)))
    assert not [record for record in caplog.records if record.name == "storages.media.audit"]
