"""Webhooks at the wire: a receiver that refuses what is not signed by us, or is down, slow or somewhere else."""

import hashlib
import hmac
import json
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from projects.models import Project
from storages import webhooks
from storages.backends import BACKENDS
from storages.base import ImportStorage, Storage
from storages.errors import ConfigInvalid, EgressDenied
from storages.runs import ExportRun, ImportRun, Run, State
from tests.environment import free_port
from tests.fakes.wire import Request, Response, Server

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "harbour-master-öl"
QUERY = "token=querySECRETtext"


class Receiver:
    """Takes a delivery only if it is right in every respect; ``plan``: answers to give instead, first come, first served."""

    def __init__(self) -> None:
        self.taken: dict[str, dict] = {}
        self.requests: list[Request] = []
        self.plan: list[Response | Callable[[], Response]] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if self.plan:
            planned = self.plan.pop(0)
            return planned if isinstance(planned, Response) else planned()
        return Response(204 if self._accept(request) else 401)

    def _accept(self, request: Request) -> bool:
        signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.header("x-quayside-signature") or "")
        if signature is None or abs(time.time() - int(signature[1])) > 5:
            return False
        wanted = hmac.new(SECRET.encode(), signature[1].encode() + b"." + request.body, hashlib.sha256).hexdigest()
        right = (request.method, request.path, request.query) == ("POST", "/hook", QUERY)
        right = right and request.header("content-type") == "application/json" and request.header("authorization") is None
        right = right and request.header("x-quayside-event") == "sync.finished" and hmac.compare_digest(wanted, signature[2])
        if right:
            self.taken[request.header("x-quayside-delivery")] = json.loads(request.body)
        return right


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def server(receiver: Receiver) -> Iterator[Server]:
    with Server(receiver) as running:
        yield running


@pytest.fixture
def storage(project: Project, server: Server) -> Storage:
    return BACKENDS["s3"].import_model.objects.create(
        project=project, title="Häfen", bucket="data", aws_secret_access_key="bucketSECRET",
        webhook_url=f"{server.url}/hook?{QUERY}", webhook_secret=SECRET,
    )  # fmt: skip


@pytest.fixture
def run(storage: Storage) -> ImportRun:
    return ended(storage)


def ended(storage: Storage, state: State = State.COMPLETED, **columns: object) -> ImportRun:
    """A run that has ended just now and is to be told."""
    now = timezone.now()
    return ImportRun.objects.create(
        storage_id=storage.pk, state=state, started_at=now, finished_at=now, webhook_due=now, listed=7, created=5, **columns
    )


def attempt(run: Run) -> Run:
    """One attempt, as if its time had come; the run as it is then."""
    rows = type(run).objects.filter(pk=run.pk)
    rows.exclude(webhook_due=None).update(webhook_due=timezone.now())
    webhooks.deliver(type(run), run.pk)
    return rows.get()


def test_the_end_of_a_sync_is_told_signed_and_without_secrets(receiver, storage) -> None:
    run = ended(storage, State.COMPLETED_WITH_ERRORS, failed=2, trigger="schedule", error="a.json: \ud83d no JSON"[:8])
    assert webhooks.waiting(ImportRun) == [run.pk]
    run = attempt(run)
    assert (run.webhook_due, run.webhook_attempts, webhooks.waiting(ImportRun)) == (None, 1, [])
    told = receiver.taken[f"import-{run.pk}"]
    place = {"id": storage.pk, "type": "s3", "direction": "import", "title": "Häfen", "project": storage.project_id}
    assert told["event"] == "sync.finished" and told["storage"] == place
    assert told["run"].items() >= {
        "id": run.pk, "state": "completed_with_errors", "trigger": "schedule", "error": "a.json: ",
    }.items()  # fmt: skip
    assert told["run"]["counters"].items() >= {"listed": 7, "created": 5, "failed": 2, "vanished": 0}.items()
    assert datetime.fromisoformat(told["run"]["finished_at"]) == run.finished_at
    sent = receiver.requests[0]
    assert not re.search(r"SECRET|harbour-master|token", sent.body.decode() + str(sent.headers))
    assert b'": ' not in sent.body  # compact


