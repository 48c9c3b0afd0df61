"""Label configs: data keys, controls, and what is refused."""

import pytest

from projects import label_config

TWO = """<View>
  <Header value="Look at $title, then at the picture"/>
  <Image name="image" value="$image"/><Text name="text" value="About $caption and $other"/>
  <RectangleLabels name="box" toName="image"><Label value="Ship" background="red"/>
    <Label value="Sail" alias="S"/></RectangleLabels>
  <Choices name="kind" toName="image,text"><Choice value="cat"/><View><Choice value="dog"/></View></Choices>
</View>"""


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (TWO, ("image", "caption")),
        ("<View></View>", ()),
        ('<View><Image name="i" value="$a.b"/><Image name="j" value="$a.b"/></View>', ("a.b",)),
        ('<View><Text name="t" value="static"/><Text name="u" value="$"/><Text value="$nameless"/></View>', ()),
        ('<View><Choices name="c" toName="t" value="$options"/><Text name="t" value="$text"/></View>', ("options", "text")),
        ("<View", ()),
    ],
)
def test_data_keys_come_in_document_order(config, keys):
    assert label_config.data_keys(config) == keys
    assert label_config.first_data_key(config) == (keys[0] if keys else None)


def test_a_project_without_config_has_no_data_key():
    assert label_config.first_data_key(None) is label_config.first_data_key("") is None


def test_controls_are_described_with_their_inputs_and_labels():
    parsed = label_config.parse(TWO)
    assert list(parsed) == ["box", "kind"]
    assert parsed["box"] == {
        "type": "RectangleLabels",
        "to_name": ["image"],
        "inputs": [{"type": "Image", "value": "image"}],
        "labels": ["Ship", "S"],
        "labels_attrs": {"Ship": {"value": "Ship", "background": "red"}, "S": {"value": "Sail", "alias": "S"}},
    }
    assert parsed["kind"]["to_name"] == ["image", "text"] and parsed["kind"]["labels"] == ["cat", "dog"]


@pytest.mark.parametrize("config", [TWO, "<View></View>", "<?xml version='1.0' encoding='utf-16'?><View>ü</View>"])
def test_good_configs_pass(config):
    label_config.check(config)


LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><View>&b;</View>'
BAD_CONFIGS = [
    ("<View>", "not well-formed"),
    ("", "not well-formed"),
    ("plain text", "not well-formed"),
    ("<View></View><View/>", "not well-formed"),
    ("<View>&undefined;</View>", "not well-formed"),
    ("<View>\0</View>", "not well-formed"),
    ("<View>\ud800</View>", "not well-formed"),
    (LAUGHS, "DOCTYPE is not allowed"),
    ('<!DOCTYPE v SYSTEM "file:///etc/passwd"><View/>', "DOCTYPE is not allowed"),
    ('<View><Image name="a" value="$x"/><Text name="a" value="$y"/></View>', "name 'a' to more than one tag"),
    ('<View><Choices name="c" toName="nothing"/></View>', "toName 'nothing', which names no tag"),
]


@pytest.mark.parametrize(("config", "reason"), BAD_CONFIGS)
def test_bad_configs_are_refused_with_the_reason(config, reason):
    with pytest.raises(label_config.ConfigError, match=reason):
        label_config.check(config)


def test_a_deeply_nested_config_is_read_without_recursion():
    depth = 50_000
    assert len(label_config.read_tags("<View>" * depth + "</View>" * depth)) == depth


@pytest.mark.parametrize(
    ("config", "whole"),
    [(TWO, False), ("<View/>", False), ('<View><Text name="t" value="$t"/><Choices name="c" toName="t"/></View>', True)],
)
def test_a_config_without_region_controls_labels_whole_tasks(config, whole):
    assert label_config.labels_whole_tasks(config) is whole
