"""The CORS rules of the S3 fake's buckets: answers preflights, marks answers; knows no signatures and no objects.

Source: Amazon S3 User Guide "Using cross-origin resource sharing (CORS)", "How does Amazon S3 evaluate the CORS configuration".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fakes.claims import Refusal
from tests.fakes.wire import Request, Response

VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


class CorsRule(NamedTuple):
    """Pages of ``origins`` may use ``methods`` and send ``headers``; "*" in an origin or header stands for any text."""

    origins: Sequence[str]
    methods: Sequence[str]
    headers: Sequence[str] = ()
    max_age: int = 3000

    def matches(self, origin: str, method: str, headers: Sequence[str] = ()) -> bool:
        return (
            any(fits(pattern, origin) for pattern in self.origins)
            and method in self.methods
            and all(any(fits(pattern.lower(), header) for pattern in self.headers) for header in headers)
        )


@dataclass
class Cors:
    """The rules per bucket."""

    rules: dict[str, CorsRule] = field(default_factory=dict)

    def preflight(self, request: Request) -> Response:
        """The answer to OPTIONS, which no browser signs. Raises Refusal 400 without its headers, 403 without a rule."""
        origin, method = request.header("origin"), request.header("access-control-request-method")
        if origin is None:
            raise Refusal(400, "BadRequest", "Insufficient information. Origin request header needed.")
        if method is None:
            raise Refusal(400, "BadRequest", "Invalid Access-Control-Request-Method: null")
        asked = request.header("access-control-request-headers") or ""
        headers = [name.strip().lower() for name in asked.split(",") if name.strip()]
        rule = self.rules.get(bucket_of(request))
        about = {"Method": method, "ResourceType": "OBJECT" if "/" in request.path.strip("/") else "BUCKET"}
        if rule is None:
            raise Refusal(403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", **about)
        if not rule.matches(origin, method, headers):
            message = "CORSResponse: This CORS request is not allowed. No rule has its origin, method and headers."
            raise Refusal(403, "AccessForbidden", message, **about)
        allowed = {"access-control-allow-headers": ", ".join(headers)} if headers else {}
        return Response(200, {**marks(rule, origin), **allowed, "content-length": "0"})

    def mark(self, request: Request, response: Response) -> None:
        """Gives the answer the CORS headers of the bucket's rule; moto's dispatcher, unlike its server, adds none itself."""
        origin, rule = request.header("origin"), self.rules.get(bucket_of(request))
        if origin is not None and rule is not None and rule.matches(origin, request.method):
            response.headers |= marks(rule, origin)


def marks(rule: CorsRule, origin: str) -> dict[str, str]:
    """A rule for every origin is answered with "*" and without credentials, any other with the origin that asked."""
    who = {"access-control-allow-origin": "*"}
    if "*" not in rule.origins:
        who = {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
    methods = ", ".join(rule.methods)
    return {**who, "access-control-allow-methods": methods, "access-control-max-age": str(rule.max_age), "vary": VARY}


def bucket_of(request: Request) -> str:
    return request.path.lstrip("/").partition("/")[0]


def fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text) is not None
