"""The permission doctor: which verb failed, why, what to grant; within 15 s and without a second attempt."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from storages import budget, doctor, egress
from storages.backends.s3 import S3ImportStorage
from storages.errors import StorageError, TimedOut
from storages.providers import http
from storages.runs import ImportRun
from tests.fakes.s3_access import Grant

pytestmark = pytest.mark.django_db
KEYS = ("AKIALIMITEDREADER001", "limited/secret/of/the/tests/0123456789ab")


@pytest.fixture
def limited(s3, s3_settings):
    """Settings with a key pair that may do only what the test grants."""

    def settings(*allow, **more):
        s3.add_identity(*KEYS, allow=[Grant(*grant) for grant in allow])
        return s3_settings | {"aws_access_key_id": KEYS[0], "aws_secret_access_key": KEYS[1]} | more

    return settings


LIST, READ, WRITE = ("s3:ListBucket", "data"), ("s3:GetObject", "data"), ("s3:PutObject", "data")


@pytest.mark.parametrize(
    ("route", "allow", "verb", "grant"),
    [
        ("s3", [], "list", "s3:ListBucket on arn:aws:s3:::data"),
        ("s3", [LIST], "read", "s3:GetObject on arn:aws:s3:::data/p/*"),
        ("export/s3", [LIST], "write", "s3:PutObject on arn:aws:s3:::data/p/*"),
        ("export/s3", [LIST, WRITE], "delete", "s3:DeleteObject on arn:aws:s3:::data/p/*"),
    ],
)
def test_validate_names_class_verb_and_exact_grant(api, s3, limited, route, allow, verb, grant):
    s3.put("data", "p/a.png", b"x")
    answer = api.post(f"/api/storages/{route}/validate", limited(*allow, prefix="p", can_delete_objects=True))
    body = answer.json()
    assert answer.status_code == 400
    assert body["connection"] == {"code": "no_permission", "verb": verb, "field": None, "grant": grant}
    [message] = body["validation_errors"]["non_field_errors"]
    assert f"may not {verb} s3://data/p/" in message and grant in message


def test_validate_answers_200_with_an_empty_body(api, s3, s3_settings):
    s3.put("data", "a.png", b"x")
    for route in ("s3", "export/s3"):
        answer = api.post(f"/api/storages/{route}/validate", s3_settings)
        assert (answer.status_code, answer.content) == (200, b"")


def test_the_full_report_lists_every_probe_and_what_was_not_tried(api, s3, limited):
    s3.put("data", "p/a.png", b"x")
    body = api.post("/api/storages/s3/doctor", limited(LIST, prefix="p")).json()
    assert body["ok"] is False
    assert [(probe["verb"], probe["ok"], probe["code"]) for probe in body["probes"]] == [
        ("list", True, None),
        ("read", False, "no_permission"),
        ("sign", None, None),
    ]
    assert body["probes"][1]["grant"] == "s3:GetObject on arn:aws:s3:::data/p/*"
    assert body["policy"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::data"],
                "Condition": {"StringLike": {"s3:prefix": ["p/*"]}},
            },
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::data/p/*"]},
        ],
    }


def test_a_bad_setting_is_reported_under_connect_with_its_field(api, s3_settings):
    body = api.post("/api/storages/s3/doctor", s3_settings | {"aws_secret_access_key": ""}).json()
    probe = body["probes"][0]
    assert (probe["verb"], probe["ok"], probe["code"], probe["field"]) == (
        "connect",
        False,
        "misconfigured",
        "aws_secret_access_key",
    )
    assert [probe["verb"] for probe in body["probes"][1:]] == ["list", "read", "sign"]


def test_a_missing_cors_rule_is_warned_of_only_where_browsers_follow_redirects(api, s3, s3_settings, settings):
    settings.HOST = "https://labels.example"
    s3.put("data", "a.png", b"x")
    body = api.post("/api/storages/s3/doctor", s3_settings).json()
    assert body["ok"] and [warning["code"] for warning in body["warnings"]] == ["cors_missing"]
    assert body["cors"][0]["AllowedOrigins"] == ["https://labels.example"]
    assert api.post("/api/storages/s3/doctor", s3_settings | {"presign": False}).json()["warnings"] == []
    target = api.post("/api/storages/export/s3/doctor", s3_settings).json()
    assert (target["ok"], target["cors"], target["warnings"]) == (True, None, [])
    s3.set_cors("data", ["https://labels.example"], headers=("range",))
    assert api.post("/api/storages/s3/doctor", s3_settings).json()["warnings"] == []


def test_the_doctor_saves_nothing_and_takes_the_stored_secrets_of_an_id(api, s3, s3_settings, create):
    s3.put("data", "a.png", b"x")
    pk = create("s3", s3_settings)["id"]
    without = {name: value for name, value in s3_settings.items() if not name.startswith("aws_")}
    body = api.post("/api/storages/s3/doctor", without | {"id": pk, "title": "Other"}).json()
    assert body["ok"] is True
    assert api.get(f"/api/storages/s3/{pk}").json()["title"] == "Harbour bucket"
    assert not ImportRun.objects.exists()


def test_a_check_makes_one_attempt(api, s3, s3_settings):
    s3.fail_next(1)
    answer = api.post("/api/storages/s3/validate", s3_settings)
    assert answer.status_code == 400 and answer.json()["connection"]["code"] == "throttled"
    assert len(s3.requests) == 1


@pytest.fixture
def dripping():
    """A host that sends a byte of its answer every 0.2 s, for ever: no single read ever times out."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    def drip(connection):
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not stop.wait(0.2):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    listener.close()


