"""Elements of an import: what becomes of good ones, and the reason each bad one gets."""

import json

import pytest

from projects.label_config import parse
from tasks.authors import Authors
from tasks.validation import RowInvalid, check_data_keys, parse_row
from tests.tasks.conftest import RESULT

CONFIG = parse(
    """<View><Image name="image" value="$image"/><Text name="text" value="$text"/>
    <Choices name="kind" toName="image"><Choice value="cat"/><Choice value="big dog" alias="dog"/></Choices>
    <RectangleLabels name="box" toName="image"><Label value="car"/></RectangleLabels>
    <Choices name="open" toName="text" value="$options"><Choice value="one"/></Choices>
    <Taxonomy name="tree" toName="text"><Choice value="a"><Choice value="b"/></Choice></Taxonomy>
    <Magic name="magic" toName="text,image"/></View>"""
)


@pytest.fixture
def authors(alice, bob, charlie) -> Authors:
    return Authors(alice.active_organization_id)


@pytest.mark.parametrize(
    "element", [{"image": "a"}, {"data": {"image": "a"}}, {"data": {"image": "a"}, "annotations": None, "predictions": []}]
)
def test_bare_and_wrapped_elements_give_the_same_data(authors, element):
    draft = parse_row(element, authors, CONFIG)
    assert draft.data["image"] == "a" and draft.allow_skip is True and not draft.annotations and not draft.predictions
    assert json.loads(draft.data_text) == draft.data


def test_an_element_whose_data_is_no_object_is_the_data_itself(authors):
    assert parse_row({"data": "s3://b/k"}, authors).data == {"data": "s3://b/k"}


def test_meta_and_allow_skip_are_taken_over(authors):
    draft = parse_row({"data": {}, "meta": {"a": 1}, "allow_skip": False, "id": 7, "overlap": 9}, authors)
    assert (draft.meta, draft.allow_skip, draft.data) == ({"a": 1}, False, {})


@pytest.mark.parametrize(
    "named", ["alice@harbour.example", "ALICE@harbour.example", {"email": "alice@harbour.example"}, "id", {"id": "id"}]
)
def test_authors_are_found_by_id_mail_or_object(authors, alice, named):
    named = alice.pk if named == "id" else {"id": alice.pk} if named == {"id": "id"} else named
    (annotation,) = parse_row({"data": {}, "annotations": [{"completed_by": named, "result": RESULT}]}, authors).annotations
    assert annotation.completed_by == alice.pk


def test_all_authors_of_a_run_are_read_by_one_query(authors, django_assert_num_queries):
    rows = [
        {"data": {}, "annotations": [{"completed_by": name, "result": []}]}
        for name in ("bob@harbour.example", "alice@harbour.example")
    ]
    with django_assert_num_queries(0):
        parse_row({"image": "a"}, authors)
    with django_assert_num_queries(1):
        for row in rows * 10:
            parse_row(row, authors)


def test_annotation_members_are_taken_over(authors):
    item = {
        **{"id": 12, "result": json.dumps(RESULT), "was_cancelled": True, "ground_truth": True, "lead_time": 3},
        **{"draft_created_at": "2026-01-31T12:00:00Z", "parent_prediction": 4, "parent_annotation": None},
    }
    (draft,) = parse_row({"data": {}, "annotations": [item]}, authors).annotations
    assert (draft.result, draft.was_cancelled, draft.ground_truth, draft.lead_time) == (RESULT, True, True, 3.0)
    assert (draft.import_id, draft.parent_prediction, draft.draft_created_at.year, draft.completed_by) == (12, 4, 2026, None)


DEEP = {"a": 1}
for _ in range(5000):
    DEEP = {"a": DEEP}
BAD_ELEMENTS = [
    *[(5, "must be a JSON object, this is a number"), (None, "this is null"), ("x", "this is a string"), ([], "this is a list")],
    (True, "this is true or false"),
    ({"a": float("nan")}, "NaN"),
    ({"a": float("inf")}, "infinite"),
    ({"a": "x\0y"}, r"U\+0000"),
    ({"k\0": 1}, r"U\+0000"),
    ({"a": "\ud800"}, "surrogate"),
    (DEEP, "too deeply"),
    ({"data": {}, "meta": [1]}, "meta must be an object"),
    ({"data": {}, "meta": {"a": "\0"}}, r"U\+0000"),
    ({"data": {}, "allow_skip": "no"}, "allow_skip must be true or false"),
    ({"data": {}, "annotations": {}}, "annotations must be a list"),
    ({"data": {}, "predictions": "x"}, "predictions must be a list"),
    ({"image": "a", "annotations": [{"result": []}]}, "under the key data"),
    ({"data": None, "predictions": [{"result": []}]}, "under the key data"),
    ({"data": {}, "annotations": [3]}, r"annotations\[0\] must be an object"),
    ({"data": {}, "annotations": [{"result": []}, {"result": 5}]}, r"annotations\[1\].result must be a list"),
    ({"data": {}, "annotations": [{"result": "{"}]}, "not JSON"),
    ({"data": {}, "annotations": [{"result": ["\0"]}]}, r"U\+0000"),
    ({"data": {}, "annotations": [{"result": "[NaN]"}]}, "NaN"),
    ({"data": {}, "annotations": [{"completed_by": "charlie@elsewhere.example"}]}, "charlie@elsewhere.example' is no member"),
    ({"data": {}, "annotations": [{"completed_by": {"email": "nobody@x.example"}}]}, "nobody@x.example"),
    ({"data": {}, "annotations": [{"completed_by": 2**70}]}, "no member"),
    ({"data": {}, "annotations": [{"completed_by": True}]}, "give a user id"),
    ({"data": {}, "annotations": [{"completed_by": []}]}, "give a user id"),
    ({"data": {}, "annotations": [{"was_cancelled": 1}]}, "was_cancelled must be true or false"),
    ({"data": {}, "annotations": [{"lead_time": "long"}]}, "lead_time must be a finite number"),
    ({"data": {}, "annotations": [{"lead_time": 10**400}]}, "lead_time must be a finite number"),
    ({"data": {}, "annotations": [{"import_id": 2**63}]}, "at most 64 bits"),
    ({"data": {}, "annotations": [{"draft_created_at": "yesterday"}]}, "draft_created_at must be a time"),
    ({"data": {}, "annotations": [{"draft_created_at": "2026-02-31T00:00:00Z"}]}, "draft_created_at must be a time"),
    ({"data": {}, "predictions": [{}]}, r"predictions\[0\] needs a result"),
    ({"data": {}, "predictions": [{"result": [], "score": float("inf")}]}, "finite"),
    ({"data": {}, "predictions": [{"result": [], "model_version": 3}]}, "model_version must be a string"),
    ({"data": {}, "predictions": [{"result": [], "model_version": "\0"}]}, r"U\+0000"),
    ({"data": {}, "predictions": [{"result": [{"from_name": "colour"}]}]}, "'colour' is no control tag .* has kind"),
    ({"data": {}, "predictions": [{"result": [{"from_name": []}]}]}, "no control tag"),
]


