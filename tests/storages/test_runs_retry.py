"""Retries of what failed, the list of flagged objects, deleting storages in the middle of it all, and the OpenAPI document."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storages import status
from storages.base import ExportStorage, ImportStorage
from storages.runs import ExportIssue, ExportRun, ImportIssue, ImportRun, State
from tasks.models import Task
from tests.storages.test_api import envelope

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broken(api, s3, s3_settings, create, sync):
    """A source of which one of two files could not be read; the path of its routes."""
    s3.put("data", "good.json", b'{"image": "good"}')
    s3.put("data", "bad.json", b"{")
    pk = create("s3", s3_settings)["id"]
    assert sync("s3", pk)["status"] == "completed_with_errors"
    return f"/api/storages/s3/{pk}"


def newest(api, path):
    return api.get(f"{path}/runs").json()["results"][0]


@pytest.mark.parametrize("level", ["storage", "run"])
def test_retry_imports_what_failed_and_nothing_else(api, alice, s3, broken, work, level):
    s3.put("data", "bad.json", b'{"image": "repaired"}')
    s3.put("data", "new.json", b'{"image": "new"}')
    failed = newest(api, broken)
    answer = api.post(f"{broken}/retry" if level == "storage" else f"{broken}/runs/{failed['id']}/retry")
    told = answer.json()
    assert (answer.status_code, told["kind"], told["state"], told["total"], told["trigger"]) == (200, "retry", "queued", 1, "api")
    assert told["id"] > failed["id"] and told["started_by"]["id"] == alice.pk
    work()
    told = api.get(f"{broken}/runs/{told['id']}").json()
    assert (told["state"], told["counters"]["listed"], told["counters"]["new"]) == ("completed", 1, 1)
    assert sorted(task.data["image"] for task in Task.objects.all()) == ["good", "repaired"]
    nothing = envelope(api.post(f"{broken}/retry"), 400)
    assert "no object of this storage has failed" in nothing["validation_errors"]["non_field_errors"][0]


def test_retry_while_a_run_goes_on_answers_that_run(api, s3, broken):
    api.post(f"{broken}/sync")
    s3.refuse_all()  # nothing is to be asked for
    told = api.post(f"{broken}/retry").json()
    assert told == newest(api, broken) and (told["kind"], told["state"]) == ("sync", "queued")
    assert ImportRun.objects.count() == 2


def test_retry_of_a_storage_that_was_never_synced_or_must_not_be_is_a_400(api, s3_settings, create, broken):
    envelope(api.post(f"/api/storages/s3/{create('s3', s3_settings)['id']}/retry"), 400)
    api.patch(broken, {"synchronizable": False})
    answer = api.post(f"{broken}/retry")
    assert answer.status_code == 400 and "is not synchronizable" in answer.json()["message"]


def test_retry_of_a_storage_out_of_reach_says_why_and_starts_nothing(api, s3, broken):
    s3.refuse_all()
    assert "Could not reach" in str(envelope(api.post(f"{broken}/retry"), 400)["validation_errors"])
    assert ImportRun.objects.count() == 1


def test_flagged_objects_are_listed_with_their_tasks(api, s3, s3_settings, create, sync):
    s3.put("data", "a.jsonl", b'{"image": "1"}\n{"image": "2"}\n{"image": "3"}')
    s3.put("data", "b.json", b'{"image": "4"}')
    s3.put("data", "c.json", b'{"image": "5"}')
    pk = create("s3", s3_settings, vanished_policy="flag", changed_policy="flag")["id"]
    path = f"/api/storages/s3/{pk}/flagged"
    sync("s3", pk)
    assert api.get(path).json() == {"count": 0, "next": None, "previous": None, "results": []}
    s3.delete("data", "a.jsonl")
    s3.put("data", "b.json", b'{"image": "changed"}')
    sync("s3", pk)
    tasks = {task.data["image"]: task.pk for task in Task.objects.all()}
    wanted = [
        {"key": "a.jsonl", "flag": "vanished", "tasks": [tasks["1"], tasks["2"], tasks["3"]]},
        {"key": "b.json", "flag": "changed", "tasks": [tasks["4"]]},
    ]
    assert api.get(path).json() == {"count": 4, "next": None, "previous": None, "results": wanted}
    first = api.get(path, {"page_size": 2}).json()
    assert first["results"] == [wanted[0] | {"tasks": wanted[0]["tasks"][:2]}]
    assert api.get(first["next"]).json()["results"] == [wanted[0] | {"tasks": wanted[0]["tasks"][2:]}, wanted[1]]


@pytest.mark.parametrize(
    ("route", "parent", "issue"), [("s3", ImportStorage, ImportIssue), ("export/s3", ExportStorage, ExportIssue)]
)
def test_deleting_a_storage_takes_the_same_few_queries_whatever_it_holds(api, s3_settings, create, route, parent, issue):
    asked = {}
    for issues in (1, 10_000):
        pk = create(route, s3_settings)["id"]
        model = issue._meta.get_field("run").related_model
        model.objects.filter(storage_id=pk).update(state=State.COMPLETED)
        run = status.begin(parent.objects.get(pk=pk), user=None, trigger="api")
        model.objects.bulk_create(model(storage_id=pk, state=State.FAILED) for _ in range(min(issues, 200)))
        issue.objects.bulk_create((issue(run=run, key=f"{n}", code="x", message="x") for n in range(issues)), batch_size=1000)
        with CaptureQueriesContext(connection) as queries:
            assert api.delete(f"/api/storages/{route}/{pk}").status_code == 204
        asked[issues] = len(queries)
    assert asked[10_000] - asked[1] <= 8, asked
    assert not issue.objects.exists() and not ExportRun.objects.exists() and not ImportRun.objects.exists()


def test_the_openapi_document_describes_every_route_of_runs_without_a_warning():
    out = StringIO()
    call_command("spectacular", format="openapi-json", validate=True, fail_on_warn=True, stdout=out)
    paths = json.loads(out.getvalue())["paths"]
    base = "/api/storages{}/{{type}}/{{id}}"
    triggers = json.loads(out.getvalue())["components"]["schemas"]["RunShape"]["properties"]["trigger"]["description"]
    assert all(name in triggers.partition(";")[0] for name in ("api", "create", "command", "schedule"))
    assert "retry" not in triggers.partition(";")[0], "a retry over the API is an 'api' run whose kind is 'retry'"
    both = {"/runs", "/runs/{run}", "/runs/{run}/issues", "/runs/{run}/cancel", "/cancel", "/runs/{run}/retry", "/retry"}
    wanted = {base.format("") + tail for tail in both | {"/flagged"}}
    wanted |= {base.format("/export") + tail for tail in both}
    assert {path for path in paths if "{type}" in path} == wanted | {base.format("/export") + "/snapshot"}
    operations = [(path, operation) for path in wanted for operation in paths[path].values()]
    assert len({operation["operationId"] for _, operation in operations}) == len(wanted)
    for path, operation in operations:
        given = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert operation["description"] and operation["responses"]["200"]["content"], path
        assert {"type", "id"} <= set(given) and len(given["type"]["schema"]["enum"]) == 10
        assert ({"page", "page_size"} <= set(given)) == path.endswith(("/runs", "/issues", "/flagged"))
