"""No credential leaves the service: not in an answer, a log line, a job or the database; and keys can be changed."""

import logging
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from storages import deliver, jobs, outbox
from storages.base import ExportStorage
from storages.links import OutboxItem
from storages.providers import http
from storages.store import BatchStore
from storages.sync import pace
from tasks.models import Task
from tests.storages.traces import Lines, RecordingClient, disguises, queued, stored

pytestmark = pytest.mark.django_db(transaction=True)
ACCESS_KEY = "AKIACANARYINTHEMINE7"
SECRETS = {
    "aws_secret_access_key": "canary/in+the=mine/that sings/0123456789",
    "aws_session_token": "SESSION//canary+token/that+is==long//enough",
}
FERNET = re.compile(rb"gAAAAA[\w-]{60,}")
ANNOTATION = {"result": [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]}


@pytest.fixture
def caller(alice):
    client = RecordingClient()
    client.force_authenticate(alice)
    return client


@pytest.fixture
def logged():
    """Log lines of an operator's LOG_LEVEL=DEBUG."""
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def canaries(s3, s3_settings):
    s3.add_identity(ACCESS_KEY, SECRETS["aws_secret_access_key"], SECRETS["aws_session_token"])
    for name in ("a.png", "b.json"):
        s3.put("data", name, b'{"image": "x"}')
    return s3_settings | SECRETS | {"aws_access_key_id": ACCESS_KEY}


@pytest.fixture
def trail(caller, logged):
    """Asserts that no canary was left anywhere so far; looks at the queue as it is at each call."""
    queue: list[bytes] = []

    def search() -> None:
        queue.extend(queued())
        lines = "\n".join(logged).encode()
        places = {"answers": b"\n".join(caller.answers), "log": lines, "queue": b"\n".join(queue), "database": stored()}
        for secret in (*SECRETS.values(), ACCESS_KEY):
            for form in disguises(secret):
                assert [name for name, place in places.items() if form in place] == [], f"{form!r} was found"

    return search


def every_route(caller, settings, work, trail):
    """Drives both directions through list, get, patch, validate, files and sync; ids of (import, export)."""
    ids = []
    for route in ("s3", "export/s3"):
        made = caller.post(f"/api/storages/{route}", settings)
        assert made.status_code == 201
        pk = made.json()["id"]
        trail()
        work()
        for answer in (
            caller.get(f"/api/storages/{route}", {"project": settings["project"]}),
            caller.get(f"/api/storages/{route}/{pk}"),
            caller.patch(f"/api/storages/{route}/{pk}", {"title": "Renamed"} | SECRETS),
            caller.put(f"/api/storages/{route}/{pk}", settings),
            caller.post(f"/api/storages/{route}/validate", {**settings, "id": pk}),
            caller.post(f"/api/storages/{route}/{pk}/sync"),
        ):
            assert answer.status_code == 200, answer.content
        trail()
        work()
        ids.append(pk)
    assert caller.post("/api/storages/s3/files", settings | {"id": ids[0]}).status_code == 200
    for path in ("/api/storages/", "/api/storages/export"):
        assert len(caller.get(path, {"project": settings["project"]}).json()) == 1
    return ids


def test_routes_and_jobs_that_succeed_leave_no_credential_anywhere(caller, canaries, work, trail, logged):
    every_route(caller, canaries | {"use_blob_urls": True}, work, trail)
    task = Task.objects.order_by("id").first()
    assert caller.post(f"/api/tasks/{task.pk}/annotations/", ANNOTATION).status_code == 201
    trail()
    work()
    trail()
    assert len(set(FERNET.findall(stored()))) >= 6, "three secrets in two storages are kept as ciphertext"
    assert [line for line in logged if line.startswith("urllib3.")], "the log was listened to at DEBUG"


def test_a_presigned_url_shows_the_access_key_to_the_browser_only_and_is_never_logged(caller, canaries, work, trail, logged):
    every_route(caller, canaries | {"use_blob_urls": True}, work, trail)
    task = Task.objects.order_by("id").first()
    link = caller.get(f"/api/tasks/{task.pk}/").json()["data"]["image"]
    trail()
    redirect = caller.get(link)
    assert redirect.status_code == 303
    signed = parse_qs(urlsplit(redirect["Location"]).query)
    assert signed["X-Amz-Credential"][0].startswith(f"{ACCESS_KEY}/")
    head, _, body = caller.answers.pop().partition(b"\n\n")
    assert ACCESS_KEY.encode() not in body + b"".join(line for line in head.splitlines() if not line.startswith(b"Location"))
    assert SECRETS["aws_secret_access_key"] not in str(signed)
    assert not [line for line in logged if "X-Amz-Signature" in line or signed["X-Amz-Signature"][0] in line]
    trail()


