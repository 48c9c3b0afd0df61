"""The benchmark store answers boto3 as S3 would, so that what is measured against it is worth measuring."""

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from pyarrow.parquet import ParquetFile

from tests.benchmarks.s3_stub import start
from tests.benchmarks.stub_buckets import parquet


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with start("--jsonl-lines", "100", "--big-mib", "3") as url:
        yield url


@pytest.fixture(scope="module")
def s3(url) -> BaseClient:
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=config
    )


def keys(page: dict) -> list[str]:
    return [entry["Key"] for entry in page.get("Contents", [])]


def test_2500_keys_come_in_three_pages_in_order(s3):
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="bench-2500"))
    assert [page["KeyCount"] for page in pages] == [1000, 1000, 500]
    every = [key for page in pages for key in keys(page)]
    assert every == [f"img/{number:08d}.jpg" for number in range(1, 2501)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"Prefix": "img/0000001"}, [f"img/{number:08d}.jpg" for number in range(10, 20)]),
        ({"Prefix": "other"}, []),
        ({"StartAfter": "img/00000028.jpg"}, ["img/00000029.jpg", "img/00000030.jpg"]),
        ({"StartAfter": "img/00000028"}, ["img/00000028.jpg", "img/00000029.jpg", "img/00000030.jpg"]),
        ({"MaxKeys": 2}, ["img/00000001.jpg", "img/00000002.jpg"]),
        ({"Prefix": "img/", "Delimiter": "/", "MaxKeys": 1}, ["img/00000001.jpg"]),
        ({"StartAfter": "zzz"}, []),
    ],
)
def test_a_listing_selects_what_was_asked_for(s3, arguments, expected):
    assert keys(s3.list_objects_v2(Bucket="bench-30", **arguments)) == expected


