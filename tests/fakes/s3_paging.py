"""Caps the pages of ListObjectsV2 and binds continuation tokens to the listing they came from; knows no objects."""

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.fakes.claims import Refusal
from tests.fakes.wire import Request, Response

MAX_KEYS = 1000  # S3 API Reference ListObjectsV2: at most 1,000 keys a page


class Listing(NamedTuple):
    """What a continuation token belongs to."""

    bucket: str
    prefix: str | None
    delimiter: str | None


@dataclass
class Paging:
    """``cap``: most entries of a page, lower than S3's own limit to get several pages out of few objects."""

    cap: int = MAX_KEYS
    tokens: dict[str, tuple[Listing, str]] = field(default_factory=dict)

    def narrow(self, request: Request, bucket: str) -> Request:
        """The request with a capped max-keys and the inner token in place of ours. Raises Refusal for bad values."""
        asked = request.parameter("max-keys") or str(MAX_KEYS)
        if not asked.isdigit():
            raise invalid("max-keys", asked, "Provided max-keys not an integer or within integer range")
        rest = [part for part in request.query.split("&") if part.partition("=")[0] not in ("max-keys", "continuation-token")]
        rest.append(f"max-keys={min(int(asked), self.cap, MAX_KEYS)}")
        token = request.parameter("continuation-token")
        if token is not None:
            listing, inner = self.tokens.get(token, (None, ""))
            if listing != listing_of(request, bucket):
                raise invalid("continuation-token", token, "The continuation token provided is incorrect")
            rest.append(f"continuation-token={inner}")
        return replace(request, query="&".join(rest))

    def wrap(self, response: Response, request: Request, bucket: str) -> Response:
        """The answer with the inner token replaced by one that only this listing can redeem."""

        def issue(match: re.Match[bytes]) -> bytes:
            token = secrets.token_urlsafe(24) + "+/="  # characters that a client must encode
            self.tokens[token] = (listing_of(request, bucket), match[1].decode())
            return b"<NextContinuationToken>" + token.encode() + b"</NextContinuationToken>"

        body = re.sub(rb"<NextContinuationToken>(.*?)</NextContinuationToken>", issue, response.body)
        return replace(response, body=body, headers={**response.headers, "content-length": str(len(body))})


def listing_of(request: Request, bucket: str) -> Listing:
    return Listing(bucket, request.parameter("prefix"), request.parameter("delimiter"))


def invalid(name: str, value: str, message: str) -> Refusal:
    return Refusal(400, "InvalidArgument", message, ArgumentName=name, ArgumentValue=value)
