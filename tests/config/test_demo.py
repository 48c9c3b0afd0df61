"""The demo: real files that real readers open, and projects that are syncing when the server opens."""

import io
import json
import struct
import wave
import zlib
from pathlib import Path

import django_rq
import pyarrow.parquet
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config.demo import create_demo
from config.demo_files import HEIGHT, PICTURES, RATE, TEXTS, WIDTH, write_files
from projects.models import Project
from storages.base import ImportStorage
from users.models import User


def pixels(png: bytes) -> bytes:
    """The raw lines of a PNG; every chunk's checksum is checked (PNG specification section 5.3)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, data = 8, b""
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        chunk = png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length]) == (zlib.crc32(kind + chunk),)
        data += chunk if kind == b"IDAT" else b""
        place += 12 + length
    return zlib.decompress(data)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    write_files(root)
    return root


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_sound_png(files: Path, name: str) -> None:
    lines = pixels((files / "images" / f"{name}.png").read_bytes())
    assert len(lines) == HEIGHT * (1 + 3 * WIDTH)
    top, bottom, disc = PICTURES[name]
    assert tuple(lines[1:4]) == top and tuple(lines[-3:]) == bottom
    middle = (HEIGHT // 3) * (1 + 3 * WIDTH) + 1 + 3 * (WIDTH * 2 // 3)
    assert tuple(lines[middle : middle + 3]) == disc


def test_the_sound_is_two_seconds_of_something(files: Path) -> None:
    with wave.open(str(files / "sounds" / "chord.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, RATE, 2 * RATE)
        assert max(file.readframes(RATE)) > 0


def test_jsonl_and_parquet_hold_all_texts_between_them(files: Path) -> None:
    lines = [json.loads(line)["text"] for line in (files / "texts" / "reviews.jsonl").read_text().splitlines()]
    table = pyarrow.parquet.read_table(files / "texts" / "reviews.parquet")
    assert (*lines, *table.column("text").to_pylist()) == TEXTS


@pytest.fixture
def document_root(settings, tmp_path: Path) -> Path:
    settings.LOCAL_FILES_DOCUMENT_ROOT, settings.LOCAL_FILES_SERVING_ENABLED = str(tmp_path), True
    return tmp_path


@pytest.mark.django_db(transaction=True)
def test_every_demo_project_has_a_queued_sync_of_files_that_exist(alice: User, document_root: Path) -> None:
    projects = create_demo(alice)
    storages = [storage.concrete() for storage in ImportStorage.objects.with_backend()]
    assert [storage.project for storage in storages] == projects
    queued = django_rq.get_queue("low").job_ids
    for storage in storages:
        assert storage.run.state == "queued" and storage.run.job_id in queued
        client = storage.client()
        assert [info for page in client.list(recursive=False) for info in page.objects]
    assert {project.organization for project in projects} == {alice.active_organization}


@pytest.mark.django_db
def test_no_demo_is_made_beside_a_project(project: Project, document_root: Path) -> None:
    assert create_demo(project.created_by) == []
    assert list(document_root.iterdir()) == []


def setup_says() -> str:
    call_command("setup", stdout=(said := io.StringIO()))
    return said.getvalue()


@pytest.mark.django_db(transaction=True)
def test_setup_tells_a_generated_password_once(document_root: Path) -> None:
    first, second = setup_says(), setup_says()
    password = first.split("password: ")[1].split()[0]
    assert User.objects.get().check_password(password)
    assert "password:" not in second
    assert first.splitlines()[-1] == second.splitlines()[-1]  # the token
    assert not Project.objects.exists()  # DEMO is off unless `up` turns it on


@pytest.mark.django_db(transaction=True)
def test_setup_takes_the_first_user_from_the_environment(monkeypatch, document_root: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-a-file-1\n")
    monkeypatch.setenv("LABEL_STUDIO_USERNAME", "first@harbour.example")
    monkeypatch.setenv("LABEL_STUDIO_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("LABEL_STUDIO_USER_TOKEN", "c0ffee" * 6)
    monkeypatch.setenv("USERNAME", "account-of-the-machine")
    said = setup_says()
    assert "from-a-file-1" not in said and "first@harbour.example" in said and "c0ffee" * 6 in said
    assert User.objects.get(email="first@harbour.example").check_password("from-a-file-1")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("value", "projects"), [("true", 3), ("false", 0)])
def test_the_demo_comes_with_the_first_user_and_can_be_switched_off(
    monkeypatch, document_root: Path, value: str, projects: int
) -> None:
    monkeypatch.setenv("DEMO", value)
    setup_says()
    assert Project.objects.count() == projects
    Project.objects.all().delete()
    setup_says()
    assert Project.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value"), [("DEMO", "perhaps"), ("LABEL_STUDIO_USERNAME", "nobody"), ("LABEL_STUDIO_USER_TOKEN", "a b")]
)
def test_setup_refuses_what_it_cannot_use(monkeypatch, document_root: Path, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(CommandError):
        setup_says()
