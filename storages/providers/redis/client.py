"""The client of the string keys of one Redis database; knows no Django model, no other data type and no cluster."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from storages import errors
from storages.client import EVERYTHING, Capabilities, Client, ObjectInfo, ObjectStream, Page, Readable, Span
from storages.providers.redis.protocol import READ_TIMEOUT, REPLIES, Address, connection_class, escape, parse_cursor
from storages.providers.rounds import Rounds

PAGE_SIZE = 500  # COUNT of SCAN: how much the server looks through per answer, and about how many keys it gives
CHUNK = 256 * 1024  # bytes per GETRANGE: what a sync fetches ahead takes one round trip, a value of 512 MB bounded memory
CONNECTIONS = 36  # most per client, opened when needed: the readers of a sync and its listings
# https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ ; every connection begins with a SELECT
RULES = {
    "list": "+select +ping +scan +strlen",
    "read": "+select +strlen +getrange +exists",
    "write": "+select +set",
    "delete": "+select +unlink",
}


class Value(Readable):
    """The bytes of a value up to ``end``, fetched chunk by chunk; ``head`` is there already."""

    def __init__(self, client: "RedisClient", info: ObjectInfo, head: bytes, start: int, end: int) -> None:
        self.client, self.info, self.held, self.at, self.end = client, info, head, start + len(head), end

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        if not self.held and self.at <= self.end:
            self.held = self.client.part(self.info, self.at, min(self.end, self.at + CHUNK - 1))
            self.at += len(self.held)
        data, self.held = self.held[:size], self.held[size:]
        return data

    def close(self) -> None:
        self.held, self.at = b"", self.end + 1


class RedisClient(Client):
    """Keys that begin with ``root``. Connections are opened on demand, kept, and shared by threads."""

    capabilities = Capabilities(presign=False, folders=False, media=False, versions=False)
    service, credential, settings = "Redis", "the password, and the user named in the host", "host, port, db and path"

    def __init__(self, address: Address, password: str, db: int, root: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.address, self.root, self.container = address, root, f"{address.host}:{address.port}/{db}"
        pool = redis.BlockingConnectionPool(
            CONNECTIONS,
            connection_class=connection_class(),
            host=address.host,
            port=address.port,
            tls=address.tls,
            username=address.username or None,
            password=password or None,
            db=db,
            meter=self.meter,
            protocol=2,
            driver_info=None,  # it would cost two round trips per connection
            socket_timeout=READ_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis.Redis(connection_pool=pool)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri(self.root)})"

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """SCAN answers a key that is there all the time at least once; https://redis.io/docs/latest/commands/scan/."""
        self.check_span(span)
        rounds = Rounds("the server's cursor")
        cursor, match = parse_cursor(after), encode(escape(self.root)) + b"*"
        while True:
            rounds.pass_by(cursor)
            command = ("SCAN", cursor, "MATCH", match, "COUNT", PAGE_SIZE, "TYPE", "string")
            [(following, keys)] = self._ask("list", "", command)
            page = Page(list(self._described(dict.fromkeys(keys))), str(following) if following else "")
            yield page
            if not following:
                return
            cursor = following

    def _described(self, keys: Iterable[bytes]) -> Iterator[ObjectInfo]:
        """What the keys hold. One that became another type since it was found is left out."""
        for key, size in zip(keys, self._send("list", "", *(("STRLEN", key) for key in keys)), strict=True):
            if not isinstance(size, Exception):
                # not every key is UTF-8: lone surrogates stand for its bytes, and a sync reports such names as unstorable
                yield ObjectInfo(key.decode("utf-8", "surrogateescape"), int(size), None)
            elif not str(size).startswith("WRONGTYPE"):
                raise self.failure(size, "list") from size

    def stat(self, key: str) -> ObjectInfo:
        size, there = self._ask("read", key, ("STRLEN", encode(key)), ("EXISTS", encode(key)))
        return self._info(key, size, there)

    def open(self, key: str, start: int = 0, end: int | None = None) -> ObjectStream:
        stop = start + CHUNK - 1 if end is None else min(end, start + CHUNK - 1)
        name = encode(key)
        size, there, head = self._ask("read", key, ("STRLEN", name), ("EXISTS", name), ("GETRANGE", name, start, stop))
        info = self._info(key, size, there)
        if start > 0 and start >= size:
            raise errors.RangeNotSatisfiable(f"{key} has {size} bytes", size=size)
        last = size - 1 if end is None else min(end, size - 1)
        return ObjectStream(info, start, last, Value(self, info, self._whole(head, info, start, min(stop, last)), start, last))

    def part(self, info: ObjectInfo, start: int, end: int) -> bytes:
        """Bytes ``start``..``end`` of a value of that size. Raises Unavailable if it changed its size meanwhile."""
        name = encode(info.key)
        size, data = self._ask("read", info.key, ("STRLEN", name), ("GETRANGE", name, start, end))
        return self._whole(data if size == info.size else b"", info, start, end)

    def _whole(self, data: bytes, info: ObjectInfo, start: int, end: int) -> bytes:
        if len(data) != end - start + 1:
            raise errors.Unavailable(f"{self.uri(info.key)} changed while it was read")
        return data

    def _info(self, key: str, size: int, there: int) -> ObjectInfo:
        if not there:  # an empty string has the length 0 as well
            raise errors.NotFound(f"{self.uri(key)} does not exist")
        return ObjectInfo(key, size, None)

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        self._ask("write", key, ("SET", encode(key), data))

    def delete(self, key: str) -> None:
        self._ask("delete", key, ("UNLINK", encode(key)))

    def try_list(self, *, wanted: bool) -> str | None:
        """No key under the root is fine: there is nothing like a folder. The name to try reading with is then a missing one."""
        self._ask("list", "", ("PING",))
        pages = itertools.islice(self.list(recursive=True), 10 if wanted else 1)
        return next((page.objects[0].key for page in pages if page.objects), self.probe_key)

    def try_read(self, key: str) -> None:
        with suppress(errors.NotFound):
            super().try_read(key)

    def try_write(self, *, tidy: bool) -> None:
        """Leaves an existing key alone; its own disappears by itself (protocols.md §6)."""
        self._ask("write", self.probe_key, ("SET", encode(self.probe_key), b"", "PX", 1000, "NX"))

    @property
    def pattern(self) -> str:
        """The ACL pattern of our keys; a rule holds no white space, so "?" stands for it."""
        return re.sub(r"\s", "?", escape(self.root)) + "*"

    @property
    def grants(self) -> dict[str, str]:  # type: ignore[override]
        keys = self.pattern.replace("{", "{{").replace("}", "}}")  # ``refusal`` formats it
        return {verb: f"{rules} ~{keys}" for verb, rules in RULES.items()}

    def policy(self, verbs: Collection[str]) -> str:
        """The command that makes such a user. https://redis.io/docs/latest/commands/acl-setuser/"""
        rules = dict.fromkeys(rule for verb in RULES if verb in verbs for rule in RULES[verb].split())
        return f"ACL SETUSER {self.address.username or 'quayside'} on >PASSWORD resetkeys ~{self.pattern} {' '.join(rules)}"

    def uri(self, key: str) -> str:
        """Names the key in messages; never written to tasks and never resolved."""
        return f"{'rediss' if self.address.tls else 'redis'}://{self.container}/{key}"

    def key_of(self, uri: str) -> str | None:
        return None

    def _ask(self, verb: str, key: str, *commands: tuple) -> Sequence[Any]:
        """The answers to commands sent at once, as the first error of them if there is one."""
        answers = self._send(verb, key, *commands)
        for error in answers:
            if isinstance(error, Exception):
                raise self.failure(error, verb, key) from error
        return answers

    def _send(self, verb: str, key: str, *commands: tuple) -> Sequence[Any]:
        """The answers to commands sent at once, errors among them."""
        self.meter.count(requests=len(commands))
        with self._told(verb, key):
            pipeline = self._redis.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[None]:
        from redis import RedisError

        try:
            yield
        except RedisError as error:
            raise self.failure(error, verb, key) from error
        except (ValueError, TypeError, RecursionError) as error:  # what redis-py makes of answers that are no RESP
            raise errors.ConfigInvalid(f"{self.container} does not speak the Redis protocol", field="port") from error

    def failure(self, error: Exception, verb: str, key: str = "") -> errors.StorageError:
        """Our error for one of redis-py's, by what the server said, else by its class."""
        import redis

        code = getattr(error, "status_code", None)
        text = f"{code} {error}" if code else str(error)
        told = text.split(" ", 1)[0][:20]
        for beginning, kind, advice, field in REPLIES:
            if text.startswith(beginning):
                made = kind(f"{self.container} {advice} ({told})") if advice else self.refusal(kind, verb, key, told=told)
                made.field, made.verb = field, verb
                return made
        if isinstance(error, redis.AuthenticationError):  # before ConnectionError, which it is one of
            return errors.BadCredentials(str(self.refusal(errors.BadCredentials, verb, key)), field="password")
        if isinstance(error, redis.TimeoutError):
            return errors.TimedOut(f"{self.container} does not answer; check host, port and firewall")
        if isinstance(error, redis.ConnectionError):
            hint = "" if self.address.tls else "; if it expects TLS, write rediss:// before the host"
            return errors.Unavailable(f"{self.container} broke the connection off{hint}")
        if isinstance(error, redis.InvalidResponse):
            return errors.ConfigInvalid(f"{self.container} does not speak the Redis protocol", field="port")
        return self.refusal(errors.ConfigInvalid, verb, key, told=told)


def encode(key: str) -> bytes:
    """The key as the server has it."""
    return key.encode("utf-8", "surrogateescape")
