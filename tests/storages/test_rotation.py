"""Changing the encryption key of a running service: add the new key, rotate, remove the old one."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from storages import jobs
from storages.backends.s3 import S3ExportStorage, S3ImportStorage
from storages.links import OutboxItem
from storages.runs import ImportRun
from users import legacy_tokens
from users.models import LegacyToken

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = "old-key-of-the-tests", "new-key-of-the-tests"
SECRETS = ("aws_access_key_id", "aws_secret_access_key")


@pytest.fixture
def old_storage(settings, s3_settings, create, alice):
    """The id of a source whose secrets, like Alice's token, were stored under the old key."""
    settings.STORAGE_ENCRYPTION_KEYS = [OLD]
    legacy_tokens.set_key(alice, "alices-own-key")
    create("export/s3", s3_settings)
    return create("s3", s3_settings)["id"]


def rotate(*options):
    out, err = StringIO(), StringIO()
    call_command("rotate_secrets", *options, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def ciphertexts():
    """Every stored secret as it lies in the database."""
    found = set()
    with connection.cursor() as cursor:
        for model, names in ((S3ImportStorage, SECRETS), (S3ExportStorage, SECRETS), (LegacyToken, ("ciphertext",))):
            cursor.execute(f"SELECT {', '.join(names)} FROM {model._meta.db_table}")
            found |= {value for row in cursor.fetchall() for value in row}
    return found


def test_after_a_rotation_the_old_key_can_go(settings, old_storage, s3_settings, alice, api):
    before = ciphertexts()
    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate() == ("5 rotated, 0 current, 0 changed meanwhile, 0 cleared, 0 unreadable", "")
    assert len(before) == 5 and not before & ciphertexts()
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    for model in (S3ImportStorage, S3ExportStorage):
        stored = model.objects.get()
        assert [getattr(stored, name) for name in SECRETS] == [s3_settings[name] for name in SECRETS]
        assert stored.aws_session_token is None
    assert legacy_tokens.show_key(alice) == "alices-own-key"
    assert api.post(f"/api/storages/s3/{old_storage}/sync").status_code == 200


def test_a_second_rotation_leaves_current_values_alone(settings, old_storage):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    rotate()
    once = ciphertexts()
    assert rotate()[0].startswith("0 rotated, 5 current")
    assert ciphertexts() == once


def test_a_value_changed_meanwhile_is_not_overwritten(settings, old_storage, s3_settings, monkeypatch):
    from config import crypto

    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    plain_rotate = crypto.rotate

    def edited_while_rotating(ciphertext):
        if crypto.decrypt(ciphertext) == s3_settings["aws_secret_access_key"]:
            S3ImportStorage.objects.filter(pk=old_storage).update(aws_secret_access_key="entered just now")
        return plain_rotate(ciphertext)

    monkeypatch.setattr(crypto, "rotate", edited_while_rotating)
    assert "1 changed meanwhile" in rotate()[0]
    assert S3ImportStorage.objects.get().aws_secret_access_key == "entered just now"


def test_more_values_than_one_chunk_are_all_rotated(settings, old_storage, project, monkeypatch):
    monkeypatch.setattr("storages.management.commands.rotate_secrets.CHUNK", 2)
    for _ in range(4):
        S3ImportStorage.objects.create(project=project, aws_secret_access_key="x", aws_session_token="")
    settings.STORAGE_ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate()[0].startswith("9 rotated, 0 current")
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    assert {storage.aws_session_token for storage in S3ImportStorage.objects.all()} == {None, ""}


def test_values_that_no_key_opens_are_named_and_end_with_exit_code_1(settings, old_storage, alice):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    before, err = ciphertexts(), StringIO()
    with pytest.raises(CommandError, match="--clear-unreadable") as failure:
        call_command("rotate_secrets", stdout=StringIO(), stderr=err)
    assert failure.value.returncode == 1
    assert f"storages.S3ImportStorage {old_storage} aws_secret_access_key: no key" in err.getvalue()
    assert f"users.LegacyToken {alice.legacy_token.pk} ciphertext: no key" in err.getvalue()
    assert ciphertexts() == before
    assert not [value for value in before if value in err.getvalue()]


def test_while_the_key_is_missing_the_routes_answer_503_and_say_what_to_do(settings, old_storage, api, project, s3_settings):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    detail, listing = f"/api/storages/s3/{old_storage}", {"project": project.pk}
    answers = [api.get(detail), api.get("/api/storages/s3/", listing), api.get("/api/storages/", listing), api.delete(detail)]
    answers += [
        api.patch(detail, {"title": "x"}),
        api.post(f"{detail}/sync"),
        api.post("/api/storages/s3/files", {"id": old_storage}),
    ]
    for answer in answers:
        assert answer.status_code == 503 and answer.json()["status_code"] == 503
        assert "STORAGE_ENCRYPTION_KEYS" in answer.json()["detail"]
    assert api.post("/api/storages/s3/", s3_settings).status_code == 201, "other storages can still be made"


def test_jobs_that_meet_a_missing_key_end_with_the_same_words(settings, old_storage, api, work, project):
    api.post(f"/api/storages/s3/{old_storage}/sync")
    target = S3ExportStorage.objects.get()
    OutboxItem.objects.create(storage_id=target.pk, form="annotation", subject=1)
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    jobs.tick()
    work()
    run = ImportRun.objects.get()
    assert (run.state, run.error_code) == ("failed", "decryption") and "STORAGE_ENCRYPTION_KEYS" in run.error
    assert OutboxItem.objects.get().attempts == 1, "the delivery waits for the key, longer each time"


def test_cleared_credentials_can_be_entered_again(settings, old_storage, api, s3_settings, alice):
    settings.STORAGE_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError):  # the token cannot be cleared: its owner replaces it
        rotate("--clear-unreadable")
    detail = f"/api/storages/s3/{old_storage}"
    assert api.get(detail).status_code == 200
    assert "enter an access key" in str(api.post(f"{detail}/sync").json())
    assert api.patch(detail, {name: s3_settings[name] for name in SECRETS}).status_code == 200
    assert api.post(f"{detail}/sync").status_code == 200
    legacy_tokens.set_key(alice)
    assert rotate() == ("0 rotated, 3 current, 0 changed meanwhile, 0 cleared, 0 unreadable", "")
