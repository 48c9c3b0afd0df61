"""User delegation keys and the SAS signed with them: hands keys out, recomputes signatures; knows no roles and no blobs.

Source: Azure Storage REST API Reference "Get User Delegation Key" and "Create a user delegation SAS".
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote
from xml.etree import ElementTree

from tests.fakes.azure_sharedkey import signature, unauthentic
from tests.fakes.claims import Refusal
from tests.fakes.sigv4 import iso
from tests.fakes.wire import Request

MAX_KEY_LIFE = timedelta(days=7)  # "Get User Delegation Key", request body
OLDEST = "2020-12-06"  # string-to-sign forms before this version are not served here
KEY_FIELDS = ("skoid", "sktid", "skt", "ske", "sks", "skv")
AGENT_FIELDS = ("saoid", "suoid", "scid")
RESOURCE_FIELDS = ("sip", "spr", "sv", "sr", "snapshot", "ses")
ANSWER_FIELDS = ("rscc", "rscd", "rsce", "rscl", "rsct")
ADDED = (("2025-07-05", ("skdutid", "sduoid")), ("2026-04-06", ("srh", "srq")))  # after AGENT_, after RESOURCE_FIELDS
SAS_FIELDS = {"sp", "st", "se", "sig", *KEY_FIELDS, *AGENT_FIELDS, *RESOURCE_FIELDS, *ANSWER_FIELDS} - {"snapshot"}
SAS_FIELDS |= {name for _, names in ADDED for name in names}
PERMISSIONS = {"read": "r", "write": "wc", "delete": "d", "list": "l"}
MISMATCH = "This request is not authorized to perform this operation using this permission."


@dataclass(frozen=True)
class Delegation:
    """The keys of one account. A key is derived from its own description, so that any change to that makes another key."""

    account: str
    object_id: str
    tenant: str
    master: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def issue(self, request: Request, now: datetime) -> bytes:
        """The document that answers Get User Delegation Key. Raises Refusal 400 for a bad or too long validity."""
        try:
            info = ElementTree.fromstring(request.body)
            start, expiry = (moment(info.findtext(name) or iso(now)) for name in ("Start", "Expiry"))
        except (ElementTree.ParseError, ValueError) as error:
            raise Refusal(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
        if not start < expiry or not now < expiry <= now + MAX_KEY_LIFE:
            raise Refusal(400, "InvalidXmlNodeValue", "The value for Expiry must be within seven days after now and after Start.")
        version = request.header("x-ms-version") or OLDEST
        values = (self.object_id, self.tenant, iso(start), iso(expiry), "b", version)
        names = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion", "Value")
        shown = zip(names, (*values, self.key_of(dict(zip(KEY_FIELDS, values, strict=True)))), strict=True)
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in shown)
        return f'<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>{inner}</UserDelegationKey>'.encode()

    def key_of(self, values: Mapping[str, str]) -> str:
        text = "\n".join(values.get(name, "") for name in KEY_FIELDS)
        return base64.b64encode(hmac.digest(self.master, text.encode(), "sha256")).decode()

    def verify(self, request: Request, values: Mapping[str, str], verb: str, now: datetime) -> None:
        """Returns if the SAS in the query (``values``) lets its bearer do ``verb`` at ``now``. Raises Refusal 403."""
        if values.get("sv", "") < OLDEST:
            raise unauthentic(f"This account serves user delegation SAS of version {OLDEST} and later.")
        expected = signature(string_to_sign(values, self.resource(request, values)), self.key_of(values))
        if not hmac.compare_digest(expected.encode(), values["sig"].encode()):
            raise unauthentic("Signature did not match.")
        check_window(values, now, "st", "se")
        check_window(values, now, "skt", "ske")
        if not set(PERMISSIONS.get(verb, "")) & set(values.get("sp", "")):
            raise Refusal(403, "AuthorizationPermissionMismatch", MISMATCH)

    def resource(self, request: Request, values: Mapping[str, str]) -> str:
        """What the request is about, as a signature of that kind (``sr``) would have named it."""
        container, _, blob = unquote(request.path).removeprefix(f"/{self.account}/").partition("/")
        name = f"{container}/{blob}" if values.get("sr") == "b" else container
        return f"/blob/{self.account}/{name}"


def string_to_sign(values: Mapping[str, str], resource: str) -> str:
    agent, limits = ((fields if values["sv"] >= since else ()) for since, fields in ADDED)
    before = ("sp", "st", "se")
    after = (*KEY_FIELDS, *AGENT_FIELDS, *agent, *RESOURCE_FIELDS, *limits, *ANSWER_FIELDS)
    lines = [values.get(name, "") for name in before] + [resource] + [values.get(name, "") for name in after]
    return "\n".join(lines)


def check_window(values: Mapping[str, str], now: datetime, start: str, end: str) -> None:
    """Raises Refusal 403 unless ``now`` lies between the two moments; the start may be missing."""
    try:
        begins, ends = moment(values.get(start) or iso(now)), moment(values.get(end, ""))
    except ValueError as error:
        raise unauthentic(f"{start} or {end} is no moment in UTC.") from error
    if not begins <= now < ends:
        raise unauthentic(f"Signature not valid in the specified time frame: {iso(begins)} to {iso(ends)}, now {iso(now)}")


def moment(text: str) -> datetime:
    """The aware time that ISO text means. Raises ValueError, also for text without a time zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return parsed
