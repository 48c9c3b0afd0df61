"""A store that sends other bytes than it was asked for is never believed."""

import pytest

from storages.errors import ConfigInvalid, Unavailable
from storages.providers.aws.client import S3Client
from tests.fakes.wire import Response, Server

CASES = {
    "a part that nobody asked for": (206, {"Content-Range": "bytes 5-8/2048"}, None),
    "another part": (206, {"Content-Range": "bytes 5-8/2048"}, 2),
    "a part without saying which": (206, {}, 2),
    "the whole instead of a part": (200, {}, 2),
}


class Keys:
    def get_frozen_credentials(self):
        from botocore.credentials import ReadOnlyCredentials

        return ReadOnlyCredentials("key", "secret", None)


def client(server: Server) -> S3Client:
    return S3Client("data", "", "us-east-1", server.url, Keys())


@pytest.mark.parametrize("case", CASES)
def test_other_bytes_than_asked_for_are_refused(case):
    status, headers, start = CASES[case]
    with Server(lambda request: Response(status, headers | {"Content-Length": "4", "ETag": '"v"'}, b"5678")) as server:
        with pytest.raises(Unavailable, match="another byte range"):
            client(server).open("a.bin", *(() if start is None else (start, start + 3)))


@pytest.mark.parametrize("size", ["-5", "1_024", "9" * 30, "", "x"])
def test_a_size_that_is_none_is_refused(size):
    with Server(lambda request: Response(200, {"Content-Length": size, "ETag": '"v"'}, b"")) as server:
        with pytest.raises((ConfigInvalid, Unavailable)):
            client(server).stat("a.bin")