def test_a_target_tells_its_own_direction_and_total(receiver, server, project) -> None:
    target = BACKENDS["s3"].export_model.objects.create(
        project=project, bucket="data", webhook_url=f"{server.url}/hook?{QUERY}", webhook_secret=SECRET
    )
    run = ExportRun.objects.create(storage_id=target.pk, state=State.FAILED, total=9, webhook_due=timezone.now(), error="away")
    attempt(run)
    told = receiver.taken[f"export-{run.pk}"]
    assert told["storage"]["direction"] == "export" and told["run"]["counters"]["total"] == 9
    assert told["run"]["started_at"] is None and told["run"]["error"] == "away"
    assert (told["run"]["kind"], told["run"]["snapshot"]) == ("sync", None)
    assert "vanished" not in told["run"]["counters"]


def test_the_receiver_refuses_a_wrong_signature(receiver, storage, run) -> None:
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_secret="another")
    assert attempt(run).webhook_due is not None
    assert receiver.taken == {} and len(receiver.requests) == 1


def test_without_a_secret_nothing_is_signed(receiver, storage, run) -> None:
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_secret=None)
    receiver.plan = [Response(200)]
    assert attempt(run).webhook_due is None
    assert receiver.requests[0].header("x-quayside-signature") is None


def test_what_is_not_taken_is_tried_again_ever_later_and_then_given_up(receiver, run, caplog) -> None:
    receiver.plan = [Response(500)] * 6
    pauses = []
    for _ in range(5):
        told = attempt(run)
        pauses.append(round((told.webhook_due - timezone.now()).total_seconds()))
    assert pauses == pytest.approx([10, 60, 300, 1800, 7200], abs=1)
    assert "given up" not in caplog.text
    assert attempt(run).webhook_due is None and "given up" in caplog.text
    attempt(run)
    assert len(receiver.requests) == 6
    assert {request.header("x-quayside-delivery") for request in receiver.requests} == {f"import-{run.pk}"}
    assert "500" in caplog.text and not re.search(r"SECRET|token|/hook", caplog.text)


def test_a_receiver_that_was_down_gets_it_once(receiver, run) -> None:
    receiver.plan = [Response(503), Response(200, drop=True)]
    for _ in range(5):
        told = attempt(run)
    assert told.webhook_due is None and list(receiver.taken) == [f"import-{run.pk}"] and len(receiver.requests) == 3


def test_an_attempt_is_not_made_before_its_time(receiver, run) -> None:
    receiver.plan = [Response(500)]
    attempt(run)
    webhooks.deliver(ImportRun, run.pk)
    assert len(receiver.requests) == 1 and webhooks.waiting(ImportRun) == []
    assert webhooks.waiting(ImportRun, timezone.now() + timedelta(seconds=11)) == [run.pk]


class Clocks:
    """Stands for django.utils.timezone: each thread's clock is ahead by ``here.ahead`` seconds."""

    here = threading.local()

    def now(self) -> datetime:
        return timezone.now() + timedelta(seconds=getattr(self.here, "ahead", 0))


@pytest.mark.parametrize("ahead", [0, 15], ids=["equal clocks", "each clock ahead of the one before by more than a pause"])
def test_two_workers_never_make_the_same_attempt(receiver, run, monkeypatch, ahead: int) -> None:
    monkeypatch.setattr(webhooks, "timezone", Clocks())
    receiver.plan = [Response(500)] * 4
    everybody_read = threading.Barrier(4)
    claimed = [threading.Event() for _ in range(4)]  # one after the other, or the clocks would decide nothing

    def call(number: int) -> None:
        def meet(execute: Callable, sql: str, *rest: object) -> object:
            if not sql.startswith("UPDATE") or claimed[number].is_set():
                return execute(sql, *rest)
            everybody_read.wait(10)
            assert number == 0 or claimed[number - 1].wait(10)
            try:
                return execute(sql, *rest)
            finally:
                claimed[number].set()

        Clocks.here.ahead = number * ahead
        with connection.execute_wrapper(meet):
            webhooks.deliver(ImportRun, run.pk)
        connection.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.refresh_from_db()
    assert len(receiver.requests) == run.webhook_attempts == 1


