"""Reads labeling configs, XML written by users; knows nothing of projects or tasks."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.parsers import expat

EMPTY = "<View></View>"
_LABEL_TAGS = {"Label", "Choice"}
_WHOLE_TASK_CONTROLS = {"Choices", "DateTime", "Number", "Rating", "Taxonomy", "TextArea"}  # label a task without regions
_VARIABLE = re.compile(r"\$(\w+)")


class ConfigError(ValueError):
    """The label config cannot be used; the message says where and why."""


@dataclass(slots=True)
class Tag:
    """One element; ``parent`` is None for the root."""

    name: str
    attributes: dict[str, str]
    parent: "Tag | None"

    @property
    def is_control(self) -> bool:
        return bool(self.attributes.get("name") and self.attributes.get("toName"))

    @property
    def data_key(self) -> str | None:
        """The task data key that ``value`` refers to: ``$key``, or the first ``$word`` within other text."""
        value = self.attributes.get("value") or ""
        if not self.attributes.get("name"):
            return None
        if value.startswith("$"):
            return value[1:] or None
        found = _VARIABLE.search(value)
        return found and found[1]


def _refuse_doctype(*declaration: Any) -> None:
    raise ConfigError("a DOCTYPE is not allowed in a label config (it can define entities that grow without bound)")


def read_tags(config: str) -> list[Tag]:
    """All elements in document order. Raises ConfigError for text that is not well-formed XML, and for any DOCTYPE."""
    tags: list[Tag] = []
    open_tags: list[Tag] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        tags.append(Tag(name, attributes, open_tags[-1] if open_tags else None))
        open_tags.append(tags[-1])

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: open_tags.pop()
    try:
        parser.Parse(config, True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise ConfigError(f"the label config is not well-formed XML: {error}") from None
    return tags


def check(config: str) -> None:
    """Raise ConfigError unless ``config`` is well-formed, its names are unique and every toName points to a tag."""
    tags = read_tags(config)
    names = [tag.attributes["name"] for tag in tags if tag.attributes.get("name") and tag.name not in _LABEL_TAGS]
    known = Counter(names)
    for name, times in known.items():
        if times > 1:
            raise ConfigError(f"the label config gives the name {name!r} to more than one tag; names must be unique")
    for tag in tags:
        for target in _targets(tag):
            if target not in known:
                raise ConfigError(f"the tag {tag.name} {tag.attributes['name']!r} has toName {target!r}, which names no tag")


def _targets(tag: Tag) -> list[str]:
    return [name.strip() for name in tag.attributes["toName"].split(",")] if tag.is_control else []


@lru_cache(maxsize=256)
def data_keys(config: str) -> tuple[str, ...]:
    """The task data keys the config shows, in document order, without repeats; () for a config that cannot be read."""
    try:
        tags = read_tags(config)
    except ConfigError:
        return ()
    return tuple(dict.fromkeys(key for tag in tags if (key := tag.data_key)))


def first_data_key(config: str | None) -> str | None:
    """The key under which ``$undefined$`` data is shown, None when the config has none."""
    keys = data_keys(config or EMPTY)
    return keys[0] if keys else None


@lru_cache(maxsize=256)
def parse(config: str) -> dict[str, dict[str, Any]]:
    """Control tags by name: ``{type, to_name[], inputs[{type, value}], labels[], labels_attrs{}}``; {} when unreadable.

    ``dynamic_labels`` is true where the task's data or a server offers further labels; absent elsewhere.
    """
    try:
        tags = read_tags(config)
    except ConfigError:
        return {}
    inputs = {tag.attributes["name"]: _input(tag) for tag in tags if tag.data_key and not tag.is_control}
    controls = {tag.attributes["name"]: _control(tag, inputs) for tag in tags if tag.is_control}
    for tag in tags:
        label = tag.attributes.get("alias") or tag.attributes.get("value")
        owner = _owner(tag) if tag.name in _LABEL_TAGS and label else None
        if owner:
            controls[owner]["labels"].append(label)
            controls[owner]["labels_attrs"][label] = tag.attributes
    return controls


def _input(tag: Tag) -> dict[str, str]:
    return {"type": tag.name, "value": tag.attributes["value"].lstrip("$")}


def _control(tag: Tag, inputs: dict[str, dict[str, str]]) -> dict[str, Any]:
    targets = _targets(tag)
    known = [inputs[target] for target in targets if target in inputs]
    control = {"type": tag.name, "to_name": targets, "inputs": known, "labels": [], "labels_attrs": {}}
    if tag.attributes.get("value", "").startswith("$") or tag.attributes.get("apiUrl"):
        control["dynamic_labels"] = True
    return control


def _owner(tag: Tag) -> str | None:
    """The name of the nearest control tag around ``tag``."""
    parent = tag.parent
    while parent and not parent.is_control:
        parent = parent.parent
    return parent and parent.attributes["name"]


def labels_whole_tasks(config: str) -> bool:
    """True when no control needs a region, so that one annotation may be given to many tasks at once."""
    controls = parse(config)
    return bool(controls) and all(control["type"] in _WHOLE_TASK_CONTROLS for control in controls.values())
