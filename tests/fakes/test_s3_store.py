"""What stands behind the gate of the S3 fake: permissions, pages, regions, ranges, and trouble on demand."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ResponseStreamingError

from tests.fakes.s3 import S3Fake
from tests.fakes.s3_clients import client, fetch, refusal, signed_url

LIMITED = {"aws_access_key_id": "AKIALIMITED", "aws_secret_access_key": "limited"}
ACTIONS = {
    "list_objects_v2": ("s3:ListBucket", {"Prefix": "in/"}),
    "get_object": ("s3:GetObject", {"Key": "in/a"}),
    "put_object": ("s3:PutObject", {"Key": "in/b", "Body": b""}),
    "delete_object": ("s3:DeleteObject", {"Key": "in/a"}),
}


@pytest.mark.parametrize("granted", ACTIONS)
def test_an_identity_may_do_what_it_was_allowed_and_nothing_else(store, granted):
    store.put("data", "in/a", b"x")
    store.add_identity("AKIALIMITED", "limited", allow=[(ACTIONS[granted][0], "data", "in/")])
    s3 = client(store, **LIMITED)
    for name in ACTIONS.keys() - {granted}:
        assert refusal(getattr(s3, name), Bucket="data", **ACTIONS[name][1]) == (403, "AccessDenied"), name
    getattr(s3, granted)(Bucket="data", **ACTIONS[granted][1])


def test_a_grant_ends_at_its_prefix_and_bucket(store):
    store.create_bucket("other")
    store.add_identity("AKIALIMITED", "limited", allow=[("s3:*", "data", "in/")])
    s3 = client(store, **LIMITED)
    assert refusal(s3.list_objects_v2, Bucket="data") == (403, "AccessDenied")
    assert refusal(s3.put_object, Bucket="data", Key="out/a", Body=b"") == (403, "AccessDenied")
    assert refusal(s3.put_object, Bucket="other", Key="in/a", Body=b"") == (403, "AccessDenied")
    with pytest.raises(ClientError, match='not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::data/a.txt"'):
        s3.get_object(Bucket="data", Key="a.txt")


def test_a_missing_object_is_hidden_from_who_may_not_list(store):
    assert refusal(client(store).get_object, Bucket="data", Key="none") == (404, "NoSuchKey")
    assert refusal(client(store).head_object, Bucket="data", Key="none") == (404, "404")
    assert refusal(client(store).list_objects_v2, Bucket="none") == (404, "NoSuchBucket")
    store.add_identity("AKIALIMITED", "limited", allow=[("s3:GetObject", "data")])
    assert refusal(client(store, **LIMITED).get_object, Bucket="data", Key="none") == (403, "AccessDenied")
    assert refusal(client(store, **LIMITED).head_object, Bucket="data", Key="none") == (403, "403")


@pytest.mark.parametrize("prefix", ["", "p/"])
def test_capped_pages_together_hold_every_key_once(prefix):
    with S3Fake(page_cap=3) as fake:
        fake.create_bucket("data")
        names = [f"p/{number}" for number in range(8)]
        for name in names:
            fake.put("data", name, b"")
        s3, seen, token = client(fake), [], {}
        while True:
            page = s3.list_objects_v2(Bucket="data", Prefix=prefix, **token)
            assert page["KeyCount"] <= 3
            seen += [entry["Key"] for entry in page["Contents"]]
            if not page["IsTruncated"]:
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        assert seen == names


def test_folders_count_towards_the_page_and_start_after_skips():
    with S3Fake(page_cap=2) as fake:
        fake.create_bucket("data")
        for name in ("a/1", "a/2", "b/1", "c", "d"):
            fake.put("data", name, b"")
        pages = list(client(fake).get_paginator("list_objects_v2").paginate(Bucket="data", Delimiter="/"))
        assert [[p["Prefix"] for p in page.get("CommonPrefixes", [])] for page in pages] == [["a/", "b/"], []]
        assert [entry["Key"] for entry in pages[1]["Contents"]] == ["c", "d"]
        assert client(fake).list_objects_v2(Bucket="data", StartAfter="b/1")["Contents"][0]["Key"] == "c"


@pytest.mark.parametrize("change", [{"Prefix": "q/"}, {"Delimiter": "/"}, {"ContinuationToken": "guess"}])
def test_a_continuation_token_belongs_to_its_own_listing(change):
    with S3Fake(page_cap=1) as fake:
        fake.create_bucket("data")
        for name in ("p/1", "p/2", "q/1", "q/2"):
            fake.put("data", name, b"")
        token = client(fake).list_objects_v2(Bucket="data", Prefix="p/")["NextContinuationToken"]
        arguments = {"Bucket": "data", "Prefix": "p/", "ContinuationToken": token}
        assert client(fake).list_objects_v2(**arguments)["Contents"][0]["Key"] == "p/2"
        assert refusal(client(fake).list_objects_v2, **{**arguments, **change}) == (400, "InvalidArgument")


def test_a_scope_of_a_region_that_is_not_involved_is_refused_with_the_right_one(store):
    answer = fetch("GET", signed_url(store, region="eu-north-1"))
    assert (answer.status, b"<Region>us-east-1</Region>" in answer.data) == (400, True)
    seen = len(store.requests)
    assert client(store, region="eu-north-1").list_objects_v2(Bucket="data")["KeyCount"] == 1  # botocore signs again
    assert [entry.status for entry in store.requests[seen:]][0] == 400


def test_a_bucket_of_another_region_redirects(store):
    store.create_bucket("abroad", region="eu-west-1")
    url = client(store).generate_presigned_url("get_object", {"Bucket": "abroad", "Key": "x"})
    answer = fetch("GET", url)
    assert (answer.status, answer.headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert b"<Code>PermanentRedirect</Code>" in answer.data
    assert client(store).list_objects_v2(Bucket="abroad")["KeyCount"] == 0  # botocore follows
    assert client(store, region="eu-west-1").head_bucket(Bucket="abroad")["BucketRegion"] == "eu-west-1"


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=8-20", b"89", "bytes 8-9/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_is_served_as_asked(store, asked, body, content_range):
    answer = client(store).get_object(Bucket="data", Key="a.txt", Range=asked)
    assert (answer["Body"].read(), answer["ContentRange"]) == (body, content_range)


def test_a_range_behind_the_end_is_not_satisfiable(store):
    store.put("data", "empty", b"")
    assert refusal(client(store).get_object, Bucket="data", Key="a.txt", Range="bytes=10-") == (416, "InvalidRange")
    assert refusal(client(store).get_object, Bucket="data", Key="empty", Range="bytes=0-0") == (416, "InvalidRange")


def test_conditions_are_kept(store):
    s3 = client(store)
    etag = s3.head_object(Bucket="data", Key="a.txt")["ETag"]
    assert refusal(s3.put_object, Bucket="data", Key="a.txt", Body=b"", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.get_object, Bucket="data", Key="a.txt", IfMatch='"other"') == (412, "PreconditionFailed")
    assert refusal(s3.get_object, Bucket="data", Key="a.txt", IfNoneMatch=etag)[0] == 304
    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 1  # the connection is still in step


def test_encryption_headers_are_echoed_and_kept(store):
    answer = client(store).put_object(Bucket="data", Key="k", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId="key-1")
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "key-1")
    assert store.headers_of_last_put("data", "k")["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"


def test_unserved_operations_say_so(store):
    assert refusal(client(store).list_buckets) == (501, "NotImplemented")
    assert refusal(client(store).create_multipart_upload, Bucket="data", Key="k") == (501, "NotImplemented")


def test_ordered_failures_end_after_their_count(store):
    store.fail_next(2, status=503, code="SlowDown", match="a.txt", headers={"Retry-After": "7"})
    assert client(store).list_objects_v2(Bucket="data")["KeyCount"] == 1
    with pytest.raises(ClientError, match="SlowDown") as caught:
        client(store).get_object(Bucket="data", Key="a.txt")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert refusal(client(store).head_object, Bucket="data", Key="a.txt")[0] == 503
    assert client(store).get_object(Bucket="data", Key="a.txt")["ContentLength"] == 10
    assert [entry.status for entry in store.requests] == [200, 503, 503, 200]


def test_a_delay_is_waited_out_once(store):
    store.delay(3, match="a.txt", n=1)
    taken = []
    for _ in range(2):
        started = time.monotonic()
        client(store).head_object(Bucket="data", Key="a.txt")
        taken.append(time.monotonic() - started)
    assert taken[0] >= 3 > taken[1]


def test_a_client_that_asks_before_sending_its_body_is_not_kept_waiting(store):
    s3 = client(store)
    started = time.monotonic()
    for number in range(3):
        s3.put_object(Bucket="data", Key=str(number), Body=b"x")
    assert time.monotonic() - started < 2  # botocore sends the body anyway after a second


def test_a_cut_body_breaks_off(store):
    store.cut_body_after(4, match="a.txt", n=1)
    body = client(store).get_object(Bucket="data", Key="a.txt")["Body"]
    with pytest.raises(ResponseStreamingError):
        body.read()
    assert client(store).get_object(Bucket="data", Key="a.txt")["Body"].read() == b"0123456789"


def test_a_refusing_store_answers_nothing_until_it_is_healed(store):
    store.refuse_all()
    with pytest.raises(ConnectionClosedError):
        client(store).list_objects_v2(Bucket="data")
    store.heal()
    assert client(store).list_objects_v2(Bucket="data")["KeyCount"] == 1


def test_a_closed_store_breaks_connections_kept_alive(store):
    s3 = client(store)
    s3.list_objects_v2(Bucket="data")
    store.close()
    with pytest.raises(EndpointConnectionError):
        s3.list_objects_v2(Bucket="data")


def test_two_stores_share_nothing_and_threads_may_use_one_together(store):
    with S3Fake() as other:
        other.create_bucket("data")
        s3 = client(other)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: s3.put_object(Bucket="data", Key=f"{number:02}", Body=b"x"), range(40)))
        assert other.keys("data") == [f"{number:02}" for number in range(40)]
        assert store.keys("data") == ["a.txt"]
        assert len({entry.path for entry in other.requests}) == 40
