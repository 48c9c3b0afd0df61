"""One element of an import, whoever delivers it, becomes a TaskDraft or a reason why not; no database but the authors' list."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from json import JSONDecodeError, loads
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from projects.jsontext import NotStorable, dump
from tasks.authors import Authors
from tasks.drafts import AnnotationDraft, PredictionDraft, TaskDraft
from tasks.shapes import UNDEFINED

BIGINT = 2**63 - 1
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}

# Types that a region shares with its tag, in lower case (Label Studio, "Tags" reference); others are not compared
_REGION_TYPES = frozenset(
    "bitmask bitmasklabels brush brushlabels choices datetime ellipse ellipselabels hypertextlabels keypoint keypointlabels "
    "labels number pairwise paragraphlabels polygon polygonlabels ranker rating rectangle rectanglelabels taxonomy textarea "
    "timeserieslabels videorectangle".split()
)


class RowInvalid(ValueError):
    """The element cannot become a task; the message says which member is wrong and what was expected."""


def kind_of(value: Any) -> str:
    """``value``'s JSON type in words."""
    return _KINDS.get(type(value), "null")


def parse_row(element: Any, authors: Authors, config: Mapping[str, Any] | None = None) -> TaskDraft:
    """A draft of the task that ``element`` describes: ``{"data": {…}, …}`` or the bare data object itself.

    ``config`` is label_config.parse's result; given, predictions must fit its control tags. Raises RowInvalid.
    """
    if type(element) is not dict:
        raise RowInvalid(f"a task must be a JSON object, this is {kind_of(element)}")
    data = element.get("data")
    wrapped = type(data) is dict
    draft = TaskDraft(data if wrapped else element)
    try:
        draft.data_text = dump(draft.data)
        if "allow_skip" in element:
            draft.allow_skip = flag(element, "allow_skip", True)
        if wrapped and element.get("meta"):
            draft.meta = _meta(element["meta"])
        if annotations := _list(element, "annotations", wrapped):
            draft.annotations = [_annotation(item, authors, number) for number, item in enumerate(annotations)]
        if predictions := _list(element, "predictions", wrapped):
            draft.predictions = [parse_prediction(item, config, f"predictions[{n}]") for n, item in enumerate(predictions)]
        draft.weight = len(draft.data_text)
        if draft.annotations or draft.predictions:
            draft.weight += len(dump([item.result for item in (*draft.annotations, *draft.predictions)]))
    except NotStorable as error:
        raise RowInvalid(f"the task cannot be stored: {error}") from None
    return draft


def _list(element: dict, name: str, wrapped: bool) -> list:
    value = element.get(name)
    if value is None or value == []:
        return []
    if type(value) is not list:
        raise RowInvalid(f"{name} must be a list, this is {kind_of(value)}")
    if not wrapped:
        raise RowInvalid(f"a task with {name} must hold its data under the key data, as an object")
    return value


def _meta(value: Any) -> dict:
    if type(value) is not dict:
        raise RowInvalid(f"meta must be an object, this is {kind_of(value)}")
    dump(value)
    return value


def flag(item: dict, name: str, default: bool, where: str = "") -> bool:
    """The member as true or false, ``default`` when absent or null. Raises RowInvalid."""
    value = item.get(name)
    if value is None:
        return default
    if type(value) is not bool:
        raise RowInvalid(f"{where}{name} must be true or false, this is {kind_of(value)}")
    return value


def number(item: dict, name: str, where: str = "") -> float | None:
    """The member as a finite float, None when absent or null. Raises RowInvalid."""
    value = item.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or abs(value) > 1e308 or not math.isfinite(value):
        raise RowInvalid(f"{where}{name} must be a finite number")
    return float(value)


def whole(item: dict, name: str, where: str) -> int | None:
    """The member as a whole number of 64 bits, None when absent or null. Raises RowInvalid."""
    value = item.get(name)
    if value is None:
        return None
    if type(value) is not int or not -BIGINT <= value <= BIGINT:
        raise RowInvalid(f"{where}{name} must be a whole number of at most 64 bits")
    return value


def moment(item: dict, name: str, where: str) -> datetime | None:
    """The member as a time in UTC, None when absent or null. Raises RowInvalid."""
    value = item.get(name)
    if value is None:
        return None
    try:
        parsed = parse_datetime(value) if type(value) is str else None
        parsed = parsed.astimezone(UTC) if parsed and is_aware(parsed) else None
    except (ValueError, OverflowError):  # OverflowError: a year that UTC has not
        parsed = None
    if parsed is None:
        raise RowInvalid(f"{where}{name} must be a time with an offset, such as 2026-01-31T12:00:00Z")
    return parsed


def parse_result(value: Any, where: str = "") -> list | None:
    """An annotation's result: a list, the JSON text of one, or None. Raises RowInvalid."""
    if type(value) is str:
        try:
            value = loads(value)
        except (JSONDecodeError, RecursionError):
            raise RowInvalid(f"{where}result is a string that is not JSON") from None
    if value is not None and type(value) is not list:
        raise RowInvalid(f"{where}result must be a list of regions, this is {kind_of(value)}")
    try:
        dump(value)
    except NotStorable as error:
        raise RowInvalid(f"{where}result cannot be stored: {error}") from None
    return value


