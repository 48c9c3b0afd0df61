"""sts.googleapis.com: trades a signed AWS GetCallerIdentity request for a federated Google token.

Source: RFC 8693; Google Cloud "Workload identity federation with AWS", Security Token Service API v1 token.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.claims import ALGORITHM, Claim, Refusal, parse_time, split_credential
from tests.fakes.google_errors import reply
from tests.fakes.google_tokens import Tokens, known_scopes
from tests.fakes.sigv4 import verify
from tests.fakes.wire import Request, Response

FORM = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
}
HOST = re.compile(r"sts(?:\.([a-z0-9-]+))?\.amazonaws\.com")
QUERY = {"Action": ["GetCallerIdentity"], "Version": ["2011-06-15"]}


@dataclass(frozen=True)
class AwsIdentity:
    """A key pair known to AWS and the ARN that GetCallerIdentity gives for it."""

    secret_key: str = field(repr=False)
    arn: str
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass
class Federation:
    """``providers``: audience to the role ARN that its attribute condition demands (None: any identity of AWS)."""

    tokens: Tokens
    providers: dict[str, str | None] = field(default_factory=dict)
    identities: dict[str, AwsIdentity] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """Raises Refusal in OAuth's terms."""
        if (request.method, request.path) != ("POST", "/v1/token"):
            raise Refusal(404, "not_found", f"{request.method} {request.path} is not served by sts.googleapis.com.")
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        for name, value in FORM.items():
            if form.get(name) != value:
                raise Refusal(400, "invalid_request", f"Invalid value for {name}: expected {value}.")
        audience = form.get("audience", "")
        if audience not in self.providers:
            raise Refusal(400, "invalid_target", f"The target service indicated by the audience is invalid: {audience}")
        scopes = known_scopes(form.get("scope", ""))
        arn = self.caller(form.get("subject_token", ""), audience)
        self.check_condition(audience, arn)
        token = self.tokens.mint(subject_of(audience, arn), scopes)
        issued = {"access_token": token, "issued_token_type": FORM["requested_token_type"], "token_type": "Bearer"}
        return reply(issued | {"expires_in": self.tokens.seconds})

    def caller(self, subject_token: str, audience: str) -> str:
        """The ARN of who signed the embedded request for this audience."""
        embedded = embedded_request(subject_token)
        if embedded.header("x-goog-cloud-target-resource") != audience:
            raise grant_refusal("x-goog-cloud-target-resource is missing or is not the audience.")
        try:
            claim = claim_in(embedded)
            identity = self.identities.get(claim.access_key)
            if identity is None:
                raise grant_refusal("Received invalid AWS response of type InvalidClientTokenId.")
            verify(embedded, claim, identity, self.tokens.clock())
        except Refusal as refusal:
            raise grant_refusal(f"{refusal.code}: {refusal.message}") from refusal
        return identity.arn

    def check_condition(self, audience: str, arn: str) -> None:
        wanted = self.providers[audience]
        if wanted is not None and not arn.startswith(f"{wanted}/"):
            raise Refusal(400, "unauthorized_client", "The given credential is rejected by the attribute condition.")


def subject_of(audience: str, arn: str) -> str:
    """The principal that IAM policies name for an AWS identity seen through a provider (subject = ARN)."""
    return f"principal:{audience.partition('/providers/')[0]}/subject/{arn}"


def embedded_request(subject_token: str) -> Request:
    """The GetCallerIdentity request in a subject token, as AWS would receive it."""
    try:
        document = json.loads(unquote(subject_token))
        url, method = urlsplit(document["url"]), document["method"]
        headers = [(str(header["key"]).lower(), str(header["value"])) for header in document["headers"]]
    except (ValueError, KeyError, TypeError) as error:
        raise grant_refusal("Error parsing subject token: it must be the URL-quoted JSON of an AWS request.") from error
    hosts = [value for name, value in headers if name == "host"]
    if url.scheme != "https" or not HOST.fullmatch(url.netloc) or hosts != [url.netloc]:
        raise grant_refusal("The AWS request must go to https://sts.*.amazonaws.com.")
    if method != "POST" or url.path not in ("", "/") or parse_qs(url.query) != QUERY:
        raise grant_refusal("The AWS request must be POST ?Action=GetCallerIdentity&Version=2011-06-15.")
    return Request(method, "/", url.query, headers)


def claim_in(embedded: Request) -> Claim:
    """What the embedded request claims; unlike S3's, requests to STS have no x-amz-content-sha256."""
    form = rf"{ALGORITHM} Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)"
    match = re.fullmatch(form, embedded.header("authorization") or "")
    if match is None:
        raise grant_refusal("The Authorization header of the AWS request is missing or malformed.")
    when = parse_time(embedded.header("x-amz-date"))
    access_key, scope, region = split_credential(match[1], when, "IncompleteSignature", "sts")
    host = HOST.fullmatch(embedded.header("host") or "")
    if region != ((host and host[1]) or "us-east-1"):
        raise grant_refusal("The AWS request is signed for another region than its host's.")
    payload, token = hashlib.sha256(b"").hexdigest(), embedded.header("x-amz-security-token")
    return Claim(access_key, scope, region, match[2].split(";"), match[3], when, payload, token=token)


def grant_refusal(message: str) -> Refusal:
    return Refusal(400, "invalid_grant", message)
