"""The routes of storages: shapes, defaults, secrets, merging, and what bad input gets."""

import json

import pytest

from storages.backends.s3 import S3ImportStorage
from storages.base import ImportStorage
from storages.runs import ImportRun
from tests.conftest import client_of

pytestmark = pytest.mark.django_db(transaction=True)
SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
S3_KEYS = {
    "id", "type", "project", "title", "description", "created_at", "synchronizable", "regex_filter", "use_blob_urls", "last_sync",
    "last_sync_count", "last_sync_job", "status", "traceback", "meta", "prefix", "bucket", "aws_sse_kms_key_id", "region_name", "s3_endpoint",
}  # fmt: skip
OURS = {"last_run": None, "next_sync": None, "sync_schedule": "", "sync_timezone": "UTC", "webhook_url": None}
NAMING = {"object_form": "", "key_template": ""}  # of targets
POLICIES = {
    "presign_problem": "",
    "changed_policy": "ignore", "vanished_policy": "keep", "renamed_policy": "new", "vanished_cap": 20, "sync_workers": 4, "sync_reads": 32,
}  # fmt: skip


def envelope(answer, status):
    body = answer.json()
    assert answer.status_code == status, body
    assert body["status_code"] == status and body["exc_info"] is None and body["id"] and body["version"] and body["detail"]
    return body


def test_create_answers_every_field_of_the_contract_and_no_secret(api, s3_settings):
    answer = api.post("/api/storages/s3/", s3_settings)
    assert answer.status_code == 201
    assert set(answer.json()) == S3_KEYS | {"presign", "presign_ttl", "recursive_scan"} | set(OURS) | set(POLICIES)
    assert (OURS | POLICIES).items() <= answer.json().items()
    wanted = {"type": "s3", "status": "initialized", "presign": True, "presign_ttl": 1, "use_blob_urls": False, "meta": {}}
    assert wanted.items() <= answer.json().items()
    assert answer.json()["created_at"].endswith("Z")
    export = api.post("/api/storages/export/s3", s3_settings)
    assert set(export.json()) == S3_KEYS | {"can_delete_objects"} | set(OURS) | set(NAMING)
    assert NAMING.items() <= export.json().items()
    assert export.json()["status"] == "queued"


@pytest.mark.parametrize("route", ["s3/", "s3", "export/s3", "export/s3/"])
def test_every_route_is_served_with_and_without_its_slash(api, s3_settings, route):
    created = api.post(f"/api/storages/{route}", s3_settings)
    assert created.status_code == 201
    base = f"/api/storages/{route.rstrip('/')}/{created.json()['id']}"
    assert api.get(base).json() == api.get(base + "/").json()
    assert len(api.get(f"/api/storages/{route}", {"project": s3_settings["project"]}).json()) == 1


def test_form_urlencoded_and_multipart_bodies_are_accepted(api, s3_settings):
    for form in ("multipart", None):
        kind = {"format": form} if form else {"content_type": "application/x-www-form-urlencoded"}
        body = s3_settings if form else "&".join(f"{k}={str(v).replace('+', '%2B')}" for k, v in s3_settings.items())
        assert api.post("/api/storages/s3/", body, **kind).status_code == 201


def test_server_managed_fields_are_ignored_on_input(api, s3_settings):
    forged = {
        "id": 77,
        "type": "gcs",
        "status": "completed",
        "last_sync_count": 9,
        "meta": {"x": 1},
        "traceback": "t",
        "last_sync_job": "j",
    }
    created = api.post("/api/storages/s3/", s3_settings | forged).json()
    assert (created["type"], created["status"], created["meta"], created["traceback"]) == ("s3", "initialized", {}, None)
    assert created["id"] != 77
    patched = api.patch(f"/api/storages/s3/{created['id']}", forged).json()
    assert (patched["type"], patched["status"], patched["last_sync_count"]) == ("s3", "initialized", None)


def test_patch_merges_and_an_empty_secret_keeps_the_stored_one(api, s3_settings):
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    assert api.patch(f"/api/storages/s3/{pk}", {"title": "New", "aws_secret_access_key": ""}).json()["title"] == "New"
    assert S3ImportStorage.objects.get(pk=pk).aws_secret_access_key == s3_settings["aws_secret_access_key"]
    body = envelope(api.patch(f"/api/storages/s3/{pk}", {"aws_secret_access_key": None}), 400)
    assert "aws_secret_access_key" in body["validation_errors"]


