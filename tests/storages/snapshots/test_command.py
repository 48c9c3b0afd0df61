"""``manage.py storage snapshot``: writes one and follows it to its end."""

import json

import pytest

from storages.runs import ExportRun
from tests.storages.snapshots.conftest import manifest_of
from tests.storages.test_command import tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_snapshot_is_written_here_and_told(target, label, project):
    label(3)
    place = target()
    out, err, code = tell("snapshot", f"s3/{place.id}", "--here", "--json", "--format", "parquet", "--name", "v1")
    told = json.loads(out)
    assert (code, told["state"], told["snapshot"]["format"]) == (0, "completed", "parquet"), err
    assert told["snapshot"]["folder"].endswith("-v1/") and manifest_of(place, told)["counts"]["tasks"] == 3


def test_what_cannot_be_written_is_refused(target, s3):
    place = target()
    assert tell("snapshot", place.id, "--here", "--name", "a/b")[2] != 0
    assert tell("snapshot", 99999, "--here")[2] == 2
    ExportRun.objects.create(storage_id=place.id)
    assert "under way" in tell("snapshot", place.id, "--here")[1]
