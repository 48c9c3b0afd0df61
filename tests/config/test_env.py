"""Environment variables: clear values are read, unclear ones refused with the variable's name, secrets may live in files."""

import ipaddress
import stat
from pathlib import Path

import pytest

from config.env import EnvError, env_bool, env_int, env_key, env_list, env_networks, env_secret, env_str, env_url

NAME = "QUAYSIDE_TEST_VALUE"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    """Sets the variable under test."""
    return lambda value, name=NAME: monkeypatch.setenv(name, value)


def test_a_text_is_trimmed_and_an_empty_one_counts_as_unset(given) -> None:
    assert env_str(NAME, "default") == "default"
    given("  ")
    assert env_str(NAME, "default") == "default"
    given(" text ")
    assert env_str(NAME, "default") == "text"


def test_the_label_studio_name_is_read_first(given) -> None:
    given("plain")
    assert env_str(NAME) == "plain"
    given("long", f"LABEL_STUDIO_{NAME}")
    assert env_str(NAME) == "long"
    given("", f"LABEL_STUDIO_{NAME}")
    assert env_str(NAME) == "plain"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("On", True)])
def test_words_for_true(given, text: str, value: bool) -> None:
    given(text)
    assert env_bool(NAME, False) is value


@pytest.mark.parametrize("text", ["0", "False", "NO", "off"])
def test_words_for_false(given, text: str) -> None:
    given(text)
    assert env_bool(NAME, True) is False


@pytest.mark.parametrize("default", [True, False])
def test_an_unset_flag_has_its_default(given, default: bool) -> None:
    assert env_bool(NAME, default) is default
    given(" ")
    assert env_bool(NAME, default) is default


@pytest.mark.parametrize("text", ["2", "enabled", "maybe", "truefalse", "none", "null", "-1"])
def test_an_unclear_flag_is_refused(given, text: str) -> None:
    given(text)
    with pytest.raises(EnvError, match=f"{NAME}.*neither true nor false"):
        env_bool(NAME, False)


@pytest.mark.parametrize(("text", "value"), [("", 7), ("0", 0), ("10", 10), (" 5 ", 5)])
def test_a_number_within_its_bounds_is_read(given, text: str, value: int) -> None:
    given(text)
    assert env_int(NAME, 7, minimum=0, maximum=10) == value


@pytest.mark.parametrize(
    ("text", "why"), [("11", "outside 1..10"), ("0", "outside"), ("ten", "whole number"), ("1.5", "whole number")]
)
def test_any_other_number_is_refused(given, text: str, why: str) -> None:
    given(text)
    with pytest.raises(EnvError, match=f"{NAME}.*{why}"):
        env_int(NAME, 7, minimum=1, maximum=10)


def test_a_list_drops_blanks_and_empty_members(given) -> None:
    given(" a, b ,,c,")
    assert env_list(NAME) == ["a", "b", "c"]
    assert env_list(f"{NAME}_OTHER", "*") == ["*"]


def test_networks_of_both_families_are_read(given) -> None:
    given("10.0.0.0/8, ::1/128, 192.168.1.5")
    assert env_networks(NAME) == [ipaddress.ip_network(block) for block in ("10.0.0.0/8", "::1/128", "192.168.1.5/32")]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/40", "*"])
def test_what_is_no_network_is_refused(given, text: str) -> None:
    given(text)
    with pytest.raises(EnvError, match=f"{NAME}.*CIDR"):
        env_networks(NAME)


@pytest.mark.parametrize(
    ("text", "url"), [("", ""), ("https://labels.example/", "https://labels.example"), ("http://h:1/x", "http://h:1/x")]
)
def test_a_url_loses_its_final_slash(given, text: str, url: str) -> None:
    given(text)
    assert env_url(NAME) == url


@pytest.mark.parametrize("text", ["labels.example", "ftp://labels.example", "//labels.example", "javascript:alert(1)"])
def test_what_is_no_web_address_is_refused(given, text: str) -> None:
    given(text)
    with pytest.raises(EnvError, match=f"{NAME}.*http"):
        env_url(NAME)


def test_a_secret_comes_from_the_variable_or_from_a_file(given, tmp_path: Path) -> None:
    assert env_secret(NAME) == ""
    (tmp_path / "secret").write_text("from a file\n")
    given(str(tmp_path / "secret"), f"{NAME}_FILE")
    assert env_secret(NAME) == "from a file"


def test_a_secret_given_twice_is_refused(given, tmp_path: Path) -> None:
    given("one")
    given(str(tmp_path / "secret"), f"{NAME}_FILE")
    with pytest.raises(EnvError, match=f"{NAME} and {NAME}_FILE"):
        env_secret(NAME)


def test_a_secret_file_that_is_missing_is_named(given, tmp_path: Path) -> None:
    given(str(tmp_path / "nowhere"), f"{NAME}_FILE")
    with pytest.raises(EnvError, match="nowhere.*No such file"):
        env_secret(NAME)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    key = env_key(NAME, path)
    assert len(key) >= 48
    assert env_key(NAME, path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keys_differ(tmp_path: Path) -> None:
    assert env_key(NAME, tmp_path / "one") != env_key(NAME, tmp_path / "two")


def test_a_key_given_by_variable_makes_no_file(given, tmp_path: Path) -> None:
    given("given key")
    assert env_key(NAME, tmp_path / "key") == "given key"
    assert not (tmp_path / "key").exists()