@pytest.mark.parametrize(("element", "reason"), BAD_ELEMENTS)
def test_a_bad_element_is_refused_with_the_reason(authors, element, reason):
    with pytest.raises(RowInvalid, match=reason):
        parse_row(element, authors, CONFIG)


def test_the_letters_backslash_u0000_are_no_nul_character(authors):
    assert parse_row({"a": "\\u0000"}, authors).data == {"a": "\\u0000"}


def test_predictions_are_not_checked_against_an_empty_config(authors):
    assert parse_row({"data": {}, "predictions": [{"result": [{"from_name": "any"}]}]}, authors, {}).predictions


def _region(**members) -> dict:
    return {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}, **members}


@pytest.mark.parametrize(
    "region",
    [
        _region(),
        _region(value={"choices": ["dog", "big dog"]}, id="a", score=0.5),
        _region(value={}),
        _region(type="Choices"),
        _region(from_name="box", type="rectanglelabels", value={"x": 1, "rectanglelabels": ["car"]}),
        _region(from_name="open", to_name="text", value={"choices": ["anything"]}),
        _region(from_name="tree", to_name="text", type="taxonomy", value={"taxonomy": [["a", "b"], ["a"]]}),
        _region(from_name="magic", type="spell", value={"magic": ["x"]}),
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    ],
)
def test_predictions_that_fit_the_label_config_pass(authors, region):
    assert parse_row({"data": {}, "predictions": [{"result": [region]}]}, authors, CONFIG).predictions[0].result == [region]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({}, r"predictions\[0\]\.result must be a list of regions, this is an object"),
        ("x", "must be a list of regions"),
        ([_region(), 5], r"predictions\[0\]\.result\[1\] must be an object, this is a number"),
        ([_region(from_name=None)], r"result\[0\]\.from_name \(missing\) is no control tag"),
        ([_region(to_name="text")], r"result\[0\]\.to_name 'text' is not what 'kind' labels \(image\)"),
        ([_region(to_name=None)], r"to_name \(missing\)"),
        ([_region(to_name=["image"])], "to_name"),
        ([_region(type="rectanglelabels")], r"result\[0\]\.type 'rectanglelabels' does not fit 'kind', whose type is 'choices'"),
        ([_region(type=None)], r"type \(missing\)"),
        ([_region(value=["cat"])], r"result\[0\]\.value must be an object, this is a list"),
        ([_region(value={"choices": ["cat", "cow"]})], r"value\.choices 'cow' is not listed by 'kind' \(it has cat, dog\)"),
        ([_region(value={"choices": "cow"})], "'cow' is not listed"),
        ([_region(from_name="tree", to_name="text", type="taxonomy", value={"taxonomy": [["a", "c"]]})], "'c' is not listed"),
    ],
)
def test_predictions_that_do_not_fit_the_label_config_are_refused(authors, result, reason):
    with pytest.raises(RowInvalid, match=reason):
        parse_row({"data": {}, "predictions": [{"result": result}]}, authors, CONFIG)


def test_a_drafts_weight_is_that_of_its_data_annotations_and_predictions(authors):
    bare = parse_row({"data": {"a": "x" * 100}}, authors)
    assert bare.weight == len(bare.data_text) > 100
    for name in ("annotations", "predictions"):
        heavy = parse_row({"data": {"a": "x" * 100}, name: [{"result": ["y" * 1000]}] * 3}, authors)
        assert bare.weight + 3000 < heavy.weight < bare.weight + 3100


@pytest.mark.parametrize(("data", "keys"), [({"image": 1, "extra": 2}, ["image"]), ({"$undefined$": "u"}, ["image"]), ({}, [])])
def test_data_with_all_keys_of_the_config_passes(data, keys):
    check_data_keys(data, keys)


def test_missing_data_keys_are_named():
    with pytest.raises(RowInvalid, match="lacks 'image', 'text'"):
        check_data_keys({"audio": 1}, ["image", "audio", "text"])
