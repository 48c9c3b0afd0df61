"""A task of a snapshot becomes a draft with what the server sets; values that no column takes are refused by name."""

import pytest

from tasks.authors import Authors
from tasks.restoring import restore_row
from tasks.validation import RowInvalid, parse_row

ANNOTATION = {
    "id": 7,
    "result": [],
    "unique_id": "0d1e0d36-9d3c-4b55-a0c9-8a4b0cf9b8a1",
    "import_id": 3,
    "last_action": "submitted",
}
ELEMENT = {"data": {"a": 1}, "meta": None, "annotations": [ANNOTATION], "predictions": [{"result": [], "model_version": None}]}


def changed(part, **values):
    if part == "task":
        return ELEMENT | values
    return ELEMENT | {part: [ELEMENT[part][0] | values]}


@pytest.mark.parametrize(
    ("part", "values", "named"),
    [
        ("task", {"created_at": "yesterday"}, "created_at"),
        ("task", {"updated_at": "2026-01-31T12:00:00"}, "updated_at"),
        ("task", {"updated_by": "1"}, "updated_by"),
        ("task", {"meta": [1]}, "meta"),
        ("annotations", {"created_at": 5}, "annotations[0].created_at"),
        ("annotations", {"unique_id": "x"}, "annotations[0].unique_id"),
        ("annotations", {"unique_id": 5}, "annotations[0].unique_id"),
        ("annotations", {"unique_id": []}, "annotations[0].unique_id"),
        ("annotations", {"last_action": "x" * 129}, "annotations[0].last_action"),
        ("annotations", {"last_action": {}}, "annotations[0].last_action"),
        ("annotations", {"last_action": "\0"}, "cannot be stored"),
        ("annotations", {"bulk_created": 1}, "annotations[0].bulk_created"),
        ("annotations", {"id": 2**63}, "annotations[0].id"),
        ("annotations", {"last_created_by": {}}, "annotations[0].last_created_by"),
        ("predictions", {"cluster": 2**31}, "predictions[0].cluster"),
        ("predictions", {"cluster": 1.5}, "predictions[0].cluster"),
        ("predictions", {"mislabeling": "x"}, "predictions[0].mislabeling"),
        ("predictions", {"neighbors": ["\ud800"]}, "cannot be stored"),
        ("predictions", {"updated_at": "10000-01-01T00:00:00Z"}, "predictions[0].updated_at"),
    ],
)
def test_a_value_that_no_column_takes_is_refused_by_name(part, values, named):
    with pytest.raises(RowInvalid, match=named.replace("[", r"\[")):
        restore_row(changed(part, **values), Authors(0), {})


def test_null_stays_null_and_the_annotations_own_id_is_kept():
    draft = restore_row(ELEMENT, Authors(0), {})
    assert (draft.meta, draft.predictions[0].model_version, draft.annotations[0].import_id) == (None, None, 7)
    assert str(draft.annotations[0].unique_id) == ANNOTATION["unique_id"]


@pytest.mark.parametrize("element", [[], None, {"a": 1}, {"data": {}, "annotations": {}}])
def test_what_is_no_task_is_refused_as_in_other_imports_and_bare_data_is_taken(element):
    if element == {"a": 1}:
        assert restore_row(element, Authors(0), {}).data == element
    else:
        with pytest.raises(RowInvalid):
            restore_row(element, Authors(0), {})


def test_other_imports_leave_all_of_it_to_the_server():
    draft = parse_row(ELEMENT, Authors(0))
    assert not hasattr(draft, "created_at") and not hasattr(draft.annotations[0], "unique_id")
    assert (draft.annotations[0].last_action, draft.annotations[0].import_id, draft.meta) == (None, 3, None)