def test_a_delimiter_folds_keys_into_folders_across_pages(s3):
    for key in ("a/1", "a/2", "b/1", "c", "d&<é>"):
        s3.put_object(Bucket="folders", Key=key, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="folders", Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [[entry["Prefix"] for entry in page.get("CommonPrefixes", [])] + keys(page) for page in pages] == [
        ["a/", "b/"],
        ["c", "d&<é>"],
    ]


@pytest.mark.parametrize("bucket", ["bench-3", "tasks-3", "jsonl", "jsonl-3", "parquet-3", "media"])
def test_listing_head_and_body_agree(s3, bucket):
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        head = s3.head_object(Bucket=bucket, Key=entry["Key"])
        answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
        body = answer["Body"].read()
        digest = f'"{hashlib.md5(body).hexdigest()}"'
        assert (len(body), digest) == (entry["Size"], entry["ETag"]) == (head["ContentLength"], head["ETag"])
        assert entry["LastModified"] == head["LastModified"] == answer["LastModified"]


def test_task_objects_and_lines_are_json(s3):
    body = s3.get_object(Bucket="tasks-3", Key="tasks/00000002.json")["Body"].read()
    assert json.loads(body)["data"]["number"] == 2
    lines = s3.get_object(Bucket="jsonl", Key="rows.jsonl")["Body"].read().splitlines()
    assert (len(lines), json.loads(lines[99])["data"]["text"]) == (100, "line 100 of the benchmark")


def test_rows_of_a_parquet_file_come_in_groups_and_the_same_every_time(s3):
    body = s3.get_object(Bucket="parquet-12000", Key="rows.parquet")["Body"].read()
    file = ParquetFile(BytesIO(body))
    assert (file.metadata.num_rows, file.num_row_groups, body) == (12_000, 2, parquet(12_000))
    assert file.read().slice(11_999).to_pylist() == [{"text": "line 12000 of the benchmark", "number": 12_000}]


def renew(url: str, query: str) -> int:
    with urllib.request.urlopen(urllib.request.Request(f"{url}/-/generation?{query}", method="PUT")) as answer:
        return json.load(answer)["generation"]


@pytest.mark.parametrize("bucket", ["bench-250", "tasks-250"])
def test_a_share_of_the_objects_changes_on_demand_and_back(s3, url, bucket):
    def etags() -> list[str]:
        return [entry["ETag"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]

    before = etags()
    for _ in range(2):
        last = etags()
        renew(url, "percent=2")
        assert [number for number, pair in enumerate(zip(last, etags(), strict=True)) if len(set(pair)) == 2] == [
            0,
            50,
            100,
            150,
            200,
        ]
    entry = s3.list_objects_v2(Bucket=bucket)["Contents"][50]
    body = s3.get_object(Bucket=bucket, Key=entry["Key"], IfMatch=entry["ETag"])["Body"].read()
    assert (len(body), f'"{hashlib.md5(body).hexdigest()}"') == (entry["Size"], entry["ETag"])
    assert renew(url, "percent=0") == 0
    assert etags() == before


@pytest.mark.parametrize("query", ["", "percent=101", "percent=-1", "percent=many", "percent=nan"])
def test_a_share_that_is_none_is_refused(url, query):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        renew(url, query)


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=5-9", 5, 9), ("bytes=3145720-", 3145720, 3145727), ("bytes=-4", 3145724, 3145727)]
)
def test_ranges_of_the_big_object(s3, asked, start, end):
    whole = s3.get_object(Bucket="media", Key="big.bin")["Body"].read()
    part = s3.get_object(Bucket="media", Key="big.bin", Range=asked)
    assert part["ContentRange"] == f"bytes {start}-{end}/{3 << 20}"
    assert part["Body"].read() == whole[start : end + 1]


def refused(call, **arguments: object) -> int:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_is_not_there_is_refused(s3):
    assert refused(s3.get_object, Bucket="media", Key="big.bin", Range=f"bytes={3 << 20}-") == 416
    assert refused(s3.get_object, Bucket="bench-3", Key="img/00000004.jpg") == 404
    assert refused(s3.put_object, Bucket="bench-3", Key="img/00000001.jpg", Body=b"") == 403


def test_a_written_object_can_be_read_listed_and_deleted(s3, url):
    s3.put_object(Bucket="out", Key="1 2/ü", Body=b"x" * 300_000, ContentType="text/plain")
    assert refused(s3.put_object, Bucket="out", Key="1 2/ü", Body=b"", IfNoneMatch="*") == 412
    answer = s3.get_object(Bucket="out", Key="1 2/ü")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"x" * 300_000, "text/plain")
    assert keys(s3.list_objects_v2(Bucket="out")) == ["1 2/ü"]
    s3.delete_object(Bucket="out", Key="1 2/ü")
    assert keys(s3.list_objects_v2(Bucket="out")) == []
    with urllib.request.urlopen(f"{url}/-/counts") as counts:
        assert json.load(counts)["DELETE"] == 1


def test_head_sends_no_body_and_keeps_the_connection(url):
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    for method, size in (("HEAD", 0), ("GET", 3 << 20), ("HEAD", 0)):
        connection.request(method, "/media/big.bin")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Length"], len(answer.read())) == (200, str(3 << 20), size)
    connection.close()


def test_pages_wait_side_by_side_and_objects_do_not_wait_for_them():
    with start("--page-latency-ms", "200", "--big-mib", "1") as url, ThreadPoolExecutor(16) as pool:
        started = time.monotonic()
        assert all(pool.map(lambda _: urllib.request.urlopen(f"{url}/bench-9/?list-type=2").read(), range(16)))
        assert 0.2 <= time.monotonic() - started < 1
        started = time.monotonic()
        urllib.request.urlopen(f"{url}/bench-9/img/00000001.jpg").read()
        assert time.monotonic() - started < 0.15


def test_every_answer_waits_for_the_ordered_latency():
    with start("--latency-ms", "150", "--big-mib", "1") as url:
        started = time.monotonic()
        for _ in range(2):
            urllib.request.urlopen(f"{url}/media/big.bin").read()
        assert time.monotonic() - started >= 0.3
