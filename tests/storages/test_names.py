"""What exported objects are called: Label Studio's names, templates that are filled in, and those that are refused."""

import posixpath
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storages.backends.s3 import S3ExportStorage
from storages.errors import ConfigInvalid
from storages.links import Form
from storages.names import LONGEST, Subject, check, form_of, parse, render
from storages.sources import LONGEST as LONGEST_SOURCE
from storages.sources import source_name

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SUBJECT = Subject(4, 31, 3, NOON, "data/a/b/img1.jpg", "data/")
IDS = st.integers(1, 2**63 - 1)
SUBJECTS = st.builds(
    Subject,
    IDS,
    IDS,
    IDS,
    st.just(NOON),
    st.text(max_size=1200),
    st.sampled_from(["", "a/"]),
    st.integers(0, 3),
    st.integers(0, 3),
)
TEMPLATES = ["{annotation_id}", "{storage_filename}-{annotation_id}.json", "{annotation_id}/{storage_filename}.{date}", "{date}/{task_id}-{annotation_id}", "{project_id}_{storage_filename}_{task_id}.{annotation_id}x"]  # fmt: skip


def target(template: str = "", form: str = "", **more: str) -> S3ExportStorage:
    return S3ExportStorage(key_template=template, object_form=form, project_id=4, **more)


@pytest.mark.parametrize(
    ("tasks", "extension", "form", "name"),
    [(False, True, "", "3"), (True, True, "", "31.json"), (True, False, "", "31"), (True, True, "annotation", "3"), (False, True, "task", "31.json")],
)  # fmt: skip
def test_without_a_template_names_are_label_studios_and_the_form_is_the_servers(settings, tasks, extension, form, name):
    settings.FUTURE_SAVE_TASK_TO_STORAGE, settings.FUTURE_SAVE_TASK_TO_STORAGE_JSON_EXT = tasks, extension
    assert render(target(form=form), [SUBJECT]) == [name]
    assert form_of(target(form=form)) == (form or (Form.TASK if tasks else Form.ANNOTATION))


@pytest.mark.parametrize(
    ("template", "form", "name"),
    [
        ("{annotation_id}.json", "annotation", "3.json"),
        ("{date}/{project_id}/{task_id}-{annotation_id}", "annotation", "2026-03-04/4/31-3"),
        ("{storage_filename}.json", "task", "a/b/img1.json"),
        ("{storage_filename}/{annotation_id}.json", "annotation", "a/b/img1/3.json"),
        ("{{{task_id}}}", "task", "{31}"),
        ("{{task_id}}-{task_id}", "task", "{task_id}-31"),
        ("日本/ü {task_id}", "task", "日本/ü 31"),
    ],
)
def test_a_template_is_filled_in(template, form, name):
    check(target(template, form))
    assert render(target(template, form), [SUBJECT]) == [name]


def test_the_date_is_the_day_in_utc_whatever_the_clock_of_the_row():
    late = SUBJECT._replace(created_at=datetime(2026, 3, 4, 23, 30, tzinfo=timezone(timedelta(hours=-5))))
    assert render(target("{date}-{task_id}", "task"), [late]) == ["2026-03-05-31"]


@pytest.mark.parametrize(
    ("key", "root", "place", "name"),
    [
        ("data/a/b/img1.jpg", "data/", (0, 0), "a/b/img1"),
        ("img1.jpg", "", (0, 0), "img1"),
        ("archive.tar.gz", "", (0, 0), "archive.tar"),
        (".hidden", "", (0, 0), ".hidden"),
        ("no-extension", "", (0, 0), "no-extension"),
        ("tasks.jsonl", "", (0, 7), "tasks-row-7"),
        ("tasks.parquet", "", (2, 7), "tasks-row-2-7"),
        ("../../etc/passwd.txt", "", (0, 0), "etc/passwd"),
        ("a/./b//c.txt", "", (0, 0), "a/b/c"),
        ("a\\..\\b.txt", "", (0, 0), "a/b"),
        ("a/trailing. /x. .png", "", (0, 0), "a/trailing/x"),
        ("new\nline\x00.png", "", (0, 0), "new_line_"),
        ("not-utf8-\udcff.png", "", (0, 0), "not-utf8-_"),
        ("elsewhere/x.png", "data/", (0, 0), "elsewhere/x"),
        ("snapshots/4/20260101T000000Z-1/part-00000.jsonl", "", (0, 0), "_snapshots/4/20260101T000000Z-1/part-00000"),
        ("snapshots/of/a.png", "", (0, 0), "snapshots/of/a"),
        ("", "", (0, 0), ""),
        ("...", "", (0, 0), ""),
    ],
)
def test_an_import_object_gives_its_path_below_the_root_without_extension_and_without_what_is_unsafe(key, root, place, name):
    assert source_name(key, root, *place) == name


def test_a_task_without_an_object_of_its_own_is_named_by_its_id():
    assert render(target("{storage_filename}.json", "task"), [SUBJECT._replace(source_key="")]) == ["task-31.json"]