def test_a_changed_endpoint_needs_the_credentials_again(api, s3_settings):
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    body = envelope(api.patch(f"/api/storages/s3/{pk}", {"s3_endpoint": "http://127.0.0.1:9"}), 400)
    assert "again" in body["validation_errors"]["s3_endpoint"][0]
    stored = {"id": pk, "s3_endpoint": "http://127.0.0.1:9", "project": s3_settings["project"], "bucket": "data"}
    for route in ("validate", "files"):
        assert "again" in envelope(api.post(f"/api/storages/s3/{route}", stored), 400)["validation_errors"]["s3_endpoint"][0]


def test_a_storage_stays_in_its_project(api, s3_settings, project, alice):
    from projects.models import Project

    other = Project.objects.create(title="Other", organization=alice.active_organization)
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    assert "project" in envelope(api.patch(f"/api/storages/s3/{pk}", {"project": other.pk}), 400)["validation_errors"]
    assert api.patch(f"/api/storages/s3/{pk}", {"project": project.pk}).status_code == 200


def test_a_null_recursive_scan_of_local_files_counts_as_false(api, project, documents):
    pk = api.post("/api/storages/localfiles/", {"project": project.pk, "path": str(documents), "recursive_scan": True}).json()[
        "id"
    ]
    assert api.patch(f"/api/storages/localfiles/{pk}", {"recursive_scan": None}).json()["recursive_scan"] is False


def test_put_replaces_and_delete_removes(api, s3_settings):
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    replaced = api.put(f"/api/storages/s3/{pk}", s3_settings | {"title": "Replaced"})
    assert (replaced.status_code, replaced.json()["title"]) == (200, "Replaced")
    answer = api.delete(f"/api/storages/s3/{pk}")
    assert (answer.status_code, answer.content) == (204, b"")
    envelope(api.get(f"/api/storages/s3/{pk}"), 404)


def test_validate_answers_nothing_and_saves_nothing(api, s3_settings, s3):
    answer = api.post("/api/storages/s3/validate", s3_settings)
    assert (answer.status_code, answer.content) == (200, b"")
    assert S3ImportStorage.objects.count() == 0
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    body = {"id": pk, "project": s3_settings["project"], "bucket": "data", "title": "Changed", "s3_endpoint": s3.url}
    assert api.post("/api/storages/s3/validate", body).status_code == 200, "missing secrets come from the stored row"
    assert api.get(f"/api/storages/s3/{pk}").json()["title"] == "Harbour bucket"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"bucket": "Not_A_Bucket"}, "bucket", "bucket name"),
        ({"bucket": "absent-bucket"}, "non_field_errors", "does not exist"),
        ({"prefix": "nothing/here"}, "non_field_errors", "s3://data/nothing/here/ not found"),
        ({"aws_secret_access_key": "wrong"}, "non_field_errors", "rejected the credentials"),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, "non_field_errors", "rejected the credentials"),
        ({"aws_secret_access_key": ""}, "aws_secret_access_key", "belong together"),
        ({"s3_endpoint": "http://127.0.0.1:1"}, "non_field_errors", "Could not reach 127.0.0.1:1"),
        ({"s3_endpoint": "ftp://x"}, "s3_endpoint", "http"),
        ({"s3_endpoint": "http://u:p@127.0.0.1"}, "s3_endpoint", "credentials"),
        ({"s3_endpoint": "http://127.0.0.1:99999"}, "s3_endpoint", "URL"),
        ({"s3_endpoint": "http://no-such-host.invalid"}, "non_field_errors", "resolved"),
        ({"region_name": "eu west/1"}, "region_name", "region"),
        ({"regex_filter": "("}, "regex_filter", "regular expression"),
        ({"regex_filter": "(a{9999}){9999}"}, "regex_filter", "multiply"),
        ({"regex_filter": "(?V0)(?V1)"}, "regex_filter", "regular expression"),
        ({"regex_filter": "(" * 900 + ")" * 900}, "regex_filter", "nested"),
        ({"regex_filter": "a" * 2001}, "regex_filter", "2000"),
        ({"project": 1.5}, "project", "Incorrect type"),
        ({"project": "9" * 5000}, "project", "object does not exist"),
        ({"presign_ttl": -1}, "presign_ttl", "greater"),
        ({"presign_ttl": 32768}, "presign_ttl", "less"),
        ({"presign": None}, "presign", "null"),
        ({"project": 999999}, "project", "object does not exist"),
        ({"project": "x"}, "project", "Incorrect type"),
        ({"title": "x" * 257}, "title", "256"),
        ({"bucket": {"a": 1}}, "bucket", "valid string"),
        ({"title": "nul\0"}, "title", "Null characters"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["", "validate"])