def test_a_worker_that_dies_before_the_answer_leaves_it_to_be_sent_again(receiver, run, monkeypatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("requests.Session.send", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        attempt(run)
    run.refresh_from_db()
    assert run.webhook_due - timezone.now() > timedelta(seconds=8)  # nobody else sends it meanwhile
    assert attempt(run).webhook_due is None and list(receiver.taken) == [f"import-{run.pk}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver, server, run, caplog, status: int) -> None:
    receiver.plan = [Response(status, {"Location": f"{server.url}/elsewhere", "Content-Length": "0"})]
    assert attempt(run).webhook_due is not None
    assert [request.path for request in receiver.requests] == ["/hook"] and "redirects are not followed" in caplog.text


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "[::1]", "localhost", "2130706433", "0177.0.0.1"])
def test_a_reserved_address_is_never_asked(receiver, server, storage, run, settings, caplog, host: str) -> None:
    settings.SSRF_ALLOWED_NETWORKS = []
    port = server.url.rpartition(":")[2]
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_url=f"http://{host}:{port}/hook?{QUERY}")
    told = attempt(run)
    assert told.webhook_due is not None and told.webhook_attempts == 1 and receiver.requests == []
    assert "reserved network" in caplog.text and "SECRET" not in caplog.text


def test_the_environment_decides_nothing(receiver, run, monkeypatch, tmp_path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert attempt(run).webhook_due is None


@pytest.mark.parametrize(
    "url",
    [
        "http://nobody.invalid/hook?" + QUERY, "http://127.0.0.1:{port}/hook?" + QUERY, "http://a..b/?" + QUERY,
        "ftp://127.0.0.1/?" + QUERY, "http://u:SECRET@127.0.0.1/", "http://xn--zz--\x00/?" + QUERY, "http://[::/?" + QUERY,
    ],
)  # fmt: skip
def test_a_url_that_leads_nowhere_is_an_attempt_that_failed(storage, run, caplog, url: str) -> None:
    url = url.replace("{port}", str(free_port())).replace("\x00", "\x01")  # PostgreSQL stores no NUL
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_url=url)
    told = attempt(run)
    assert told.webhook_due is not None and "attempt 1" in caplog.text
    assert not re.search(r"SECRET|token", caplog.text)


def test_a_url_with_a_password_is_not_asked_although_it_was_stored(receiver, server, storage, run) -> None:
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_url=server.url.replace("//", "//user:SECRET@"))
    assert attempt(run).webhook_due is not None and receiver.requests == []


def test_a_certificate_of_nobody_is_refused_and_ours_is_taken(receiver, storage, run, settings, caplog) -> None:
    from tests.environment import tls_directory

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_directory() / "server.pem", tls_directory() / "server.key")
    with Server(receiver, tls=context) as secured:
        ImportStorage.objects.filter(pk=storage.pk).update(webhook_url=f"{secured.url}/hook?{QUERY}")
        webhooks.egress.tls.cache_clear()
        settings.EXTRA_CA_CERTS = ""
        try:
            assert attempt(run).webhook_due is not None and "SSLError" in caplog.text and receiver.requests == []
        finally:
            webhooks.egress.tls.cache_clear()
        settings.EXTRA_CA_CERTS = str(tls_directory() / "ca.pem")
        assert attempt(run).webhook_due is None and receiver.taken


@pytest.mark.parametrize("drip", [False, True])
def test_a_slow_receiver_costs_bounded_time_and_counts_as_failed(project, monkeypatch, drip: bool) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 1)
    with slow_receiver(drip) as url:
        storage = BACKENDS["s3"].import_model.objects.create(project=project, bucket="data", webhook_url=url)
        began = time.monotonic()
        told = attempt(ended(storage))
    assert told.webhook_due is not None and 0.9 < time.monotonic() - began < 2.5