def test_a_host_that_drips_its_headers_is_given_up_when_the_time_is_over(api, s3_settings, dripping, monkeypatch):
    assert doctor.SECONDS == 15
    monkeypatch.setattr(doctor, "examine", lambda connect, verbs: EXAMINE(connect, verbs, seconds=1))
    began = time.monotonic()
    answer = api.post("/api/storages/s3/validate", s3_settings | {"s3_endpoint": dripping})
    assert time.monotonic() - began < 3
    assert answer.status_code == 400 and answer.json()["connection"]["code"] == "timeout", answer.content


EXAMINE = doctor.examine


def test_the_same_host_does_not_keep_a_thread_that_reads_or_lists(api, s3_settings, dripping, monkeypatch):
    monkeypatch.setattr(egress, "HEAD_TIME", 0)
    monkeypatch.setattr(http.HTTPClient, "timeout", (1, 1))
    monkeypatch.setattr(http, "RETRY", http.RETRY | {"read": 0})
    began = time.monotonic()
    answer = api.post("/api/storages/s3/files", s3_settings | {"s3_endpoint": dripping})
    assert answer.status_code == 400 and time.monotonic() - began < 6, answer.content


@pytest.mark.parametrize("answer", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 416 R\r\nContent-Length: 9999999\r\n\r\nxxxx"])
def test_answers_without_end_are_not_read_to_their_end(s3_settings, answer, monkeypatch):
    monkeypatch.setattr(egress, "HEAD_TIME", 0)
    monkeypatch.setattr(http.HTTPClient, "timeout", (1, 1))
    monkeypatch.setattr(http, "RETRIES", 0)
    with endless(answer) as url:
        client = S3ImportStorage(
            **{"project_id": 1} | {k: v for k, v in s3_settings.items() if k != "project"} | {"s3_endpoint": url}
        ).client()
        began = time.monotonic()
        with pytest.raises(StorageError):
            client.open("a", 5)
        assert time.monotonic() - began < 8


@contextmanager
def endless(piece):
    """A server that begins with ``piece`` and repeats it every 0.2 s."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
                while True:
                    connection.sendall(piece)
                    time.sleep(0.2)
            except OSError:
                if listener.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_a_name_server_that_does_not_answer_is_given_up(api, s3_settings, monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(egress, "LOOK_UP_TIMEOUT", 0.5)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest: (time.sleep(5) if host == "slow.example" else None, real(host, *rest))[1]
    )
    began = time.monotonic()
    answer = api.post("/api/storages/s3/validate", s3_settings | {"s3_endpoint": "http://slow.example"})
    assert answer.json()["connection"]["code"] == "timeout" and time.monotonic() - began < 3


def test_the_cors_question_is_asked_within_the_same_time(api, s3, s3_settings, monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 1)
    s3.put("data", "a.png", b"x")
    s3.delay(3, match="quayside-probe")
    began = time.monotonic()
    body = api.post("/api/storages/s3/doctor", s3_settings).json()
    assert body["ok"] is True and body["warnings"] == [] and time.monotonic() - began < 2.5


@pytest.mark.django_db(transaction=True)
def test_a_throttled_sync_is_left_to_the_patience_of_its_job(api, s3, s3_settings, create, work):
    s3.put("data", "a.png", b"x")
    pk = create("s3", s3_settings, use_blob_urls=True)["id"]
    s3.fail_next(1)
    assert api.post(f"/api/storages/s3/{pk}/sync").json()["status"] == "queued"
    work()
    assert api.get(f"/api/storages/s3/{pk}").json()["last_sync_count"] == 1


def test_a_reserved_address_names_class_and_field(api, s3_settings, settings):
    settings.SSRF_ALLOWED_NETWORKS = []
    egress.shared_pool.cache_clear()
    answer = api.post("/api/storages/s3/validate", s3_settings)
    assert answer.status_code == 403 and "reserved network address" in answer.json()["detail"]
    assert answer.json()["connection"] == {"code": "egress_denied", "verb": "list", "field": "s3_endpoint", "grant": None}


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_grants_and_policy_are_those_of_the_partition(region, partition):
    client = S3ImportStorage(
        bucket="data", project_id=1, region_name=region, aws_access_key_id="A", aws_secret_access_key="s"
    ).client()
    assert client.grant("list") == f"s3:ListBucket on arn:{partition}:s3:::data"
    assert client.policy({"list"})["Statement"][0]["Resource"] == [f"arn:{partition}:s3:::data"]


def test_a_spent_budget_refuses_every_further_step():
    with budget.limited(0.01):
        time.sleep(0.02)
        with pytest.raises(TimedOut):
            budget.seconds_left(5)
    assert budget.seconds_left(5) == 5, "outside there is no limit"


def test_an_inner_budget_cannot_outlast_the_outer_one():
    with budget.limited(0.5), budget.limited(60) as inner:
        assert inner.seconds <= 0.5
        assert budget.seconds_left(5) <= 0.5
