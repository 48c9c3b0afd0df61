"""The command line of operators in trouble: wrong numbers, no database, no reader, no key, and a target's run called off."""

import os

import pytest
from django.core.management import CommandError, call_command

from storages import importing, status
from storages.base import ExportStorage, ImportStorage
from storages.cli import following
from storages.links import Form, OutboxItem
from storages.runs import ExportRun, ImportRun
from tests.environment import free_port
from tests.storages.test_command import process as process  # noqa: F401 - the fixture
from tests.storages.test_command import source as source  # noqa: F401 - the fixture
from tests.storages.test_command import tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("arguments", [("list", "--project"), ("runs", "1", "--limit")])
@pytest.mark.parametrize("number", [10**20, 2**63, 0, -1, "x", "9" * 5000])
def test_a_number_that_no_database_can_hold_is_wrong_usage(arguments, number):
    with pytest.raises(CommandError, match="is no number from 1 to 9223372036854775807"):
        call_command("storage", *arguments[:-1], f"{arguments[-1]}={number}")


@pytest.mark.parametrize("number", [-(10**20), 0, 2**63, 10**20])
def test_a_run_whose_number_is_out_of_range_does_not_exist(source, number):
    _, err, code = tell("runs", source, f"--issues={number}")
    assert code == 2 and "has no run" in err


def test_without_a_database_it_says_so_in_one_line(process, tmp_path):
    away = f"postgres://me:hush@127.0.0.1:{free_port()}/none"
    empty = f"sqlite:///{tmp_path}/empty.sqlite3"
    for ended in [process("list", url=empty), process("sync", 1, "--here", url=empty), process("runs", 1, url=away)]:
        out, err = ended.communicate(timeout=60)
        assert (ended.returncode, out, err.count("\n")) == (1, "", 1), err
        assert "the database (DATABASE_URL) cannot be used" in err and "migrate" in err and "hush" not in err


@pytest.mark.parametrize("arguments", [("list",), ("plan",)])
def test_a_reader_that_has_gone_is_nothing_to_complain_about(source, process, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    ended = process(arguments[0], *([] if arguments[0] == "list" else [source]), *arguments[1:], stdout=writer)
    os.close(writer)
    assert (ended.communicate(timeout=60)[1], ended.returncode) == ("", 1)


def test_what_needs_no_secret_works_with_secrets_that_no_key_opens(source, create, s3_settings, settings):
    target = create("export/s3", s3_settings, webhook_url="https://1.1.1.1/", webhook_secret="hush")["id"]
    ImportStorage.objects.filter(pk=source).update(webhook_secret="hush")
    run = importing.begin(ImportStorage.objects.get(pk=source).concrete(), None, "api")
    settings.STORAGE_ENCRYPTION_KEYS = ["another"]
    out, err, code = tell("list")
    assert (code, err) == (0, "") and f"s3/{source} " in out and f"s3/{target} " in out
    assert str(run.pk) in tell("runs", source)[0] and tell("runs", source, "--issues", run.pk)[2] == 0
    assert tell("runs", target, "--export")[2] == 0
    _, err, code = tell("cancel", source)
    assert (code, err) == (0, "") and ImportRun.objects.get().state == "cancelled"
    _, err, code = tell("sync", source, "--here")
    assert code == 1 and "STORAGE_ENCRYPTION_KEYS" in err


@pytest.fixture
def exported(api, create, s3_settings, project) -> ExportRun:
    """A run of a target whose annotations wait in the outbox, as an export that a worker began leaves them."""
    task = api.post("/api/tasks/", {"project": project.pk, "data": {"image": "x"}}).json()["id"]
    annotation = api.post(f"/api/tasks/{task}/annotations/", {"result": []}).json()["id"]
    pk = create("export/s3", s3_settings)["id"]
    ExportRun.objects.filter(storage_id=pk).delete()
    OutboxItem.objects.all().delete()
    run = status.begin(ExportStorage.objects.get(pk=pk), user=None, trigger="api")
    OutboxItem.objects.create(storage_id=pk, form=Form.ANNOTATION, subject=annotation, run_id=run.pk)
    return run


def test_cancelling_a_target_withdraws_what_its_run_would_have_written(exported):
    _, err, code = tell("cancel", exported.storage_id, "--export")
    assert (code, err) == (0, "") and not OutboxItem.objects.filter(run_id=exported.pk).exists()


def test_ctrl_c_of_a_target_here_withdraws_what_its_run_would_have_written(exported, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise following.Interrupted

    monkeypatch.setattr(following, "follow", interrupted)
    monkeypatch.setattr(following, "_work", lambda run: None)
    assert following.here(exported, print)["state"] == "cancelled"
    assert not OutboxItem.objects.filter(run_id=exported.pk).exists()