@pytest.mark.parametrize(("status", "taken"), [(200, True), (302, False), (500, False)])
def test_an_endless_answer_is_not_read(receiver, run, status: int, taken: bool) -> None:
    receiver.plan = [Response(status, {"Content-Length": str(10**12), "Location": "/more"}, b"x" * 70_000)]
    began = time.monotonic()
    assert (attempt(run).webhook_due is None) is taken and time.monotonic() - began < 2


def test_patience_ends_before_anyone_tries_again() -> None:
    assert webhooks.PATIENCE < webhooks.PAUSES[0].total_seconds()


def test_a_secret_that_cannot_be_read_is_an_attempt_that_failed(receiver, run, settings, caplog) -> None:
    settings.STORAGE_ENCRYPTION_KEYS = ["another"]
    assert attempt(run).webhook_due is not None
    assert receiver.requests == [] and "STORAGE_ENCRYPTION_KEYS" in caplog.text


def test_a_run_that_is_gone_is_no_fault(run) -> None:
    run.storage.delete()
    webhooks.deliver(ImportRun, run.pk)


def test_runs_of_storages_without_a_url_wait_for_nothing(project, storage, run, django_assert_num_queries) -> None:
    silent = [BACKENDS["s3"].import_model.objects.create(project=project, bucket="b", webhook_url=url) for url in (None, "")]
    for other in [*silent, *silent]:
        ended(other)
    with django_assert_num_queries(2):
        assert webhooks.waiting(ImportRun) == [run.pk]
    with django_assert_num_queries(1):
        assert webhooks.waiting(ImportRun) == [run.pk]
    assert ImportRun.objects.exclude(webhook_due=None).count() == 1


def test_a_url_taken_away_meanwhile_ends_the_waiting(receiver, storage, run, caplog) -> None:
    ImportStorage.objects.filter(pk=storage.pk).update(webhook_url="")
    with caplog.at_level(logging.WARNING):
        assert attempt(run).webhook_due is None
    assert receiver.requests == [] and caplog.text == ""


@pytest.mark.parametrize(
    "url",
    ["", "http://example.com", "https://example.com/a?b=c&d=%20", "https://example.com:8443/x", "HTTPS://Example.com/@me?m=a@b"],
)
def test_a_right_url_is_taken(url: str) -> None:
    webhooks.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "example.com", "ftp://example.com/", "//example.com", "http://", "http:///path", "javascript:alert(1)", "http://?x=SECRET",
        "https://user:SECRET@example.com/", "https://SECRET@example.com", "https://example.com/a b", "https://example.com/\n",
        "https://example.com:99999/", "https://example.com:0/", "https://example.com/#SECRET", "https://exämple.com/",
        "https://exa\\mple.com/", "https://1.2.3.4.5/", "https://[fe80::zz]/", "https://example.com/" + "a" * 2048, "http://[::1/", "https://a,b/",
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_in_words_without_what_may_be_secret(url: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        webhooks.check(url)
    assert refused.value.field == "webhook_url" and "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "[::1]", "10.1.2.3", "2130706433", "0x7f.1", "[::ffff:10.0.0.1]"]
)
def test_a_reserved_address_is_refused_when_it_is_entered(settings, host: str) -> None:
    settings.SSRF_ALLOWED_NETWORKS = []
    with pytest.raises(EgressDenied, match="SSRF_ALLOWED_NETWORKS") as refused:
        webhooks.check(f"https://{host}/hook?{QUERY}")
    assert refused.value.field == "webhook_url" and "SECRET" not in str(refused.value)


def slow_receiver(drip: bool):
    """A context manager: the URL of a server that answers nothing, or one byte of a head now and then."""
    import socket
    from contextlib import contextmanager

    @contextmanager
    def serve() -> Iterator[str]:
        listener, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

        def talk() -> None:
            peer, _ = listener.accept()
            with peer:
                while not done.wait(0.1):
                    if drip:
                        try:
                            peer.sendall(b"H")
                        except OSError:
                            return

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done.set()
        thread.join(5)
        listener.close()

    return serve()
