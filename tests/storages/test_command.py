"""The command line of operators: what it prints, for people and for scripts, and which exit code it ends with."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from storages import importing, status
from storages.base import ImportStorage
from storages.cli import following, printing
from storages.runs import ImportRun
from storages.shards import Shard
from tasks.models import Task
from tests.environment import free_port
from tests.storages.test_runs_api import KEYS

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = b'{"image": "a"}\n{"image": "b"}\n'


def tell(*arguments: object) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of ``manage.py storage …``."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("storage", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", error.returncode
    return out.getvalue(), err.getvalue(), 0


@pytest.fixture
def source(s3, s3_settings, create) -> int:
    """A source over three task files."""
    for number in range(3):
        s3.put("data", f"{number}.jsonl", ROWS)
    return create("s3", s3_settings)["id"]


@pytest.fixture
def no_queue(settings) -> None:
    settings.RQ_QUEUES = {
        name: queue | {"URL": f"redis://127.0.0.1:{free_port()}/0"} for name, queue in settings.RQ_QUEUES.items()
    }


@pytest.fixture
def process():
    """``manage.py storage …`` in a process of its own, on the tests' database."""
    name = connection.settings_dict["NAME"]
    url = f"sqlite:///{name}" if connection.vendor == "sqlite" else os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    if connection.vendor != "sqlite" and "?" in os.environ["DATABASE_URL"]:
        head, _, query = os.environ["DATABASE_URL"].partition("?")
        url = f"{head.rpartition('/')[0]}/{name}?{query}"
    started: list[subprocess.Popen] = []

    def start(*arguments: object, url: str = url, **options: object) -> subprocess.Popen:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "storage", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        started.append(subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"}, **pipes))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def test_storages_are_listed_by_project_and_in_both_directions(source, create, s3_settings, project):
    target = create("export/s3", s3_settings)["id"]
    out, _, code = tell("list")
    assert code == 0 and f"s3/{source} " in out and "Harbour bucket" in out and "initialized" in out
    rows = json.loads(tell("list", "--json", "--project", project.pk)[0])
    assert [(row["storage"], row["direction"]) for row in rows] == [(f"s3/{source}", "source"), (f"s3/{target}", "target")]
    assert json.loads(tell("list", "--json", "--project", project.pk + 1)[0]) == []
    assert [row["direction"] for row in json.loads(tell("list", "--json", "--export")[0])] == ["target"]


@pytest.mark.parametrize("name", ["99999", "gcs/{}", "s3/99999", "nonsense", "s3/", "-", "٣", "9" * 30])
def test_an_unknown_storage_is_named_with_what_there_is(source, name):
    _, err, code = tell("plan", name.format(source))
    assert code == 2 and f"s3/{source} (Harbour bucket)" in err


def test_usage_is_refused_with_2(source, process):
    with pytest.raises(CommandError):
        call_command("storage", "conquer")
    ended = process("conquer")
    assert "VERB" in ended.communicate(timeout=60)[1] and ended.returncode == 2
    assert tell("runs", source, "--issues", 10**20)[2] == 2


def test_the_doctor_names_the_verb_that_fails(source, s3):
    out, _, code = tell("validate", source)
    assert code == 0 and [line.split()[:2] for line in out.splitlines()[1:3]] == [["list", "ok"], ["read", "ok"]]
    assert json.loads(tell("validate", source, "--json")[0])["ok"] is True
    s3.add_identity(s3.access_key, s3.secret_key, allow=[])
    out, err, code = tell("validate", f"s3/{source}", "--json")
    assert code == 1 and json.loads(out)["ok"] is False and err.startswith("list: ") and s3.secret_key not in out + err


def test_a_plan_is_printed_with_what_to_change(source, s3):
    s3.put("data", "left.png", b"x")
    s3.put("data", "evil\x1b[2J.json", b"{}")
    out, _, code = tell("plan", f"s3/{source}")
    lines = out.splitlines()
    assert code == 0 and "0.jsonl, 1.jsonl, 2.jsonl" in out and "\x1b" not in out and "evil\\x1b[2J.json" in out
    assert any(line.split()[:3] == ["ignored:", "extension", "1"] for line in lines) and "use_blob_urls=true" in out
    told = json.loads(tell("plan", source, "--json")[0])
    assert (told["new"]["count"], told["requests"]["reads"], told["complete"]) == (4, 4, True)
    s3.delete("data", "left.png")
    s3.add_identity(s3.access_key, s3.secret_key, allow=[])
    assert tell("plan", source)[2] == 1


def test_work_done_here_needs_neither_queue_nor_worker(source, s3, no_queue):
    out, err, code = tell("sync", source, "--here")
    assert (code, err) == (0, "") and "completed, 3 listed, 6 new" in out and Task.objects.count() == 6
    s3.put("data", "bad.json", b"{")
    out, err, code = tell("sync", source, "--here", "--json")
    told = json.loads(out)
    assert code == 1 and set(told) == KEYS and (told["state"], told["trigger"]) == ("completed_with_errors", "command")
    assert f"storage runs s3/{source} --issues {told['id']}" in err
    issues = json.loads(tell("runs", source, "--issues", told["id"], "--json")[0])
    assert [issue["key"] for issue in issues] == ["bad.json"] and "bad.json" in tell("runs", source, "--issues", told["id"])[0]
    s3.put("data", "bad.json", b'{"image": "x"}')
    told = json.loads(tell("retry", source, "--here", "--json")[0])
    assert (told["kind"], told["state"], told["counters"]["new"]) == ("retry", "completed", 1)
    out, err, code = tell("retry", source, "--here")
    assert code == 1 and "nothing to retry" in err
    told = json.loads(tell("runs", source, "--json", "--limit", 2)[0])
    assert [one["state"] for one in told] == ["completed", "completed_with_errors"]
    assert "completed_with_errors" in tell("runs", source)[0]


def test_without_a_queue_it_says_so_and_starts_nothing(source, no_queue):
    began = time.monotonic()
    _, err, code = tell("sync", source)
    assert code == 1 and "--here" in err and "REDIS_URL" in err and time.monotonic() - began < 3
    assert not ImportRun.objects.exists()


def test_a_storage_that_cannot_be_reached_leaves_a_failed_run_and_1(source, s3):
    s3.add_identity(s3.access_key, s3.secret_key, allow=[])
    _, err, code = tell("sync", source, "--here")
    assert code == 1 and "may not list" in err and s3.secret_key not in err
    run = ImportRun.objects.get()
    assert (run.error_code, run.trigger) == ("no_permission", "command")
    out, _, code = tell("sync", source, "--here", "--json")
    told = json.loads(out)
    assert (code, told["state"], told["trigger"], set(told)) == (1, "failed", "command", KEYS) and told["id"] > run.pk


def test_a_run_is_followed_while_a_worker_does_it(source, work):
    ended: list[tuple[str, str, int]] = []

    def command() -> None:
        try:
            ended.append(tell("sync", source, "--json"))
        finally:
            connection.close()

    thread = threading.Thread(target=command)
    thread.start()
    until = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < until:
        work()
        thread.join(0.1)
    ((out, err, code),) = ended
    assert (code, err) == (0, "") and json.loads(out)["counters"]["new"] == 6


def test_a_run_under_way_is_joined_and_its_dead_worker_replaced(source, monkeypatch, no_queue):
    monkeypatch.setattr(status, "DEAD_AFTER", 1)
    run = importing.begin(ImportStorage.objects.get(pk=source).concrete(), None, "api")
    status.set_going(run)
    Shard.objects.update(state="taken", lease="dead")
    out, err, code = tell("sync", source, "--here")
    assert code == 0 and f"run {run.pk} is in_progress already" in err and ImportRun.objects.count() == 1


def test_a_run_that_no_worker_takes_is_remarked_upon_and_left_at_ctrl_c(source, work, monkeypatch):
    monkeypatch.setattr(following, "UNTAKEN", 0.0)
    sleeps = iter([None, None, KeyboardInterrupt()])

    def interrupted(seconds: float) -> None:
        if error := next(sleeps):
            raise error

    monkeypatch.setattr(following.time, "sleep", interrupted)
    _, err, code = tell("sync", source)
    assert code == 130 and err.count("no worker has taken") == 1
    assert f"storage cancel s3/{source}" in err and ImportRun.objects.get().active
    out, _, code = tell("cancel", source)
    assert code == 0 and "cancelled" in out and ImportRun.objects.get().state == "cancelled"
    assert tell("cancel", source)[2] == 1


def test_targets_are_written_here_too(create, s3_settings, api, project, s3, no_queue):
    task = api.post("/api/tasks/", {"project": project.pk, "data": {"image": "x"}}).json()["id"]
    api.post(f"/api/tasks/{task}/annotations/", {"result": []})
    target = create("export/s3", s3_settings)["id"]
    tell("cancel", target, "--export")
    out, err, code = tell("sync", target, "--export", "--here", "--json")
    assert (code, json.loads(out)["total"]) == (0, 1), err
    assert tell("sync", target, "--here")[2] == 2, "a source is meant without --export"


def test_exit_codes_and_streams_of_a_real_process(source, process, s3):
    s3.put("data", "bad.json", b"{")
    bad = process("sync", source, "--here", "--json")
    out, err = bad.communicate(timeout=60)
    assert bad.returncode == 1 and json.loads(out)["state"] == "completed_with_errors" and "listed" not in err
    s3.delete("data", "bad.json")
    ended = process("sync", source, "--here")
    out, err = ended.communicate(timeout=60)
    assert (ended.returncode, err) == (0, "") and "completed, 3 listed" in out


def test_ctrl_c_here_stops_the_work_and_the_same_command_goes_on(source, process, s3):
    s3.delay(0.4, match="jsonl")
    for number in range(3, 40):
        s3.put("data", f"{number:02}.jsonl", ROWS)
    ImportStorage.objects.filter(pk=source).update(sync_reads=1)
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (40, 120))
    running = process("sync", source, "--here", stderr=child)
    os.close(child)
    until = time.monotonic() + 30
    while not Task.objects.exists() and time.monotonic() < until:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    shown = b""
    running.wait(30)
    while chunk := _read(parent):
        shown += chunk
    assert running.returncode == 1 and b"objects" in shown and b"created=" in shown and b"stopping" in shown
    assert ImportRun.objects.get().state == "cancelled" and 0 < Task.objects.count() < 80
    s3.heal()
    assert tell("sync", source, "--here")[2] == 0 and Task.objects.count() == 80


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (1234567, "1,234,567"), ("a\nb\x1b]0;x\x07", "a\\nb\\x1b]0;x\\x07"), ("x" * 200, "x" * 99 + "…")],
)
def test_a_cell_is_one_line_that_no_terminal_obeys(value, text):
    assert printing.cell(value) == text