def test_a_wrong_setting_gets_a_400_that_names_it_and_nothing_is_saved(api, s3_settings, change, field, said, route):
    body = envelope(api.post(f"/api/storages/s3/{route}", s3_settings | change), 400)
    assert said in " ".join(map(str, body["validation_errors"][field])), body
    assert s3_settings["aws_secret_access_key"] not in json.dumps(body)
    assert S3ImportStorage.objects.count() == 0


@pytest.mark.parametrize(
    "raw", ["{", "[]", "7", '"x"', "null", "{}", '{"project": 1e400}', '{"project": 1, "id": "%s"}' % ("9" * 5000)]
)
def test_malformed_bodies_get_a_400(api, raw):
    for route in ("s3/", "s3/validate", "s3/files", "export/s3", "localfiles/"):
        envelope(api.post(f"/api/storages/{route}", raw, content_type="application/json"), 400)


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(api, settings, s3_settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    envelope(api.post("/api/storages/s3/", s3_settings | {"description": "x" * 1000}), 413)


def test_a_body_nested_too_deeply_is_a_400(api):
    envelope(api.post("/api/storages/s3/", "[" * 200_000, content_type="application/json"), 400)


def test_half_a_surrogate_pair_is_answered_and_not_a_500(api, s3_settings):
    envelope(api.post("/api/storages/s3/", '{"presign": "\\ud800", "project": "\\ud800"}', content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("path", "said"),
    [({"path": ""}, "must be set"), ({"path": "/no/such"}, "does not exist"), ({"path": "/etc"}, "must lie below"), ({"path": None}, "must be set"),
     ({"path": "relative"}, "does not exist"), ({"path": "nul\0"}, "")],
)  # fmt: skip
def test_a_wrong_local_path_gets_a_400(api, project, path, said):
    body = envelope(api.post("/api/storages/localfiles/", {"project": project.pk} | path), 400)
    assert said in str(body["validation_errors"])


def test_a_title_only_patch_of_local_files_works(api, project, documents):
    pk = api.post("/api/storages/localfiles/", {"project": project.pk, "path": f"{documents}/"}).json()["id"]
    patched = api.patch(f"/api/storages/localfiles/{pk}", {"title": "T"}).json()
    assert (patched["title"], patched["path"]) == ("T", str(documents))


def test_the_listing_needs_a_project_and_unknown_ones_are_404(api, s3_settings, stranger):
    api.post("/api/storages/s3/", s3_settings)
    body = envelope(api.get("/api/storages/s3/"), 400)
    assert body["validation_errors"] == {"non_field_errors": ['query parameter "project" is required']}
    for value in ("999999", "abc", str(2**70), ""):
        envelope(api.get("/api/storages/s3/", {"project": value}), 404)
    envelope(stranger.get("/api/storages/s3/", {"project": s3_settings["project"]}), 404)


def test_cross_storage_lists_give_all_types_in_two_queries_whatever_their_number(
    api, s3_settings, project, documents, django_assert_num_queries
):
    for number in range(4):
        api.post("/api/storages/localfiles/", {"project": project.pk, "path": str(documents), "title": str(number)})
        api.post("/api/storages/s3/", s3_settings | {"title": str(number)})
    for run in (
        ImportRun(storage_id=row["id"], failed=3, state="completed_with_errors", error="x")
        for row in api.get("/api/storages/", {"project": project.pk}).json()
    ):
        run.save()
        ImportStorage.objects.filter(pk=run.storage_id).update(run=run)
    with django_assert_num_queries(2):
        rows = api.get("/api/storages/", {"project": project.pk}).json()
    assert [row["type"] for row in rows] == ["s3"] * 4 + ["localfiles"] * 4
    assert rows[0] == api.get(f"/api/storages/s3/{rows[0]['id']}").json()
    assert api.get("/api/storages/export", {"project": project.pk}).json() == []
    assert api.get("/api/storages/").json() == api.get("/api/storages/", {"project": "x"}).json() == []


def test_types_and_forms_are_derived_from_the_registry(api):
    types = api.get("/api/storages/types").json()
    assert types == api.get("/api/storages/export/types").json()
    assert [kind["name"] for kind in types] == (
        ["s3", "s3s", "gcs", "gcswif", "gcs_sa", "azure", "azure_spi", "redis", "localfiles", "databricks"]
    )
    assert types[0] == {"name": "s3", "title": "AWS S3"} and all(kind["title"] for kind in types)
    rows = api.get("/api/storages/s3/form").json()
    fields = {field["name"]: field for row in rows for field in row["fields"]}
    assert all(row["columnCount"] == len(row["fields"]) for row in rows)
    assert fields["bucket"]["required"] and fields["aws_secret_access_key"]["type"] == "password"
    assert fields["presign_ttl"] | {"type": "counter", "min": 1, "value": 15} == fields["presign_ttl"]
    assert {option["value"] for option in fields["use_blob_urls"]["options"]} == {True, False}


def test_the_preview_lists_like_a_sync_and_says_when_there_is_more(api, s3, s3_settings):
    for number in range(5):
        s3.put("data", f"p/{number}.txt", b"12345")
    everything = api.post("/api/storages/s3/files", s3_settings | {"prefix": "p"}).json()["files"]
    assert [row["key"] for row in everything] == [f"p/{number}.txt" for number in range(5)]
    assert everything[0]["size"] == 5 and everything[0]["last_modified"].endswith("Z")
    for limit, rows in ((2, 3), (5, 5), ("2", 3), (0, 2), (-1, 2)):
        files = api.post("/api/storages/s3/files", s3_settings | {"prefix": "p", "limit": limit}).json()["files"]
        assert len(files) == rows
        assert (files[-1] == {"key": None, "last_modified": None, "size": None}) == (rows < 5)
    envelope(api.post("/api/storages/s3/files", s3_settings | {"limit": "many"}), 400)
    envelope(api.post("/api/storages/s3/files", s3_settings | {"regex_filter": "("}), 400)
    envelope(api.get("/api/storages/s3/files"), 405)


def test_a_storage_that_is_not_synchronizable_says_so(api, s3_settings):
    pk = api.post("/api/storages/s3/", s3_settings | {"synchronizable": False}).json()["id"]
    answer = api.post(f"/api/storages/s3/{pk}/sync")
    assert (answer.status_code, answer.json()) == (400, {"message": f"Storage {pk} is not synchronizable"})


def test_sync_answers_at_once_and_a_second_one_is_not_started(api, s3_settings, s3):
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    first = api.post(f"/api/storages/s3/{pk}/sync").json()
    assert (first["status"], first["last_sync"], first["last_sync_count"]) == ("queued", None, None)
    assert set(first["meta"]) == {"attempts", "time_queued"} and first["last_sync_job"]
    assert api.post(f"/api/storages/s3/{pk}/sync", {}).json() == first


def test_sync_of_a_broken_connection_is_a_400_and_a_failed_run(api, s3_settings, s3):
    pk = api.post("/api/storages/s3/", s3_settings).json()["id"]
    s3.refuse_all()
    assert "Could not reach" in str(envelope(api.post(f"/api/storages/s3/{pk}/sync"), 400)["validation_errors"])
    stored = api.get(f"/api/storages/s3/{pk}").json()
    assert stored["status"] == "failed" and "Could not reach" in stored["traceback"] and stored["meta"]["time_failure"]


def test_a_source_without_bucket_is_accepted_but_cannot_be_synced(api, project):
    pk = api.post("/api/storages/s3/", {"project": project.pk}).json()["id"]
    assert "bucket" in envelope(api.post(f"/api/storages/s3/{pk}/sync"), 400)["validation_errors"]
    envelope(api.post("/api/storages/export/s3", {"project": project.pk}), 400)


@pytest.mark.parametrize("verb", ["get", "patch", "put", "delete", "post"])
def test_a_stranger_sees_nothing_on_any_verb(api, stranger, s3_settings, verb):
    for route in ("s3", "export/s3"):
        pk = api.post(f"/api/storages/{route}", s3_settings).json()["id"]
        path = f"/api/storages/{route}/{pk}" + ("/sync" if verb == "post" else "")
        envelope(getattr(stranger, verb)(path, s3_settings), 404)
    assert "project" in envelope(stranger.post("/api/storages/s3/", s3_settings), 400)["validation_errors"]
    for route in ("validate", "files"):
        envelope(stranger.post(f"/api/storages/s3/{route}", s3_settings | {"id": pk}), 404)
        envelope(stranger.post(f"/api/storages/s3/{route}", s3_settings), 400)
    assert stranger.get("/api/storages/", {"project": s3_settings["project"]}).json() == []


def test_anonymous_callers_get_401(s3_settings):
    anonymous = client_of(None)
    for path in ("s3/", "types", "s3/form", "", "export"):
        assert envelope(anonymous.get(f"/api/storages/{path}"), 401)
    envelope(anonymous.post("/api/storages/s3/", s3_settings), 401)


@pytest.mark.parametrize("pk", ["0", "999999", str(2**63), str(2**80)])
def test_unknown_ids_get_the_json_envelope(api, pk):
    for path in (f"s3/{pk}", f"export/s3/{pk}/", f"s3/{pk}/sync"):
        envelope(api.get(f"/api/storages/{path}") if "sync" not in path else api.post(f"/api/storages/{path}"), 404)
    envelope(api.get("/api/storages/s3/abc"), 404)
    envelope(api.post("/api/storages/nosuch/", {}), 404)
