"""The page of one task: its media, its source, its labels and exports, text objects, what the page may load."""

import json

import pytest

from storages.backends import BACKENDS
from storages.base import ExportStorage, ImportStorage
from storages.links import ExportLink, Form, OutboxItem
from storages.runs import ExportIssue, ExportRun
from tasks.models import Annotation, Prediction, Task
from tests.storages.pages.task_cast import browser as browser  # noqa: F401 - a fixture
from tests.storages.pages.task_cast import detail, shown, table
from tests.storages.pages.task_cast import make as make  # noqa: F401
from tests.storages.pages.task_cast import source as source  # noqa: F401
from tests.storages.pages.task_cast import target as target  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_page_of_a_task_shows_its_media_by_kind_at_any_depth(browser, source, make):
    names = ("a.png", "b.wav", "c.webm", "d.pdf", "e.txt", "f.json", "g.svg", "h.html")
    data = {
        "pages": [{"url": f"s3://data/{name}"} for name in names],
        "far": "s3://other/z.png",
        "web": "https://a.example/b.png",
    }
    page = shown(browser, detail(make(data | {"note": "see s3://data/inside.png.", "n": None}, (source, "a.png"))))
    for tag, number in (("<img", 2), ("<audio", 1), ("<video", 1), ("<iframe", 1), ("hx-get", 2)):
        assert page.partition("<main")[2].count(tag) == number, tag
    assert "pages[7].url" in page and "Save it to look at it" in page
    assert "No storage of this project holds this object" in page
    assert 'src="https://a.example' not in page and 'rel="noopener noreferrer"' in page


def test_the_page_of_a_task_tells_its_source_labels_and_exports(browser, alice, project, source, target, make):
    task = make({"image": "s3://data/ships/1.png"}, (source, "ships/1.png"), meta={"berth": 7}, total_annotations=3)
    said = {"task": task, "project": project, "completed_by": alice}
    written, pending, failed = (Annotation.objects.create(**said, result=[{"id": f"region-{n}"}]) for n in range(3))
    Prediction.objects.create(task=task, project=project, result=[{"id": "guess"}], model_version="m-1", score=0.5)
    ExportLink.objects.create(storage_id=target.pk, form=Form.ANNOTATION, subject=written.pk, key="out/1.json", digest=b"1")
    OutboxItem.objects.create(storage_id=target.pk, form=Form.ANNOTATION, subject=pending.pk)
    run = ExportRun.objects.create(storage_id=target.pk, state="failed")
    ExportStorage.objects.filter(pk=target.pk).update(run=run)
    OutboxItem.objects.create(storage_id=target.pk, form=Form.ANNOTATION, subject=failed.pk, attempts=3)
    ExportIssue.objects.create(run=run, key=str(failed.pk), code="no_permission", message="grant s3:PutObject")
    page = shown(browser, detail(task))
    for text in ("ships/1.png", "2.0", "2026-05-04 12:30:15", "abc123", "berth", alice.email, "region-2", "guess", "m-1", "0.5"):
        assert text in page, text
    for text in ("out/1.json", "Waits to be written", "Failed, tried 3 times", "grant s3:PutObject", "Lagoon"):
        assert text in page, text


def test_the_queries_of_a_task_do_not_grow_with_what_hangs_on_it(
    browser, alice, project, source, target, make, django_assert_num_queries
):
    def label(task: Task) -> None:
        one = Annotation.objects.create(task=task, project=project, completed_by=alice, result=[])
        Prediction.objects.create(task=task, project=project, result=[])
        ExportLink.objects.create(storage_id=target.pk, form=Form.ANNOTATION, subject=one.pk, key=str(one.pk), digest=b"1")

    task = make({"image": "s3://data/a.png"}, (source, "a.png"))
    label(task)
    shown(browser, detail(task))
    for _ in range(2):
        # session, user, membership, project; task, links, stamps, 2 neighbours, annotations, predictions; 3 of exports
        with django_assert_num_queries(14):
            shown(browser, detail(task))
        for _ in range(4):
            label(task)


def test_the_pages_may_load_signed_media_and_nothing_else_from_elsewhere(browser, project, source, make, s3):
    task = make({"image": "s3://data/a.png"}, (source, "a.png"))
    for path in (table(project), detail(task)):
        policy = dict(
            part.strip().split(" ", 1) for part in browser.get(path)["Content-Security-Policy"].split(";") if part.strip()
        )
        for directive in ("img-src", "media-src", "frame-src"):
            assert {"'self'", "https:", s3.url} <= set(policy[directive].split()), directive
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    ImportStorage.objects.get(pk=source.pk).concrete().__class__.objects.filter(pk=source.pk).update(presign=False)
    source.refresh_from_db()
    source.save()
    assert "https:" not in browser.get(table(project))["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("a.txt", b"<script>calm</script>", "&lt;script&gt;calm"),
        ("b.json", b'{"sea":{"calm":true}}', "  &quot;sea&quot;: {"),
        ("c.txt", b"", "The file is empty."),
        ("d.txt", b"wave " * 20_000, "the whole file has 97.7"),
        ("e.txt", b"\xff\x00half", "half"),
        ("missing.txt", None, "does not exist, or is hidden"),
    ],
)
def test_text_objects_are_read_through_this_server(browser, source, make, s3, name, body, told):
    if body is not None:
        s3.put("data", name, body)
    task = make({"text": f"s3://data/{name}"})
    page = shown(browser, detail(task, f"/text?uri=s3://data/{name}"))
    assert told in page and "<script" not in page


@pytest.mark.parametrize("uri", ["s3://data/other.txt", "", "file:///etc/passwd", "/data/local-files/?d=x.txt", "\0"])
def test_no_text_is_read_that_the_tasks_data_do_not_name(browser, source, make, s3, uri):
    s3.put("data", "other.txt", b"secret")
    answer = browser.get(detail(make({"text": "s3://data/a.txt"}), "/text"), {"uri": uri})
    assert answer.status_code == 404 and b"secret" not in answer.content


def test_a_text_file_of_a_local_storage_is_read_by_the_tasks_own_link(browser, project, make, documents):
    (documents / "note.txt").write_text("calm sea")
    (documents / "other.txt").write_text("secret")
    storage = BACKENDS["localfiles"].import_model.objects.create(project=project, path=str(documents))
    key = str(documents / "note.txt")
    uri = storage.client().uri(key)
    task = make({"text": uri}, (storage, key))
    page = browser.get(detail(task)).content.decode()
    assert "hx-get" in page and "note.txt" in page
    assert "calm sea" in browser.get(detail(task, "/text"), {"uri": uri}).content.decode()
    assert browser.get(detail(task, "/text"), {"uri": uri.replace("note", "other")}).status_code == 404


def test_the_raw_data_are_json_that_can_be_copied(browser, make):
    page = shown(browser, detail(make({"text": "ä & <b>", "n": [1, 2.5, None]})))
    raw = page.partition('id="raw"')[2].partition(">")[2].partition("</pre>")[0]
    text = raw.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert json.loads(text) == {"text": "ä & <b>", "n": [1, 2.5, None]} and 'data-copy="#raw"' in page
