"""A Databricks workspace for tests: Files API 2.0, volume info and OAuth, on a free loopback port.

Knows nothing of Quayside. Put, get, delete and paths of the fake itself go around tokens and grants.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tests.environment import tls_directory
from tests.fakes.databricks_access import EVERY_SCOPE, METASTORE, READING, WRITING, Access, Caller
from tests.fakes.databricks_files import Files
from tests.fakes.databricks_oauth import CONFIG_PATH, METADATA_PATH, TOKEN_PATH, OAuth
from tests.fakes.databricks_paging import MAX_PAGE, Paging
from tests.fakes.databricks_refusals import (
    Refusal,
    bad_request,
    blocked_address,
    error_document,
    invalid_path,
    no_endpoint,
    on_demand,
)
from tests.fakes.databricks_tree import Directory, File, Tree, decode_path, place_of
from tests.fakes.entra import EntraFake, json_answer
from tests.fakes.faults import Faults
from tests.fakes.tls import server_context
from tests.fakes.wire import Request, Response, Server

FILES = re.compile(r"/api/2\.0/fs/(files|directories)(/.*)")
VOLUME = re.compile(r"/api/2\.1/unity-catalog/volumes/([^/]+)")
LOGIN = "/login.html"


class Logged(NamedTuple):
    """One request that arrived; path and query percent-encoded, status 0 if the connection was dropped."""

    method: str
    path: str
    query: str
    status: int


class DatabricksFake(Faults):
    """A running workspace with one all-powerful token, ``pat`` of ``owner``; a context manager.

    Trouble is ordered with fail_next, delay, cut_body_after and refuse_all (see Faults), and by the switches ``block_address``
    (IP access list) and ``redirect_to_login`` (private link). ``page_cap``: most entries of a page; ``empty_first_page`` and
    ``hide_empty_root`` (404): see Paging and Files. ``entra``: whose tokens are taken too. ``clock``: epoch seconds.
    """

    pat = "dapi0123456789abcdef0123456789abcdef"
    owner = "harbour.master@quay.example"

    def __init__(
        self,
        *,
        volumes: Sequence[str] = ("main.default.data",),
        page_cap: int = MAX_PAGE,
        empty_first_page: bool = False,
        hide_empty_root: bool = False,
        entra: EntraFake | None = None,
        expires_in: int = 3600,
        tls: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.clock, self.ahead = clock, 0.0
        self.block_address = self.redirect_to_login = False
        self.requests: list[Logged] = []
        self.max_in_flight, self._in_flight, self._counting = 0, 0, threading.Lock()
        self._tree, self._hidden = Tree(), {}
        self._access = Access(self._now, entra)
        self.oauth = OAuth(self._access, expires_in)
        self.paging = Paging(page_cap, empty_first_page)
        self.files = Files(self._tree, self.paging, self._now, hide_empty_root)
        self.add_pat(self.pat, user=self.owner)
        self._access.grant(self.owner, METASTORE, ["ALL PRIVILEGES"])
        for name in volumes:
            self.create_volume(name)
        self._server = Server(self._answer, server_context(tls_directory()) if tls else None)
        self.url = self._server.url

    def create_volume(self, name: str) -> None:
        """An empty volume "catalog.schema.volume"."""
        self._tree.volumes[name.lower()] = Directory(self.files.now())

    def hide_volume(self, name: str, hidden: bool = True) -> None:
        """The volume does not exist any more; brought back with all it held."""
        source, target = (self._tree.volumes, self._hidden) if hidden else (self._hidden, self._tree.volumes)
        target[name] = source.pop(name)

    def add_pat(self, token: str, scopes: Iterable[str] = (EVERY_SCOPE,), user: str = "reader@quay.example") -> None:
        """A personal access token that never expires; its user may do nothing until granted."""
        self._access.tokens[token] = Caller(user, frozenset(scopes))

    def add_principal(self, client_id: str, secret: str, scopes: Iterable[str] = (EVERY_SCOPE,)) -> None:
        """A service principal with an OAuth secret that may ask for ``scopes``; grants name it by ``client_id``."""
        self.oauth.add(client_id, secret, scopes)

    def grant(self, user: str, securable: str, *privileges: str) -> None:
        """Grants on "catalog", "catalog.schema" or "catalog.schema.volume" (USE CATALOG, READ VOLUME, ALL PRIVILEGES …)."""
        self._access.grant(user, securable, privileges)

    def revoke(self, user: str, securable: str, *privileges: str) -> None:
        self._access.revoke(user, securable, privileges)

    def forget_page_tokens(self) -> None:
        """No page token that was given is known any more."""
        self.paging.tokens.clear()

    def revoke_tokens(self) -> None:
        """Forgets every token but those of Entra, as if all had been revoked."""
        self._access.tokens.clear()

    def put(self, path: str, body: bytes) -> None:
        """Stores a file at an absolute, not encoded path "/Volumes/…", over whatever file was there."""
        with self._tree.lock:
            self._tree.write(place_of(path), File(body, self.files.now()), overwrite=True)

    def make_directory(self, path: str) -> None:
        with self._tree.lock:
            self._tree.make_directory(place_of(path), self.files.now())

    def get(self, path: str) -> bytes | None:
        """The body, None if there is no such file."""
        with self._tree.lock:
            node = self._tree.node(place_of(path))
        return node.body if isinstance(node, File) else None

    def delete(self, path: str) -> None:
        with self._tree.lock:
            self._tree.remove_file(place_of(path))

    def paths(self) -> list[str]:
        """The absolute paths of all files, sorted."""
        with self._tree.lock:
            return sorted(self._tree.walk())

    def advance(self, seconds: float) -> None:
        """Moves the fake's clock, so that tokens and files age without waiting; an EntraFake has a clock of its own."""
        self.ahead += seconds

    def close(self) -> None:
        self._server.close()

    def _now(self) -> float:
        return self.clock() + self.ahead

    def _answer(self, request: Request) -> Response:
        with self._counting:
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            response = self.around(request, self._admit, on_demand)
        finally:
            with self._counting:
                self._in_flight -= 1
        if request.method == "HEAD" and response.status >= 400:
            response.body, response.headers["content-length"] = b"", "0"
        self.requests.append(Logged(request.method, request.path, request.query, response.status))
        return response

    def _admit(self, request: Request) -> Response:
        if request.path == LOGIN:
            page = b"<!doctype html><title>Sign in</title>"
            return Response(200, {"content-type": "text/html", "content-length": str(len(page))}, page)
        if self.redirect_to_login:
            location = f"{LOGIN}?error=private-link-validation-error"
            return Response(302, {"location": location, "content-length": "0"})
        try:
            if self.block_address:
                raise blocked_address()
            return self._route(request)
        except Refusal as refusal:
            return error_document(refusal)

    def _route(self, request: Request) -> Response:
        if request.method == "GET" and request.path in (CONFIG_PATH, METADATA_PATH):
            return self.oauth.describe(request.path, self.url)
        if request.method == "POST" and request.path == TOKEN_PATH:
            return self.oauth.grant(request)
        caller = self._access.caller_of(request)
        if match := FILES.fullmatch(request.path):
            return self._serve_file(request, caller, match[1], match[2])
        if request.method == "GET" and (match := VOLUME.fullmatch(request.path)):
            return self._describe_volume(caller, decode_path(match[1]).lower())
        raise no_endpoint(request.method, request.path)

    def _serve_file(self, request: Request, caller: Caller, kind: str, raw: str) -> Response:
        caller.require("files")
        path = decode_path(raw)
        if kind == "files" and path.endswith("/"):
            raise invalid_path("a file name is missing after the last slash")  # assumed
        place = place_of(path)
        reading = request.method in ("GET", "HEAD")
        self._check(caller, place.volume, READING if reading else WRITING)
        return self.files.answer(request, kind, place)

    def _describe_volume(self, caller: Caller, name: str) -> Response:
        """VolumeInfo of the Unity Catalog API."""
        caller.require("unity-catalog")
        if name.count(".") != 2:
            raise bad_request(f"'{name}' is not a valid name of a volume.")  # assumed
        catalog, schema, volume = name.split(".")
        self._check(caller, name, READING)
        names = {"catalog_name": catalog, "schema_name": schema, "name": volume, "full_name": name}
        return json_answer(200, names | {"volume_type": "MANAGED", "storage_location": f"s3://quay/{name}"})

    def _check(self, caller: Caller, volume: str, privileges: Sequence[str]) -> None:
        """What a caller may not look into stays hidden; a volume that is missing is then told from one that is forbidden."""
        self._access.check_use(caller, volume)
        self._tree.volume(volume)
        self._access.check_volume(caller, volume, privileges)
