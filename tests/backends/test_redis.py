"""Connections to Redis: permissions per command, passwords, TLS, databases, addresses, and servers that only pretend."""

import logging
import time

import pytest

from storages import egress
from storages.backends.redis import RedisImportStorage
from storages.doctor import examine
from storages.errors import AccessDenied, BadCredentials, ConfigInvalid, EgressDenied, Full, Throttled, TimedOut, Unavailable
from storages.providers.redis import protocol as redis_protocol
from tests.environment import free_port
from tests.fakes.redis_server import DATABASES, PASSWORD, password_of, pretender, start_redis_tls
from tests.fakes.redis_server import server as server  # noqa: F401 - the fixture
from tests.fakes.tls import create_certificates


def source(settings, **more):
    return RedisImportStorage(**{"project_id": 7} | settings | more)


@pytest.mark.parametrize(
    ("user", "verb", "grant"),
    [
        ("blind", "list", "+select +ping +scan +strlen ~allowed/*"),
        ("lister", "read", "+select +strlen +getrange +exists ~allowed/*"),
        ("reader", "write", "+select +set ~allowed/*"),
        ("writer", "delete", "+select +unlink ~allowed/*"),
        ("keeper", None, ""),
        ("full", None, ""),
    ],
)
@pytest.mark.parametrize("filled", [True, False])
def test_a_missing_permission_is_told_with_its_verb_and_the_rule_to_add(server, user, verb, grant, filled):
    if filled:
        server.admin().set("allowed/1", "{}")
    error = examine(source(server.settings_of(user, path="allowed/")).client, {"list", "read", "write", "delete"}).error
    if verb is None:
        assert error is None
    else:
        assert (type(error), error.verb, error.grant) == (AccessDenied, verb, grant) and "NOPERM" in str(error)


def test_keys_outside_of_the_pattern_are_refused(server):
    server.admin().set("other/1", "{}")
    client = source(server.settings_of("reader", path="allowed/")).client()
    for call in (client.stat, client.open):
        with pytest.raises(AccessDenied):
            call("other/1")
    assert examine(source(server.settings_of("reader")).client, {"list"}).error.verb == "list"


def test_the_rules_that_are_told_are_enough(server):
    for verbs in ({"list", "read"}, {"list", "write"}, {"list", "write", "delete"}):
        settings = server.settings(path="a [b]*{c}/")
        rules = source(settings).client().policy(verbs).replace(">PASSWORD", ">pw").replace("quayside", "told")
        with server.admin() as admin:
            admin.set("a [b]*{c}/1", "{}")
            admin.execute_command("ACL", "DELUSER", "told")
            admin.execute_command(*rules.split())
        told = settings | {"host": "redis://told@127.0.0.1", "password": "pw"}
        assert examine(source(told).client, verbs).error is None
        other = [verb for verb in ("read", "write", "delete") if verb not in verbs][:1]
        for verb in other:
            error = examine(source(told).client, {"list", verb}).error
            assert isinstance(error, AccessDenied) and error.grant.endswith(r"~a?\[b\]\*{c}/*")


@pytest.mark.parametrize(
    "more",
    [{"password": "wrong"}, {"password": None}, {"host": "redis://nobody@127.0.0.1", "password": password_of("nobody")}],
)
def test_a_wrong_password_is_told_at_its_field(server, more):
    with pytest.raises(BadCredentials) as refused:
        source(server.settings(), **more).verify()
    assert refused.value.field == "password" and "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "port"), [("rediss://127.0.0.1", True), ("rediss://localhost:{}", False), ("rediss://full@localhost", True)]
)
def test_tls_is_spoken_with_the_authorities_that_the_operator_added(server, host, port):
    settings = server.settings(host=host.format(server.tls_port), port=str(server.tls_port) if port else "")
    if "@" in host:
        settings["password"] = password_of("full")
    server.admin().set("k", "over TLS")
    with source(settings).client().open("k") as stream:
        assert stream.read() == b"over TLS"


def test_a_certificate_of_a_foreign_authority_is_refused_in_words(tmp_path_factory):
    directory = tmp_path_factory.mktemp("foreign")
    create_certificates(directory)
    foreign = start_redis_tls(directory)
    with pytest.raises(Unavailable, match="TLS certificate .* was not accepted"):
        source(foreign.settings(host="rediss://127.0.0.1", port=str(foreign.tls_port))).verify()


def test_tls_and_plain_ports_are_not_mixed_up_silently(server, monkeypatch):
    with pytest.raises(Unavailable, match="rediss://"):
        source(server.settings(port=str(server.tls_port))).verify()
    monkeypatch.setattr(egress, "CONNECT_TIMEOUT", 0.5)
    with pytest.raises(Unavailable, match="does not answer in TLS"):
        source(server.settings(host="rediss://127.0.0.1")).verify()


@pytest.mark.parametrize("db", [DATABASES, 32767, 0, 32768])
def test_a_database_that_the_server_lacks_is_told_at_its_field(server, db):
    with pytest.raises(ConfigInvalid) as refused:
        source(server.settings(db=db)).verify()
    assert refused.value.field == "db"


