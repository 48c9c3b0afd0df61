"""The client of one Unity Catalog volume: the Files API 2.0; knows no Django model.

https://docs.databricks.com/api/workspace/files. Databricks signs no URLs, so media always goes through the proxy.
"""

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from storages import budget, egress, errors
from storages.client import EVERYTHING, Capabilities, ObjectInfo, Page, Span
from storages.providers.databricks import protocol
from storages.providers.http import HTTPClient
from storages.providers.rounds import Rounds

# requests per host at once, 5 in all: half of what a workspace takes (databricks/cli, libs/filer, comment of 2024)
WORK, CHECKS = 4, 1


class Identity(Protocol):
    """Who signs in. ``renew`` drops a rejected token and says whether another one may be accepted.

    ``workspace``: the client that uses it, set by that client.
    """

    field: str  # the column of its secret
    workspace: "DatabricksClient | None"

    def token(self) -> str: ...

    def renew(self) -> bool: ...


class DatabricksClient(HTTPClient):
    """One volume; a key is the path of a file below it."""

    scheme = "dbx"
    capabilities = Capabilities(presign=False, subfolders=True)
    service, credential = "Databricks", "access token or client secret"
    settings = "host, catalog, schema, volume and prefix"
    codes, host_field = protocol.CODES, "host"
    grants = {
        "list": "USE CATALOG, USE SCHEMA and READ VOLUME on {container}",
        "read": "READ VOLUME on {container}",
        "write": "READ VOLUME and WRITE VOLUME on {container}",
        "delete": "READ VOLUME and WRITE VOLUME on {container}",
    }

    def __init__(
        self, host: str, volume: Collection[str], root: str, identity: Identity, verify: bool, seconds: int, chunk: int
    ) -> None:
        self.base, self.volume, self.root = host, ".".join(volume), root
        self.container = "/".join(("Volumes", *volume))
        self.verify, self.timeout, self.chunk = verify, (min(egress.CONNECT_TIMEOUT, seconds), seconds), chunk
        self._identity = identity
        identity.workspace = self

    def connections(self) -> Any:
        return egress.shared_pool(self.verify, CHECKS if budget.current() else WORK, block=True)

    def url(self, key: str = "", query: Mapping[str, str] | None = None, kind: str = "files") -> str:
        path = quote(f"/{self.container}/{key}".rstrip("/") if kind == "directories" else f"/{self.container}/{key}")
        return f"{self.base}/api/2.0/fs/{kind}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")

    def authorize(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers | {"Authorization": f"Bearer {self._identity.token()}"}

    def renew(self) -> bool:
        return self._identity.renew()

    def code_of(self, headers: Mapping[str, str], body: bytes) -> str:
        """The entry of CODES that the answer is: its reason, its code, or how its message begins; names in it do not count."""
        document = protocol.parse(body or b"{}")
        if document is None:
            message = body[:200].decode("utf-8", "replace")
            return next((code for code in protocol.CODES if message.startswith(code)), "")
        details = document.get("details")
        reasons = [detail.get("reason") for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
        message = str(document.get("message") or headers.get("X-Databricks-Reason-Phrase", ""))
        phrase = next((code for begin, code in protocol.PHRASES if begin.match(message)), None)
        return next((code for code in (phrase, *reasons, document.get("error_code")) if code in protocol.CODES), "")

    def exchange(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Mapping[str, str], bytes]:
        """One request with its own authorization: status, headers and body of the answer."""
        response = self._request(method, url, headers, body)
        return response.status, response.headers, self.content(response, 1024**2)

    def list(self, *, recursive: bool, after: str = "", span: Span = EVERYTHING) -> Iterator[Page]:
        """Breadth first, sub-folders by name. The cursor is a directory and the token of its next page.

        So a resumed listing walks what lies before only to find sub-folders, whether or not that directory still exists.
        """
        self.check_span(span)
        resume, resume_token = protocol.parse_cursor(after) if after else ("", "")
        waiting = deque([(span.folder or self.root).rstrip("/")])
        while waiting:
            directory = waiting.popleft()
            token = resume_token if directory == resume else ""
            below: set[str] = set()
            if token and recursive:
                below.update(path for page in self._pages(directory, "") for path in page.below)
            for page in self._pages(directory, token):
                below.update(page.below if recursive else ())
                if not page.token:
                    waiting.extend(sorted(below))
                if not after or _rank(directory) >= _rank(resume):
                    next_ = (directory, page.token) if page.token else (waiting[0], "") if waiting else None
                    yield Page(page.objects, json.dumps(next_) if next_ else "")

    def folder_pages(self, folder: str) -> Iterator[Sequence[str]]:
        return ([f"{path}/" for path in page.below] for page in self._pages(folder.rstrip("/"), ""))

    def _pages(self, directory: str, token: str) -> Iterator[protocol.Entries]:
        """The pages of one directory; one that vanished, or an export folder that is still to be made, has none.

        Raises CursorLost for a bad request that had a token: its error code is that of any parameter.
        """
        rounds = Rounds("the workspace's page token")
        rounds.pass_by(token)
        while True:
            url = self.url(directory, {"page_token": token} if token else None, "directories")
            response, body = self.answer("GET", url, "list", directory, accept=(400, 404) if token else (404,))
            if response.status == 400:
                raise errors.CursorLost(f"{self.host()} no longer takes the page token of an earlier listing; list anew")
            if response.status == 404:
                if protocol.parse(body) is None or self.code_of(response.headers, body) == "ENDPOINT_NOT_FOUND":
                    raise self.misplaced(404)
                if directory == self.root.rstrip("/") and self._exists() is False:
                    raise self.failure(404, response.headers, body, "list", directory)
                return
            page = protocol.parse_page(self.container, directory, body)
            if page.token:
                rounds.pass_by(page.token)
            yield page
            if not page.token:
                return
            token = page.token

    def _exists(self) -> bool | None:
        """Whether Unity Catalog knows the volume; None if this identity may not ask. An empty volume can look missing."""
        url = f"{self.base}/api/2.1/unity-catalog/volumes/{quote(self.volume, safe='')}"
        status, *_ = self.exchange("GET", url, self.authorize("GET", url, {}, b""))
        return True if status == 200 else False if status == 404 else None

    def _shown(self) -> bool:
        """Whether the Files API shows the folder that is listed."""
        return self.answer("HEAD", self.url(self.root, kind="directories"), "list", accept=(404,))[0].status != 404

    def try_list(self, *, wanted: bool) -> str | None:
        try:
            found = super().try_list(wanted=wanted)
        except errors.NotFound:
            if not self._shown():
                raise
            return None  # the folder is there, with nothing but folders as far as it was read
        if found is None and wanted and not self._shown() and not self._exists():
            raise errors.NotFound(
                f"{self.uri('')} is empty or missing: compare catalog, schema and volume with the Catalog Explorer"
            )
        return found

    def info_of(self, key: str, headers: Mapping[str, str]) -> ObjectInfo:
        info = super().info_of(key, headers)
        return info._replace(etag=protocol.version(info.modified, info.size) if info.modified else "")

    def write(self, key: str, data: bytes, content_type: str = "application/json") -> None:
        headers = {"Content-Type": "application/octet-stream"}
        # said explicitly: what is meant without it has changed between versions of the documentation
        self.answer("PUT", self.url(key, {"overwrite": "true"}), "write", key, headers=headers, body=data)

    @property
    def place(self) -> str:
        return f"{self.base.lower()}/{self.container}/"

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, verb: str, key: str) -> errors.StorageError:
        code = self.code_of(headers, body)
        if 300 <= status < 400 or code == "ENDPOINT_NOT_FOUND":
            return self.misplaced(status)
        if code == "blocked by Databricks IP ACL":
            return errors.Unavailable(f"{self.host()} refuses this server's address; add it to the workspace's IP access list")
        if code == "required scopes":
            message = "the token may not be used for files; give it the scope files or all-apis"
            return errors.ConfigInvalid(message, field=self._identity.field)
        return super().failure(status, headers, body, verb, key)

    def misplaced(self, status: int) -> errors.ConfigInvalid:
        """The error for answers that no workspace gives."""
        message = f"{self.host()} does not answer as a Databricks workspace (HTTP {status}); check the URL and its private link"
        return errors.ConfigInvalid(message, field="host")

    def policy(self, verbs: Collection[str]) -> Any:
        """Statements of https://docs.databricks.com/en/sql/language-manual/security-grant.html"""
        parts = [f"`{part.replace('`', '``')}`" for part in self.volume.split(".")]
        wanted = ["USE CATALOG ON CATALOG", "USE SCHEMA ON SCHEMA", "READ VOLUME ON VOLUME"]
        names = [".".join(parts[:count]) for count in (1, 2, 3)]
        if "write" in verbs or "delete" in verbs:
            wanted, names = [*wanted, "WRITE VOLUME ON VOLUME"], [*names, names[-1]]
        return [f"GRANT {privilege} {name} TO `<principal>`;" for privilege, name in zip(wanted, names, strict=True)]

    def key_of(self, uri: str) -> str | None:
        """Catalog, schema and volume are compared without regard to case, as Unity Catalog does."""
        head, rest = uri[: len(f"dbx://{self.container}/")], uri[len(f"dbx://{self.container}/") :]
        return super().key_of(f"dbx://{self.container}/{rest}") if head.lower() == f"dbx://{self.container}/".lower() else None


def _rank(directory: str) -> tuple[int, list[str]]:
    """What a breadth-first walk through sorted sub-folders comes to in ascending order."""
    return directory.count("/"), directory.split("/")
