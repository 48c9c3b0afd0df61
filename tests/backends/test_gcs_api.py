"""The three kinds of Cloud Storage through the API: create, validate, patch, doctor, and no secret on the way out."""

import json

import pytest
from django.db import connection

from tests.backends.boxes.gcs_fixtures import OTHER, key_with
from tests.backends.boxes.gcs_fixtures import federated as federated  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_fixtures import gcs as gcs  # noqa: F401 - the fixture
from tests.backends.boxes.gcs_fixtures import impersonated as impersonated  # noqa: F401 - the fixture
from tests.backends.boxes.gcswif import AUDIENCE

ORIGIN = "http://testserver"


@pytest.fixture(params=["gcs", "federated", "impersonated"])
def box(request):
    """A bucket of each kind."""
    return request.getfixturevalue(request.param)


def wish(box, project, **changes):
    return {"project": project.pk, "title": "Harbour", **box.settings(), **changes}


def test_both_directions_are_created_checked_changed_and_listed(api, project, box):
    for route, changes in ((box.name, {"recursive_scan": None}), (f"export/{box.name}", {"can_delete_objects": True})):
        body = wish(box, project, **changes)
        answer = api.post(f"/api/storages/{route}/validate", body, format="json")
        assert (answer.status_code, answer.content) == (200, b""), answer.content
        made = api.post(f"/api/storages/{route}", body, format="json")
        assert made.status_code == 201, made.content
        stored = made.json()
        assert stored["type"] == box.name and "google_application_credentials" not in stored
        assert stored.get("recursive_scan", False) is False
        patched = api.patch(f"/api/storages/{route}/{stored['id']}", {"title": "Quay", "prefix": ""}, format="json")
        assert (patched.status_code, patched.json()["title"]) == (200, "Quay")
        assert [one["id"] for one in api.get(f"/api/storages/{route}?project={project.pk}").json()] == [stored["id"]]


def test_a_patch_is_checked_with_the_stored_key_and_keeps_it(api, project, gcs):
    gcs.fake.create_bucket("more")
    pk = api.post("/api/storages/gcs", wish(gcs, project), format="json").json()["id"]
    assert (
        api.patch(f"/api/storages/gcs/{pk}", {"bucket": "more", "google_application_credentials": ""}, format="json").status_code
        == 200
    )
    refused = api.patch(f"/api/storages/gcs/{pk}", {"bucket": "none"}, format="json")
    assert (refused.status_code, refused.json()["connection"]["code"]) == (400, "not_found")
    damaged = api.patch(f"/api/storages/gcs/{pk}", {"google_application_credentials": "{"}, format="json")
    assert damaged.json()["validation_errors"]["google_application_credentials"][0].startswith(
        "Google Application Credentials must be"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"token_uri": "https://evil.example/"}, "misconfigured"), ({"type": "external_account", "credential_source": {"file": "/etc/hostname"}}, "misconfigured"),
     ({"client_email": OTHER}, "bad_credentials")],
)  # fmt: skip
def test_a_refused_key_is_a_400_that_names_its_field_and_does_not_repeat_it(api, project, gcs, changes, code):
    for path in ("gcs", "gcs/validate", "export/gcs"):
        body = wish(gcs, project, google_application_credentials=key_with(gcs, **changes))
        answer = api.post(f"/api/storages/{path}", body, format="json")
        assert (answer.status_code, answer.json()["connection"]["code"]) == (400, code)
        assert list(answer.json()["validation_errors"]) == ["google_application_credentials"]
        assert (
            b"PRIVATE KEY" not in answer.content and b"evil.example" not in answer.content and b"hostname" not in answer.content
        )


def test_the_key_is_in_no_answer_and_not_readable_in_the_database(api, project, gcs):
    pk = api.post("/api/storages/gcs", wish(gcs, project), format="json").json()["id"]
    marks = json.loads(gcs.settings()["google_application_credentials"])["private_key"].splitlines()[1:3]
    answers = b"".join(api.get(path).content for path in (f"/api/storages/gcs/{pk}", f"/api/storages/?project={project.pk}"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM storages_gcsimportstorage")
        rows = str(cursor.fetchall())
    assert "data" in rows and not any(mark in rows or mark.encode() in answers for mark in [*marks, *gcs.fake.tokens.minted])


def test_the_doctor_shows_every_probe_and_what_to_paste(api, project, box):
    answer = api.post(f"/api/storages/{box.name}/doctor", wish(box, project, prefix=""), format="json").json()
    assert (answer["ok"], [probe["verb"] for probe in answer["probes"]]) == (True, ["list", "read", "sign"])
    assert answer["policy"]["bucket"]["bindings"][0]["role"] == "roles/storage.objectViewer"
    assert answer["cors"][0]["method"] == ["GET", "HEAD"]
    answer = api.post(
        f"/api/storages/export/{box.name}/doctor", wish(box, project, can_delete_objects=True), format="json"
    ).json()
    assert [probe["verb"] for probe in answer["probes"]] == ["list", "write", "delete"]
    assert answer["policy"]["bucket"]["bindings"][0]["role"] == "roles/storage.objectUser"


@pytest.mark.parametrize(
    ("origins", "warned"), [(None, True), (["https://elsewhere.example"], True), ([ORIGIN], False), (["*"], False)]
)
def test_the_doctor_warns_of_a_missing_cors_rule_when_urls_are_signed(api, project, box, origins, warned):
    box.fake.set_cors("data", origins)
    answer = api.post(f"/api/storages/{box.name}/doctor", wish(box, project), format="json").json()
    assert [warning["code"] for warning in answer["warnings"]] == ["cors_missing"] * warned
    answer = api.post(f"/api/storages/{box.name}/doctor", wish(box, project, presign=False), format="json").json()
    assert (answer["warnings"], answer["cors"]) == ([], None)


def test_a_failing_doctor_still_prescribes(api, project, box):
    box.fake.revoke(box.fake.email, "data", "storage.objects.get")
    answer = api.post(f"/api/storages/{box.name}/doctor", wish(box, project), format="json").json()
    assert [(probe["verb"], probe["ok"]) for probe in answer["probes"]] == [("list", True), ("read", False), ("sign", None)]
    assert "storage.objects.get" in answer["probes"][1]["grant"] and answer["policy"]


def test_a_server_without_google_identity_gets_a_doctor_s_answer_and_no_failure(
    api, project, impersonated, monkeypatch, tmp_path
):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing"))
    for name, body in (("gcs_sa", wish(impersonated, project)), ("gcs", {"project": project.pk, "bucket": "data"})):
        answer = api.post(f"/api/storages/{name}/doctor", body, format="json")
        assert (answer.status_code, answer.json()["ok"], answer.json()["probes"][0]["code"]) == (200, False, "misconfigured")
        assert answer.json()["policy"]["bucket"]


def test_a_federation_s_configuration_is_stored_encrypted_and_never_returned(api, project, federated):
    impersonation = (
        f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{federated.fake.email}:generateAccessToken"
    )
    text = json.dumps({"type": "external_account", "audience": AUDIENCE, "service_account_impersonation_url": impersonation})
    made = api.post("/api/storages/gcswif", wish(federated, project, google_application_credentials=text), format="json")
    assert made.status_code == 201 and "google_application_credentials" not in made.json()
    refused = api.patch(f"/api/storages/gcswif/{made.json()['id']}", {"google_wif_pool_id": "other-pool"}, format="json")
    assert list(refused.json()["validation_errors"]) == ["google_application_credentials"]