@pytest.mark.parametrize("trouble", ["unreachable", "wrong credentials", "denied", "slow down", "garbage"])
def test_failing_connections_leave_no_credential_anywhere(caller, canaries, work, trail, s3, project, trouble, monkeypatch):
    monkeypatch.setattr(outbox, "BACK_OFF", (1,))
    monkeypatch.setattr(http, "RETRIES", 0)
    monkeypatch.setattr(pace, "PATIENCE", 3.0)
    Task.objects.create(project=project, inner_id=1, data={"image": "x"})
    ids = every_route(caller, canaries, work, trail)
    queue_a_sync_of_each(caller, ids)
    if trouble == "unreachable":
        s3.refuse_all()
    elif trouble == "garbage":
        s3.cut_body_after(20)
    else:
        code = {"wrong credentials": "SignatureDoesNotMatch", "denied": "AccessDenied", "slow down": "SlowDown"}[trouble]
        s3.fail_next(999, status=503 if code == "SlowDown" else 403, code=code)
    assert caller.post(f"/api/tasks/{Task.objects.order_by('id').first().pk}/annotations/", ANNOTATION).status_code == 201
    work()
    trail()
    assert caller.get(f"/api/storages/s3/{ids[0]}").json()["status"] in ("failed", "completed_with_errors")
    for route, pk in zip(("s3", "export/s3"), ids, strict=True):
        for answer in (
            caller.post(f"/api/storages/{route}/validate", canaries | {"id": pk}),
            caller.patch(f"/api/storages/{route}/{pk}", SECRETS),
        ):
            assert answer.status_code == 400, answer.content
        # a store that asks to slow down is left to the job's patience
        assert caller.post(f"/api/storages/{route}/{pk}/sync").status_code == (200 if trouble == "slow down" else 400)
    trail()


def queue_a_sync_of_each(caller, ids):
    for route, pk in zip(("s3", "export/s3"), ids, strict=True):
        assert caller.post(f"/api/storages/{route}/{pk}/sync").status_code == 200


def test_a_crash_with_the_settings_in_local_variables_leaves_no_credential_anywhere(
    caller, canaries, work, trail, monkeypatch, logged
):
    def crash(*args, **kwargs):
        run = getattr(args[0], "run", None)
        storage = (run.storage if run else args[0]).concrete()
        secret, client = storage.aws_secret_access_key, storage.client()  # what a traceback with locals would show
        raise RuntimeError(f"out of disk after {len(secret)} bytes for {client}")

    ids = every_route(caller, canaries | {"use_blob_urls": True}, work, trail)
    task = Task.objects.order_by("id").first()
    Task.objects.exclude(pk=task.pk).delete()
    caller.post(f"/api/tasks/{task.pk}/annotations/", ANNOTATION)
    work()
    monkeypatch.setattr(BatchStore, "save", crash)
    monkeypatch.setattr(deliver, "deliver_chunk", crash)
    queue_a_sync_of_each(caller, ids)
    work()
    trail()
    caller.post(f"/api/tasks/{task.pk}/annotations/", ANNOTATION)
    OutboxItem.objects.update(due=timezone.now())  # the crashed run's claim would end by itself after some minutes
    work()
    trail()
    for route, pk in zip(("s3", "export/s3"), ids, strict=True):
        failed = caller.get(f"/api/storages/{route}/{pk}").json()
        assert (failed["status"], "internal error" in failed["traceback"]) == ("failed", True), failed
    assert "RuntimeError: out of disk after 40 bytes for S3Client(s3://data/)" in "\n".join(logged)
    assert b"RuntimeError" in b"\n".join(queued()), "the crash of the delivery job was kept by the queue"
    trail()


@pytest.mark.parametrize("name", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_sse_kms_key_id"])
@pytest.mark.parametrize("tail", ["\nX-Injected: 1", "\r", "\x7f", "ü", "✓"])
def test_a_credential_that_no_header_can_carry_is_refused_and_not_quoted(caller, canaries, trail, name, tail):
    broken = canaries | {"aws_sse_kms_key_id": "arn:aws:kms:us-east-1:1:key/1"}
    broken[name] = f"{broken[name][:10]}{tail}{broken[name][10:]}"
    for route in ("s3/validate", "export/s3/validate"):
        answer = caller.post(f"/api/storages/{route}", broken)
        assert answer.status_code == 400 and name in answer.json()["validation_errors"], answer.content
        assert broken[name][-20:] not in answer.content.decode()
    trail()


def test_a_clumsy_secret_is_not_echoed(caller, canaries, trail):
    for value in ([SECRETS["aws_secret_access_key"]], {"a": SECRETS["aws_secret_access_key"]}):
        assert caller.post("/api/storages/s3/", canaries | {"aws_secret_access_key": value}).status_code == 400
    trail()


def test_storages_and_clients_can_be_printed_and_never_pickled(create, canaries):
    import pickle

    for storage in [ExportStorage.objects.get(pk=create("export/s3", canaries)["id"]).concrete()]:
        client = storage.client()
        for secret in (*SECRETS.values(), ACCESS_KEY):
            assert secret not in f"{storage!r} {storage} {client!r} {client} {client.address!r}"
        with pytest.raises(TypeError):
            pickle.dumps(client)


def test_a_job_carries_one_number(caller, canaries, work, create):
    pk = create("s3", canaries)["id"]
    caller.post(f"/api/storages/s3/{pk}/sync")
    import django_rq

    [job] = [job for job in django_rq.get_queue("low").jobs if job.func_name == "storages.jobs.run_import"]
    assert len(job.args) == 1 and isinstance(job.args[0], int) and job.kwargs == {} and job.func == jobs.run_import
