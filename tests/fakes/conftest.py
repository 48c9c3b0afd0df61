"""The store that the fake's own tests drive."""

from collections.abc import Iterator

import pytest

from tests.fakes.s3 import S3Fake


@pytest.fixture
def store() -> Iterator[S3Fake]:
    """A store with one object, data/a.txt."""
    with S3Fake() as fake:
        fake.create_bucket("data")
        fake.put("data", "a.txt", b"0123456789", "text/plain")
        yield fake