def _annotation(item: Any, authors: Authors, position: int) -> AnnotationDraft:
    where = f"annotations[{position}]."
    if type(item) is not dict:
        raise RowInvalid(f"annotations[{position}] must be an object, this is {kind_of(item)}")
    try:
        author = authors.resolve(item.get("completed_by"))
    except LookupError as error:
        raise RowInvalid(f"{where}completed_by: {error.args[0]}") from None
    import_id = "import_id" if item.get("import_id") is not None else "id"
    return AnnotationDraft(
        result=parse_result(item.get("result"), where),
        completed_by=author,
        was_cancelled=flag(item, "was_cancelled", False, where),
        ground_truth=flag(item, "ground_truth", False, where),
        lead_time=number(item, "lead_time", where),
        import_id=whole(item, import_id, where),
        draft_created_at=moment(item, "draft_created_at", where),
        parent_prediction=whole(item, "parent_prediction", where),
        parent_annotation=whole(item, "parent_annotation", where),
    )


def parse_prediction(item: Any, config: Mapping[str, Any] | None, where: str) -> PredictionDraft:
    """A prediction from ``{"result": …, "score"?, "model_version"?}``. Raises RowInvalid, naming ``where``."""
    if type(item) is not dict:
        raise RowInvalid(f"{where} must be an object, this is {kind_of(item)}")
    if item.get("result") is None:
        raise RowInvalid(f"{where} needs a result")
    version = item.get("model_version")
    if version is not None and type(version) is not str:
        raise RowInvalid(f"{where}.model_version must be a string")
    check_control_tags(item["result"], config, where)
    try:
        dump([item["result"], version])
    except NotStorable as error:
        raise RowInvalid(f"{where} cannot be stored: {error}") from None
    return PredictionDraft(item["result"], number(item, "score", f"{where}."), version or "")


def check_control_tags(result: Any, config: Mapping[str, Any] | None, where: str) -> None:
    """Refuse a prediction's result that does not fit the label config; an empty config allows all. Raises RowInvalid.

    Each region names a control tag, one of its objects, its type, and only values that the config lists, where it does.
    """
    if not config:
        return
    if type(result) is not list:
        raise RowInvalid(f"{where}.result must be a list of regions, this is {kind_of(result)}")
    for position, region in enumerate(result):
        place = f"{where}.result[{position}]"
        if type(region) is not dict:
            raise RowInvalid(f"{place} must be an object, this is {kind_of(region)}")
        if region.get("type") != "relation":
            _check_region(region, config, place)


def _check_region(region: dict, config: Mapping[str, Any], place: str) -> None:
    name, target, kind, value = (region.get(member) for member in ("from_name", "to_name", "type", "value"))
    if type(name) is not str or name not in config:
        raise RowInvalid(f"{place}.from_name {_quoted(name)} is no control tag of the label config (it has {', '.join(config)})")
    control = config[name]
    if target not in control["to_name"]:
        raise RowInvalid(f"{place}.to_name {_quoted(target)} is not what {name!r} labels ({', '.join(control['to_name'])})")
    tag = control["type"].lower()
    if type(kind) is not str or (tag in _REGION_TYPES and kind.lower() != tag):
        raise RowInvalid(f"{place}.type {_quoted(kind)} does not fit {name!r}, whose type is {tag!r}")
    if type(value) is not dict:
        raise RowInvalid(f"{place}.value must be an object, this is {kind_of(value)}")
    for used in _texts(value.get(tag)):
        if not _lists(control, used):
            known = ", ".join(map(str, control["labels"]))[:300]
            raise RowInvalid(f"{place}.value.{tag} {_quoted(used)} is not listed by {name!r} (it has {known})")


def _quoted(value: Any) -> str:
    return repr(str(value)[:100]) if value is not None else "(missing)"


def _texts(value: Any) -> list[str]:
    """The texts in a value's labels: one, a list of them, or lists of paths as Taxonomy has them."""
    if type(value) is list:
        return [text for item in value for text in ([item] if type(item) is str else item if type(item) is list else ())]
    return [value] if type(value) is str else []


def _lists(control: Mapping[str, Any], used: Any) -> bool:
    """Whether the control tag offers ``used`` by value or alias, or does not say in the config what it offers."""
    labels, attributes = control["labels"], control["labels_attrs"]
    if not labels or control.get("dynamic_labels") or used in labels:
        return True
    return any(tag.get("value") == used or str(tag.get("value")).startswith("$") for tag in attributes.values())


def check_data_keys(data: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Refuse task data that lacks a key the label config shows. Raises RowInvalid naming the keys.

    Whole-object data (``$undefined$``) stands for any key.
    """
    missing = [key for key in keys if key not in data] if UNDEFINED not in data else []
    if missing:
        raise RowInvalid(f"data lacks {', '.join(map(repr, missing))}, which the project's label config shows")
