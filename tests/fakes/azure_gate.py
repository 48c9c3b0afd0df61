"""The door of the Azure fake: who asks, and may they; what passes goes to the emulator under the account's own signature.

The emulator itself checks SAS made with the account key. Errors: Azure Storage REST API Reference "Status and error codes".
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from xml.sax.saxutils import escape, unescape

from tests.fakes.azure_delegation import MISMATCH, SAS_FIELDS, Delegation, check_window
from tests.fakes.azure_process import Azurite
from tests.fakes.azure_sharedkey import sign, unauthentic, verify
from tests.fakes.claims import Refusal
from tests.fakes.faults import Failure
from tests.fakes.wire import Request, Response

VERBS = ("list", "read", "write", "delete", "delegate")
MAX_RESULTS = 5000  # "List Blobs", URI parameter maxresults
VERB_OF_METHOD = {"GET": "read", "HEAD": "read", "PUT": "write", "POST": "write", "DELETE": "delete"}
# "Create a user delegation SAS", Specify query parameters to override response headers
OVERRIDES = {
    "rscc": "cache-control",
    "rscd": "content-disposition",
    "rsce": "content-encoding",
    "rscl": "content-language",
    "rsct": "content-type",
}


NEXT = re.compile(b"<NextMarker>(.+?)</NextMarker>")


@dataclass
class Gate:
    """``verify``: whether a bearer token is good (None: this endpoint takes none); ``denied``: verbs no role grants."""

    azurite: Azurite
    delegation: Delegation
    verify: Callable[[str], bool] | None
    clock: Callable[[], datetime]
    page_cap: int = MAX_RESULTS
    denied: set[str] = field(default_factory=set)
    key_allowed: bool = True
    markers: set[str] = field(default_factory=set)  # those of answers; a listing takes no other
    immutable: set[str] = field(default_factory=set)  # containers whose blobs a policy protects
    gone: set[str] = field(default_factory=set)  # containers that the account shows to nobody

    def answer(self, request: Request) -> Response:
        try:
            if request.method == "OPTIONS":
                return self.azurite.answer(request)  # a preflight is never signed; the emulator knows the CORS rules
            response = ranged(self.admit(request))
            if "comp=list" in request.query:
                self.markers.update(unescape(marker.decode()) for marker in NEXT.findall(response.body))
            return response
        except Refusal as refusal:
            return error_document(refusal, request)

    def admit(self, request: Request) -> Response:
        values = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in request.parameters}
        scheme = (request.header("authorization") or "").partition(" ")[0]
        verb = verb_of(request, values)
        if scheme == "Bearer":
            self.check_bearer(request, verb)
            return self.delegate(request) if verb == "delegate" else self.forward(request, values)
        if scheme == "SharedKey":
            self.check_key_allowed()
            verify(request, self.azurite.account, self.azurite.key, self.clock())
            if verb == "delegate":
                raise unauthentic("Only authentication scheme Bearer is supported")
            return self.forward(request, values)
        if "sig" in values and "skoid" in values:
            self.delegation.verify(request, values, verb, self.clock())
            self.check_role(verb)  # a delegation grants no more than its principal has
            return self.forward(without_sas(request), values)
        if "sig" in values:
            self.check_key_allowed()
            check_window(values, self.clock(), "st", "se")
            return renamed(self.azurite.answer(self.narrowed(request, values)))
        raise self.anonymous(request)

    def check_bearer(self, request: Request, verb: str) -> None:
        token = (request.header("authorization") or "").removeprefix("Bearer ")
        if request.header("x-ms-version") is None:
            raise Refusal(400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified.")
        if self.verify is None or not self.verify(token):
            raise self.challenge("InvalidAuthenticationInfo")
        self.check_role(verb)

    def check_role(self, verb: str) -> None:
        if verb in self.denied:
            raise Refusal(403, "AuthorizationPermissionMismatch", MISMATCH)

    def check_key_allowed(self) -> None:
        if not self.key_allowed:
            message = "Key based authentication is not permitted on this storage account."
            raise Refusal(403, "KeyBasedAuthenticationNotPermitted", message)

    def anonymous(self, request: Request) -> Refusal:
        """API clients are challenged, browsers (which send no version) just refused: "Authorize with Microsoft Entra ID"."""
        if request.header("x-ms-version"):
            return self.challenge("NoAuthenticationInformation")
        return Refusal(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")

    def challenge(self, code: str) -> Refusal:
        message = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
        refusal = Refusal(401, code, message)
        authority = f"https://login.microsoftonline.com/{self.delegation.tenant}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={authority} resource_id=https://storage.azure.com"
        refusal.headers = {"www-authenticate": challenge}
        return refusal

    def delegate(self, request: Request) -> Response:
        body = self.delegation.issue(request, self.clock())
        return Response(200, {"content-type": "application/xml", "content-length": str(len(body))}, body)

    def forward(self, request: Request, values: dict[str, str]) -> Response:
        self.check_container(request, values)
        signed = sign(self.narrowed(request, values), self.azurite.account, self.azurite.key)
        response = self.azurite.answer(signed)
        if "sig" in values and response.status < 300:
            response.headers |= {header: values[name] for name, header in OVERRIDES.items() if name in values}
        return response

    def check_container(self, request: Request, values: dict[str, str]) -> None:
        """What the emulator does not know: immutability policies ("Immutable storage for blobs"), containers that are gone.

        A precondition that does not hold is said first.
        """
        container, _, name = request.path.split("/", 2)[-1].partition("/")
        if container in self.gone:
            raise Refusal(404, "ContainerNotFound", "The specified container does not exist.")
        changes = request.method in ("PUT", "DELETE") and not request.header("if-match")
        if name and changes and container in self.immutable and self.holds(request):
            message = "This operation is not permitted as the blob is immutable due to a policy."
            raise Refusal(409, "BlobImmutableDueToPolicy", message)

    def holds(self, request: Request) -> bool:
        """Whether the blob that the request names is there."""
        headers = [(name, value) for name, value in request.headers if name in ("host", "x-ms-version")]
        asked = replace(request, method="HEAD", query="", headers=headers, body=b"")
        return self.azurite.answer(sign(asked, self.azurite.account, self.azurite.key)).status == 200

    def narrowed(self, request: Request, values: dict[str, str]) -> Request:
        """A listing with a capped page size; no other request is touched. Raises Refusal 400 for a size that is none."""
        if values.get("comp") != "list":
            return request
        asked = values.get("maxresults") or str(MAX_RESULTS)
        if not re.fullmatch("[1-9][0-9]{0,8}", asked):
            raise Refusal(400, "OutOfRangeQueryParameterValue", "maxresults must be a positive integer.")
        if (marker := values.get("marker")) and marker not in self.markers:  # the emulator would take any name
            raise Refusal(400, "OutOfRangeInput", "One of the request inputs is out of range.")
        rest = [part for part in request.query.split("&") if part.partition("=")[0] != "maxresults"]
        size = min(int(asked), self.page_cap, MAX_RESULTS)
        return replace(request, query="&".join([*rest, f"maxresults={size}"]))


def verb_of(request: Request, values: dict[str, str]) -> str:
    if values.get("comp") == "userdelegationkey" and request.method == "POST":
        return "delegate"
    return "list" if values.get("comp") == "list" else VERB_OF_METHOD.get(request.method, "write")


def without_sas(request: Request) -> Request:
    """The request without what only a SAS has; the emulator could not check a delegation of ours."""
    return replace(request, query="&".join(part for part in request.query.split("&") if part.partition("=")[0] not in SAS_FIELDS))


def ranged(response: Response) -> Response:
    """The answer, unless its range holds no byte: the emulator serves one that begins just behind the end, Azure does not."""
    told = re.fullmatch(r"bytes (\d+)-(-?\d+)/(\d+)", response.headers.get("content-range", ""))
    if told and int(told[2]) < int(told[1]):
        refusal = Refusal(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
        refusal.headers = {"content-range": f"bytes */{told[3]}"}
        raise refusal
    return response


def renamed(response: Response) -> Response:
    """Azure answers a signature that does not hold with AuthenticationFailed; the emulator has another name for it."""
    if response.headers.get("x-ms-error-code") == "AuthorizationFailure":
        response.headers["x-ms-error-code"] = "AuthenticationFailed"
        response.body = response.body.replace(b"<Code>AuthorizationFailure<", b"<Code>AuthenticationFailed<")
        response.headers["content-length"] = str(len(response.body))
    return response


def failed(request: Request, failure: Failure) -> Response:
    refusal = Refusal(failure.status, failure.code, f"{failure.code} on demand of the test.")
    refusal.headers = failure.headers
    return error_document(refusal, request)


def error_document(refusal: Refusal, request: Request) -> Response:
    identifier = secrets.token_hex(16)
    text = f"{escape(refusal.message)}\nRequestId:{identifier}"
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{refusal.code}</Code><Message>{text}</Message></Error>'.encode()
    headers = {"x-ms-error-code": refusal.code, "x-ms-request-id": identifier, "content-type": "application/xml"}
    content = b"" if request.method == "HEAD" else body
    return Response(refusal.status, {**headers, "content-length": str(len(content)), **refusal.headers}, content)