def test_long_object_names_are_cut_and_still_differ():
    keys = [f"{folder}/{'x' * 400}{end}.jpg" for folder in ("a", "f/" * 300) for end in "12"]
    names = [source_name(key, "") for key in keys]
    assert len(set(names)) == 4 and max(len(name) for name in names) <= LONGEST_SOURCE
    assert names[0].startswith("a/xxxxx")


@pytest.mark.parametrize(
    ("template", "form", "said"),
    [
        ("{filename}", "task", "{storage_filename}"),
        ("{}", "task", "placeholder"),
        ("{0}", "task", "placeholder"),
        ("{task_id.x}", "task", "placeholder"),
        ("{task_id[0]}", "task", "placeholder"),
        ("{task_id!r}", "task", "placeholder"),
        ("{task_id:>9}", "task", "placeholder"),
        ("{task_id:}", "task", "placeholder"),
        ("{ task_id }", "task", "placeholder"),
        ("{task_id", "task", "{{"),
        ("task_id}", "task", "}}"),
        ("${task_id}", "task", "leave out the $"),
        ("../{task_id}", "task", ".."),
        ("a/../{task_id}", "task", ".."),
        ("./{task_id}", "task", ".."),
        ("{task_id}/.", "task", ".."),
        ("{task_id}.", "task", "dot"),
        ("{task_id} /x", "task", "space"),
        ("/{task_id}", "task", "begin"),
        ("{task_id}/", "task", "end"),
        ("a//{task_id}", "task", "two in a row"),
        ("a\\{task_id}", "task", "backslash"),
        ("a\n{task_id}", "task", "control"),
        ("\ud800{task_id}", "task", "control"),
        ("{task_id}{date}", "task", "between two"),
        ("{task_id}12{annotation_id}", "annotation", "between two"),
        ("{storage_filename}-{storage_filename}", "task", "once"),
        ("snapshots/{task_id}", "task", "kept for snapshots"),
        ("static.json", "task", "{task_id} or {storage_filename}"),
        ("{date}.json", "task", "{task_id} or {storage_filename}"),
        ("{task_id}-{annotation_id}", "task", "object_form"),
        ("{task_id}.json", "annotation", "{annotation_id}"),
        ("x" * 240 + "{task_id}", "task", "255 bytes"),
        ("ü" * 100 + "{storage_filename}", "task", "255 bytes"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_what_to_do(template, form, said):
    with pytest.raises(ConfigInvalid, match="(?s)") as refused:
        check(target(template, form))
    assert refused.value.field == "key_template" and said in str(refused.value)


def test_names_that_could_be_longer_than_a_key_may_be_are_refused_with_their_prefix():
    check(target("{storage_filename}", "task", prefix="p" * 511))
    with pytest.raises(ConfigInvalid, match="1025 bytes"):
        check(target("{storage_filename}", "task", prefix="p" * 512))


def test_an_unknown_form_is_refused_by_its_own_field():
    with pytest.raises(ConfigInvalid) as refused:
        check(target(form="both"))
    assert refused.value.field == "object_form"


@given(st.sampled_from(TEMPLATES), SUBJECTS)
def test_no_name_leads_out_of_the_folder_or_is_too_long_or_cannot_be_stored(template, subject):
    name = parse(template, Form.ANNOTATION).name(subject)
    assert len(name.encode()) <= LONGEST and max(len(part.encode()) for part in name.split("/")) <= 255
    assert posixpath.normpath(name) == name and not name.startswith(("/", "..")) and "\\" not in name
    assert name.isprintable() or all(char >= " " for char in name)


@given(st.sampled_from(TEMPLATES), SUBJECTS, SUBJECTS)
def test_names_with_the_id_never_coincide(template, one, other):
    assume(one.annotation_id != other.annotation_id)
    made = parse(template, Form.ANNOTATION)
    assert made.name(one) != made.name(other)


def test_whatever_template_is_accepted_tells_annotations_apart():
    """Every template of four pieces, with ids and file names that run together where nothing stands between them."""
    pieces = ["{task_id}", "{project_id}", "{date}", "{storage_filename}", "-", "1", "/", "a"]
    parts = [part[:place] + ("{annotation_id}",) + part[place:] for part in product(pieces, repeat=3) for place in range(4)]
    files = ["1", "11-1", "a", "1-1", "a1/1", "2026-03-04"]
    subjects = [Subject(1, task, pk, NOON, f"{file}.x") for task in (1, 11) for pk in (1, 11, 111, 2) for file in files]
    accepted = 0
    for text in {"".join(one) for one in parts}:
        with suppress(ConfigInvalid):
            made = parse(text, Form.ANNOTATION)
            accepted += 1
            holders = {}
            for one in subjects:
                assert holders.setdefault(made.name(one), one.annotation_id) == one.annotation_id, text
    assert accepted > 200


@given(st.text(max_size=60))
def test_any_text_is_either_a_template_or_refused(text):
    try:
        parse(text, Form.TASK)
    except ConfigInvalid as refused:
        assert refused.field == "key_template"