@pytest.mark.parametrize(
    ("host", "port", "wanted"),
    [
        ("", "", ("localhost", 6379, False, "")),
        ("cache.example", "6380", ("cache.example", 6380, False, "")),
        ("cache.example:6380", "", ("cache.example", 6380, False, "")),
        ("redis://cache.example", "", ("cache.example", 6379, False, "")),
        ("rediss://cache.example/", "6380", ("cache.example", 6380, True, "")),
        ("rediss://a%40b@cache.example:7000", "7000", ("cache.example", 7000, True, "a@b")),
        ("::1", "", ("::1", 6379, False, "")),
        ("rediss://[::1]:7000", "", ("::1", 7000, True, "")),
    ],
)
def test_an_address_is_read_from_host_and_port(host, port, wanted):
    assert redis_protocol.parse_address(host, port) == wanted


@pytest.mark.parametrize(
    ("host", "port", "field"),
    [
        ("http://cache.example", "", "host"),
        ("redis://cache.example/1", "", "host"),
        ("redis://cache.example?db=1", "", "host"),
        ("redis://user:hunter2@cache.example", "", "host"),
        ("redis://:hunter2@cache.example", "", "host"),
        ("cache example", "", "host"),
        ("redis://", "", "host"),
        ("redis://[::1", "", "host"),
        ("unix:///var/run/redis.sock", "", "host"),
        ("cache.example:0", "", "host"),
        ("cache.example:70000", "", "host"),
        ("cache.example:7000", "7001", "port"),
        ("", "0", "port"),
        ("", "65536", "port"),
        ("", "six", "port"),
        ("", "²", "port"),
        ("", "-1", "port"),
    ],
)
def test_a_wrong_address_is_told_at_its_field_without_the_password_in_it(host, port, field):
    with pytest.raises(ConfigInvalid) as refused:
        source({"host": host, "port": port}).client()
    assert refused.value.field == field and "hunter2" not in str(refused.value)


def test_reserved_networks_are_not_reached(server, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    for host in ("127.0.0.1", "", "rediss://localhost", "::ffff:127.0.0.1"):
        with pytest.raises(EgressDenied):
            source(server.settings(host=host)).verify()
    with pytest.raises(EgressDenied):
        source(server.settings()).client().open("k")


def test_a_dead_port_is_noticed_at_once():
    began = time.monotonic()
    with pytest.raises(Unavailable, match="Could not reach"):
        source({"host": "127.0.0.1", "port": str(free_port())}).verify()
    assert time.monotonic() - began < 1


def test_a_silent_server_costs_no_more_than_the_time_of_the_check(monkeypatch):
    with pretender() as settings:
        for tls in ("", "rediss://"):
            began = time.monotonic()
            error = examine(source(settings, host=f"{tls}127.0.0.1").client, {"list"}, seconds=0.5).error
            assert isinstance(error, TimedOut) and time.monotonic() - began < 2
        monkeypatch.setattr(redis_protocol, "READ_TIMEOUT", 0.3)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            source(settings).client().stat("k")
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("answer", "kind", "field"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ConfigInvalid, "port"),
        (b":abc\r\n" * 3, ConfigInvalid, "port"),
        (b"*1\r\n" * 5000, ConfigInvalid, "port"),
        (b"-ERR max number of clients reached\r\n", Throttled, None),
        (b"-LOADING Redis is loading the dataset in memory\r\n", Unavailable, None),
        (b"-ERR SELECT is not allowed in cluster mode\r\n", ConfigInvalid, "host"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", Full, None),
        (b"-NOREPLICAS Not enough good replicas to write.\r\n", Unavailable, None),
        (b"-READONLY You can't write against a read only replica.\r\n", ConfigInvalid, "host"),
        (b"-WHAT ever\r\n", ConfigInvalid, None),
    ],
)
def test_what_a_server_answers_is_told_in_its_kind(answer, kind, field):
    with pretender(answer) as settings, pytest.raises(kind) as refused:
        source(settings).verify()
    assert type(refused.value) is kind and refused.value.field == field


def test_a_flood_is_cut_off(monkeypatch):
    monkeypatch.setattr(redis_protocol, "ANSWER_LIMIT", 1024**2)
    with pretender(b"+OK\r\n", b"$999999999\r\n" + b"x" * 3 * 1024**2) as settings, pytest.raises(Unavailable, match="too much"):
        source(settings).client().stat("k")


def test_the_password_is_in_no_message_log_or_repr(server, caplog):
    caplog.set_level(logging.DEBUG)
    client = source(server.settings(path="allowed/")).client()
    client.write("allowed/1", b"{}")
    shown = [repr(client), str(client), str(client.policy({"list"})), repr(vars(client)), caplog.text]
    for settings in (
        server.settings(),
        server.settings(port=str(server.tls_port)),
        server.settings(db=DATABASES),
        server.settings_of("nobody"),
    ):
        error = examine(source(settings).client, {"list"}).error
        while error is not None:
            shown += [str(error), repr(error)]
            error = error.__cause__
    for secret in (PASSWORD, password_of("nobody")):
        assert not any(secret in text for text in shown)
