"""Clients that drive the S3 fake: boto3 as configured by a careful caller, and plain HTTP that leaves URLs alone."""

import http.client
from collections.abc import Callable
from email.message import Message
from typing import NamedTuple

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes.s3 import S3Fake


class Answer(NamedTuple):
    status: int
    headers: Message
    data: bytes


def fetch(method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
    """Plain HTTP that sends the target of ``url`` untouched (most libraries resolve dots in it)."""
    _, _, host, target = url.split("/", 3)
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(method, f"/{target}", body, headers or {})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return Answer(response.status, response.headers, data)


def client(fake: S3Fake, *, signature: object = "s3v4", region: str | None = None, **keys: str) -> BaseClient:
    """A boto3 client with the fake's own keys unless ``keys`` (aws_access_key_id …) say otherwise; it never retries."""
    keys = {"aws_access_key_id": fake.access_key, "aws_secret_access_key": fake.secret_key, **keys}
    config = Config(
        signature_version=signature,
        retries={"total_max_attempts": 1},
        read_timeout=5,
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", endpoint_url=fake.url, region_name=region or fake.region, config=config, **keys)


def signed_url(fake: S3Fake, method: str = "get_object", seconds: int = 60, **keys: str) -> str:
    """A presigned URL of data/a.txt."""
    return client(fake, **keys).generate_presigned_url(method, {"Bucket": "data", "Key": "a.txt"}, ExpiresIn=seconds)


def refusal(call: Callable[..., object], **arguments: object) -> tuple[int, str]:
    """(status, code) of the refusal that the call meets."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]
