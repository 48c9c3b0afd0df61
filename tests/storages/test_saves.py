"""What a target costs the one who annotates: a few statements, however many annotations, and no time at all for what it is."""

import socket
import statistics
import time
from collections import Counter, defaultdict

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from storages.backends import BACKENDS
from storages.links import OutboxItem
from tasks.models import Annotation, Task
from tests.environment import free_port
from tests.storages.targets import RESULT

pytestmark = pytest.mark.django_db(transaction=True)
TIMES, MOST = 50, 0.025  # saves that are measured; seconds of a median that may be added (5 ms are promised, machines are shared)


@pytest.fixture
def task(project):
    return Task.objects.create(project=project, inner_id=1, data={"image": "x"})


@pytest.fixture
def silent():
    """A port on which every connection is taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.fixture
def target(create, work, s3, s3_settings, silent, documents, project):
    """``target("dead")``: a target that takes nothing, and has been tried; its id."""

    def of(trouble):
        if trouble == "full":
            pk = create("export/s3", s3_settings)["id"]
            s3.fail_next(10**6, status=507, code="InsufficientStorage", match="/data/[0-9]")
        else:
            pk = create("export/s3", s3_settings)["id"]
            port = silent if trouble == "hanging" else free_port()
            BACKENDS["s3"].export_model.objects.filter(pk=pk).update(s3_endpoint=f"http://127.0.0.1:{port}")
        return pk

    return of


def added(api, here, elsewhere):
    """Seconds that the median of a POST, a PATCH and a DELETE takes longer for the one task than for the other, by turns."""
    took = defaultdict(list)

    def send(task, verb, path, body, wanted):
        started = time.perf_counter()
        answer = getattr(api, verb)(path, body)
        took[task, verb].append(time.perf_counter() - started)
        assert answer.status_code == wanted, answer.content
        return answer

    for number in range(TIMES):
        for task in (here, elsewhere):
            pk = send(task.pk, "post", f"/api/tasks/{task.pk}/annotations/", {"result": RESULT}, 201).json()["id"]
            send(task.pk, "patch", f"/api/annotations/{pk}/", {"lead_time": number}, 200)
            send(task.pk, "delete", f"/api/annotations/{pk}/", None, 204)
    median = {key: statistics.median(times) for key, times in took.items()}
    return {verb: median[here.pk, verb] - median[elsewhere.pk, verb] for verb in ("post", "patch", "delete")}


@pytest.mark.parametrize("trouble", ["dead", "hanging", "full"])
def test_a_target_in_trouble_fails_and_slows_no_save(trouble, target, api, alice, task, record_property):
    quiet = Project.objects.create(title="Without a target", organization=alice.active_organization)
    target(trouble)
    found = added(api, task, Task.objects.create(project=quiet, inner_id=1, data={"image": "x"}))
    for verb, seconds in found.items():
        record_property(verb, f"{seconds * 1000:.2f} ms")
    assert max(found.values()) < MOST, found
    assert OutboxItem.objects.count() == TIMES and not Annotation.objects.exists(), "all of it is known"


def test_an_import_of_a_thousand_annotations_costs_a_few_statements_for_each_target(create, api, project, s3_settings, work):
    def queries():
        body = [{"data": {"image": str(n)}, "annotations": [{"result": RESULT}]} for n in range(1000)]
        started = time.perf_counter()
        with CaptureQueriesContext(connection) as asked:
            assert api.post(f"/api/projects/{project.pk}/import", body).status_code == 201
        return Counter("outbox" in one["sql"] for one in asked), time.perf_counter() - started

    without, seconds = queries()
    assert not without[True]
    create("export/s3", s3_settings)
    create("export/s3", s3_settings, object_form="task")
    work()
    OutboxItem.objects.all().delete()
    within, more = queries()
    assert OutboxItem.objects.count() == 2000
    assert within[True] == 4 and within[False] - without[False] <= 2, (without, within)
    assert more < seconds + 1, (seconds, more)
