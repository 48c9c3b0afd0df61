"""What only directories have: an owner and a mode."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storages.backends.localfiles import LocalFilesImportStorage
from storages.doctor import examine
from storages.errors import ConfigInvalid
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
