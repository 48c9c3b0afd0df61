"""Keys and values of Redis: patterns, pages, data types, large values, threads."""

import threading

import pytest

from storages.backends.redis import RedisExportStorage
from storages.errors import Malformed, NotFound, Unavailable
from storages.providers.redis import client as redis_client
from storages.providers.redis import protocol as redis_protocol
from tests.backends.test_redis import source
from tests.fakes.redis_server import pretender
from tests.fakes.redis_server import server as server  # noqa: F401 - the fixture

BIG = bytes(range(251)) * 4000  # about four chunks


def keys(client):
    return [item.key for page in client.list(recursive=True) for item in page.objects]


def test_two_databases_are_kept_apart(server):
    source(server.settings(db=2)).client().write("k", b"2")
    assert (server.admin(2).get("k"), server.admin(1).get("k"), keys(source(server.settings()).client())) == (b"2", None, [])


def test_a_prefix_is_matched_letter_by_letter(server):
    wanted = r"ls/task[1]*?-\^x"
    with server.admin() as admin:
        admin.mset({wanted + ".json": "1", wanted: "1", "ls/task1ab-^x.json": "0", "ls/task[1]ab-^x": "0", "x" + wanted: "0"})
    assert sorted(keys(source(server.settings(path=wanted)).client())) == [wanted, wanted + ".json"]


def test_the_path_is_the_beginning_of_the_keys_and_may_name_the_project(server):
    with server.admin() as admin:
        admin.mset({"p7-a": "1", "p7-b": "1", "p70": "0", "p8-a": "0"})
    assert sorted(keys(source(server.settings(path="p${project_id}-")).client())) == ["p7-a", "p7-b"]


def test_a_long_listing_takes_many_pages_and_loses_nothing(server):
    with server.admin() as admin:
        admin.mset({f"k{number}": "x" for number in range(2500)} | {f"other{number}": "x" for number in range(500)})
    client = source(server.settings(path="k")).client()
    pages = list(client.list(recursive=True))
    assert len(pages) > 3 and pages[-1].cursor == "" and all(page.cursor for page in pages[:-1])
    assert {item.key for page in pages for item in page.objects} == {f"k{number}" for number in range(2500)}
    assert {item.key for page in client.list(recursive=True, after=pages[1].cursor) for item in page.objects} == {
        item.key for page in pages[2:] for item in page.objects
    }


def test_a_listing_holds_strings_only_and_reading_anything_else_is_refused(server):
    with server.admin() as admin:
        admin.set("string", "1")
        admin.hset("hash", "a", "1")
        admin.rpush("list", "1")
    client = source(server.settings()).client()
    server.admin().config_resetstat()
    assert keys(client) == ["string"]
    assert server.admin().info("commandstats")["cmdstat_strlen"]["calls"] == 1, "the server leaves out the other types"
    for call in (client.stat, client.open):
        with pytest.raises(Malformed, match="another data type"):
            call("hash")


def test_a_key_that_is_answered_twice_or_that_changes_its_type_meanwhile_is_listed_once_or_not():
    scanned = b"*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\nb\r\n"
    lengths = b":1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
    with pretender(b"+OK\r\n", scanned, lengths) as settings:
        assert keys(source(settings).client()) == ["a"]


def test_a_listing_that_does_not_go_on_is_given_up():
    scanned = b"*2\r\n$1\r\n7\r\n*0\r\n"
    with pretender(b"+OK\r\n", *[scanned] * 50) as settings, pytest.raises(Unavailable, match="cursor repeats"):
        keys(source(settings).client())


def test_an_unused_prefix_is_no_fault(server):
    server.admin().set("elsewhere", "1")
    storage = source(server.settings(path="nothing/here/"))
    storage.verify()
    assert keys(storage.client()) == []


def test_a_check_leaves_what_is_there_alone(server):
    server.admin().set("t/.quayside-probe", "theirs")
    RedisExportStorage(**server.settings(path="t", project_id=7)).verify()
    assert server.admin().get("t/.quayside-probe") == b"theirs"
    server.flush()
    RedisExportStorage(**server.settings(path="t", project_id=7)).verify()
    assert 0 < server.admin().pttl("t/.quayside-probe") <= 1000


@pytest.mark.parametrize("size", [0, 1, 5, redis_client.CHUNK - 1, redis_client.CHUNK, redis_client.CHUNK + 1, len(BIG)])
def test_a_value_of_any_size_is_read_to_its_last_byte(server, size):
    server.admin().set("k", BIG[:size])
    client = source(server.settings()).client()
    with client.open("k") as stream:
        assert (stream.length, stream.read(-1)) == (size, BIG[:size])
    with client.open("k") as stream:
        assert b"".join(iter(lambda: stream.read(100_001), b"")) == BIG[:size]


def test_a_range_may_span_chunks(server):
    server.admin().set("k", BIG)
    with source(server.settings()).client().open("k", 1000, 900_000) as stream:
        assert (stream.length, stream.read(-1)) == (899_001, BIG[1000:900_001])


def test_a_small_value_takes_one_round_trip(server, monkeypatch):
    server.admin().set("k", "{}")
    client = source(server.settings()).client()
    client.stat("k")
    sent = []
    real = redis_protocol.Metered.sendall
    monkeypatch.setattr(redis_protocol.Metered, "sendall", lambda self, data: sent.append(data) or real(self, data))
    with client.open("k") as stream:
        assert stream.read(-1) == b"{}"
    assert len(sent) == 1


def test_a_value_that_changes_while_it_is_read_is_not_pieced_together(server):
    server.admin().set("k", BIG)
    client = source(server.settings()).client()
    with client.open("k") as stream:
        stream.read(1000)
        server.admin().set("k", BIG + b"x")
        with pytest.raises(Unavailable, match="changed"):
            stream.read(-1)
        server.admin().delete("k")
        with pytest.raises(Unavailable, match="changed"):
            stream.read(-1)
    with pytest.raises(NotFound):
        client.open("k")


def test_one_client_serves_many_threads_with_a_few_connections(server):
    with server.admin() as admin:
        admin.mset({f"k{number}": str(number) for number in range(200)})
        before = admin.info("clients")["connected_clients"]
        client = source(server.settings()).client()
        wrong: list[int] = []

        def read(first: int) -> None:
            for number in range(first, 200, 20):
                with client.open(f"k{number}") as stream:
                    if stream.read(-1) != str(number).encode():
                        wrong.append(number)

        threads = [threading.Thread(target=read, args=(first,)) for first in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert wrong == [] and admin.info("clients")["connected_clients"] - before <= redis_client.CONNECTIONS


def test_a_target_sets_its_path_off_from_the_names():
    roots = [
        RedisExportStorage(path=path, project_id=7).root for path in ("", None, "out", "out/", "out:", "p${project_id}", "ä")
    ]
    assert roots == ["", "", "out/", "out/", "out:", "p7/", "ä/"]
