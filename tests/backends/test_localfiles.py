"""What only directories have: an owner and a mode."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from storages.backends.localfiles import LocalFilesImportStorage
from storages.doctor import examine
from storages.errors import AccessDenied, ConfigInvalid, Unavailable
from storages.providers.localfiles import TEMPORARY
from tests.backends.boxes.localfiles import LocalFilesHarness

NOBODY = 65534  # root may do everything, so the test becomes somebody else


@contextmanager
def somebody_else() -> Iterator[None]:
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def box(documents) -> Iterator[LocalFilesHarness]:
    harness = LocalFilesHarness(documents / "box")
    harness.put("t/a.txt", b"x")
    for folder in (documents.parent, documents, documents / "box", documents / "box" / "t"):
        folder.chmod(0o755)
    yield harness
    harness.close()


def test_a_directory_whose_name_only_begins_like_the_document_root_is_outside_of_it(tmp_path, settings):
    root, private = tmp_path / "ds", tmp_path / "ds-private"
    (root / "in").mkdir(parents=True)
    private.mkdir()
    (root / "link").symlink_to(private)
    settings.LOCAL_FILES_DOCUMENT_ROOT = str(root)
    assert LocalFilesImportStorage(path=str(root / "in")).client()
    for path in (private, root / "link", root / ".." / "ds-private", root):
        with pytest.raises(ConfigInvalid, match="document root|DOCUMENT_ROOT"):
            LocalFilesImportStorage(path=str(path)).client()


@pytest.mark.parametrize(
    ("verbs", "folder_mode", "file_mode", "verb"),
    [({"list", "read"}, 0o000, 0o644, "list"), ({"list", "read"}, 0o755, 0o000, "read"), ({"list", "write"}, 0o555, 0o644, "write")],
)  # fmt: skip
def test_a_mode_that_keeps_us_out_is_no_permission_and_names_verb_and_grant(box, verbs, folder_mode, file_mode, verb):
    folder = box.directory / "t"
    (folder / "a.txt").chmod(file_mode)
    folder.chmod(folder_mode)
    with somebody_else():
        report = examine(lambda: box.client("t/"), verbs)
    folder.chmod(0o755)
    assert (report.error.code, report.error.verb) == ("no_permission", verb)
    assert "permission on" in report.error.grant and "change its owner or mode" in str(report.error)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A write of more bytes fails as on a full disk, in this process; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(box):
    client = box.client("t/")
    key = box.key("t/1.json")
    client.write(key, b"old")
    with files_limited_to(10), pytest.raises(Unavailable, match="1.json.*ulimit"):
        client.write(key, b"x" * 100)
    assert box.get("t/1.json") == b"old"
    assert sorted(os.listdir(box.directory / "t")) == ["1.json", "a.txt"]


def test_what_a_write_left_when_the_server_died_is_neither_listed_nor_in_the_way(box):
    box.put(f"t/{TEMPORARY}0123456789abcdef", b"half a la")
    client = box.client("t/")
    client.write(box.key("t/1.json"), b"{}")
    listed = [box.name_of(item.key) for page in client.list(recursive=True) for item in page.objects]
    assert listed == ["t/1.json", "t/a.txt"]


@pytest.mark.parametrize("name", ["t/a.txt/1.json", "t/a.txt/deep/1.json", "t"])
def test_a_file_where_a_folder_has_to_be_is_said_to_be_in_the_way(box, name):
    with pytest.raises(ConfigInvalid, match="move it away"):
        box.client().write(box.key(name), b"{}")
    assert box.get("t/a.txt") == b"x"


def test_no_folder_is_made_through_a_link_that_leads_out(box, tmp_path):
    (box.directory / "t" / "out").symlink_to(tmp_path)
    with pytest.raises(AccessDenied):
        box.client("t/").write(box.key("t/out/deep/er/1.json"), b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_exchanged_for_a_link_while_it_is_written_to_leads_nowhere(box, tmp_path, monkeypatch):
    """The folder is real when its name is judged, and a link when it is opened."""
    folder, plain = box.directory / "t" / "now", os.open
    folder.mkdir()

    def exchanged(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_DIRECTORY and not folder.is_symlink():
            folder.rename(box.directory / "aside")
            folder.symlink_to(tmp_path)
        return plain(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", exchanged)
    with pytest.raises(AccessDenied):
        box.client("t/").write(f"{folder}/1.json", b"{}")
    assert folder.is_symlink() and list(tmp_path.iterdir()) == []
