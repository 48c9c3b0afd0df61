"""The project endpoints."""

import pytest
from django.db.models.signals import pre_save

from projects.models import Project
from tests.conftest import client_of

pytestmark = pytest.mark.django_db
CONFIG = '<View><Text name="text" value="$text"/><Choices name="kind" toName="text"><Choice value="a"/></Choices></View>'


def envelope_of(response, code: int) -> dict:
    assert response.status_code == code, response.content
    body = response.json()
    assert body["status_code"] == code and body["id"] and body["exc_info"] is None
    return body


def test_a_project_is_created_with_label_studios_defaults_and_null_counters(api, alice):
    response = api.post("/api/projects/", {"title": "Boats", "label_config": CONFIG})
    body = response.json()
    assert response.status_code == 201 and body["title"] == "Boats" and body["organization"] == alice.active_organization_id
    assert body["created_by"]["email"] == alice.email and body["task_number"] is None and body["total_annotations_number"] is None
    assert (body["maximum_annotations"], body["skip_queue"], body["color"]) == (1, "REQUEUE_FOR_OTHERS", "#FFFFFF")
    assert body["parsed_label_config"]["kind"]["labels"] == ["a"] and body["config_has_control_tags"] is True
    assert body["assignment_settings"] == body["review_settings"] == {}
    assert "last_inner_id" not in body


@pytest.mark.parametrize("body", [{}, {"label_config": None}, {"label_config": " "}])
def test_everything_is_optional_on_create(api, body):
    response = api.post("/api/projects/", body)
    assert response.status_code == 201
    assert (response.json()["title"], response.json()["label_config"]) == ("New Project", "<View></View>")


def test_server_managed_keys_are_ignored(api, alice, charlie):
    sent = {
        "id": 77,
        "organization": charlie.active_organization_id,
        "task_number": 5,
        "created_by": charlie.pk,
        "title": "Boats",
    }
    created = api.post("/api/projects/", sent).json()
    assert created["organization"] == alice.active_organization_id and created["created_by"]["id"] == alice.pk
    changed = api.patch(f"/api/projects/{created['id']}/", sent).json()
    assert (changed["organization"], changed["task_number"]) == (alice.active_organization_id, 0)


def test_a_project_is_read_and_changed(api, project):
    assert api.get(f"/api/projects/{project.pk}/").json()["task_number"] == 0
    response = api.patch(
        f"/api/projects/{project.pk}/", {"title": "New name", "label_config": CONFIG, "control_weights": {"kind": {"overall": 1}}}
    )
    assert response.status_code == 200 and response.json()["title"] == "New name"
    project.refresh_from_db()
    assert (project.label_config, project.control_weights) == (CONFIG, {"kind": {"overall": 1}})


def test_a_change_does_not_put_old_counters_back(api, project):
    def import_meanwhile(instance: Project, **message) -> None:
        Project.objects.filter(pk=instance.pk).update(task_number=9)

    pre_save.connect(import_meanwhile, sender=Project)
    try:
        assert api.patch(f"/api/projects/{project.pk}/", {"title": "Other"}).json()["task_number"] == 9
    finally:
        pre_save.disconnect(import_meanwhile, sender=Project)


def test_a_project_is_deleted(api, project):
    assert api.delete(f"/api/projects/{project.pk}/").status_code == 204
    assert not Project.objects.exists()
    envelope_of(api.get(f"/api/projects/{project.pk}/"), 404)


def test_a_good_config_is_echoed_by_validate(api, project):
    response = api.post(f"/api/projects/{project.pk}/validate/", {"label_config": CONFIG})
    assert (response.status_code, response.json()) == (200, {"label_config": CONFIG})


def test_a_bad_config_is_explained_in_the_detail_of_validate(api, project):
    body = envelope_of(api.post(f"/api/projects/{project.pk}/validate/", {"label_config": "<View>"}), 400)
    assert "not well-formed" in body["detail"] and "validation_errors" not in body


def test_the_list_is_paged_newest_first_and_ends(api, alice):
    for number in range(35):
        Project.objects.create(title=f"P{number:02}", organization=alice.active_organization, created_by=alice)
    first = api.get("/api/projects/").json()
    assert (first["count"], len(first["results"]), first["results"][0]["title"], first["previous"]) == (35, 30, "P34", None)
    second = api.get(first["next"]).json()
    assert len(second["results"]) == 5 and second["next"] is None and "page=1" in second["previous"]
    assert envelope_of(api.get("/api/projects/?page=3"), 404)["detail"] == "Invalid page."
    assert len(api.get("/api/projects/?page_size=1000").json()["results"]) == 35
    assert [item["title"] for item in api.get("/api/projects/?ordering=id&page_size=2").json()["results"]] == ["P00", "P01"]
    assert [item["title"] for item in api.get("/api/projects/?ordering=-title&page_size=1").json()["results"]] == ["P34"]


def test_the_list_is_filtered_and_trimmed(api, alice):
    pks = [
        Project.objects.create(title=title, organization=alice.active_organization).pk
        for title in ("Red boat", "Blue boat", "Car")
    ]
    assert {item["title"] for item in api.get("/api/projects/?title=BOAT").json()["results"]} == {"Red boat", "Blue boat"}
    assert api.get("/api/projects/?search=blue").json()["count"] == 1
    assert api.get(f"/api/projects/?ids={pks[0]},{pks[2]}&include=id,title").json()["results"] == [
        {"id": pks[2], "title": "Car"},
        {"id": pks[0], "title": "Red boat"},
    ]
    assert api.get("/api/projects/?filter=pinned_only").json()["count"] == 0


def test_an_empty_list_is_a_page_too(api):
    assert api.get("/api/projects/").json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_page_of_projects_takes_a_constant_number_of_queries(api, alice, django_assert_num_queries):
    for number in range(20):
        Project.objects.create(title=f"P{number}", organization=alice.active_organization, created_by=alice)
    api.get("/api/projects/")
    with django_assert_num_queries(3):  # membership, count, page
        api.get("/api/projects/")


def test_counts_are_listed_alone(api, project):
    Project.objects.update(task_number=3, finished_task_number=1)
    (item,) = api.get("/api/projects/counts/").json()["results"]
    assert (item["id"], item["task_number"], item["queue_done"]) == (project.pk, 3, 1) and "label_config" not in item


BAD_BODIES = [
    [{"title": "ab"}, "title"],
    [{"title": "x" * 51}, "title"],
    [{"title": "a\0bc"}, "title"],
    [{"title": []}, "title"],
    [{"label_config": "<View>"}, "label_config"],
    [{"label_config": '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>'}, "label_config"],
    [{"label_config": "<View>\0</View>"}, "label_config"],
    [{"label_config": {"a": 1}}, "label_config"],
    [{"maximum_annotations": 0}, "maximum_annotations"],
    [{"maximum_annotations": 2**31}, "maximum_annotations"],
    [{"maximum_annotations": "many"}, "maximum_annotations"],
    [{"sampling": "By mood"}, "sampling"],
    [{"skip_queue": "NOWHERE"}, "skip_queue"],
    [{"control_weights": [1]}, "control_weights"],
    [{"control_weights": {"a": "\0"}}, "control_weights"],
    [{"color": "x" * 17}, "color"],
    [{"show_instruction": "perhaps"}, "show_instruction"],
    [{"pinned_at": "yesterday"}, "pinned_at"],
    [[], "non_field_errors"],
    ["text", "non_field_errors"],
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_a_bad_body_names_its_field_and_saves_nothing(api, project, body, field):
    assert field in envelope_of(api.post("/api/projects/", body, format="json"), 400)["validation_errors"]
    assert field in envelope_of(api.patch(f"/api/projects/{project.pk}/", body, format="json"), 400)["validation_errors"]
    assert Project.objects.count() == 1 and Project.objects.get().title == "Ships"


BAD_QUERIES = [
    *[
        ("page=0", 404),
        ("page=abc", 404),
        ("page=-1", 404),
        ("page=99999999999999999999", 404),
        ("page=2", 404),
        ("page=1.5", 404),
    ],
    *[("page_size=0", 400), ("page_size=x", 400), ("ordering=organization", 400), ("ordering=created_by__password", 400)],
    *[
        ("ids=a", 400),
        ("ids=99999999999999999999", 400),
        ("ids=-1", 400),
        ("filter=mine", 400),
        ("title=%00", 400),
        ("search=%00", 400),
    ],
]


@pytest.mark.parametrize(("query", "code"), BAD_QUERIES)
def test_a_bad_query_is_refused(api, project, query, code):
    envelope_of(api.get(f"/api/projects/?{query}"), code)


@pytest.mark.parametrize("raw", [b"{", b'{"title": NaN}', b"\xff", b'{"title": "a'])
def test_malformed_json_is_refused(api, raw):
    body = envelope_of(api.post("/api/projects/", raw, content_type="application/json"), 400)
    assert "JSON parse error" in body["detail"] and "validation_errors" not in body


@pytest.mark.parametrize("pk", ["999999", str(2**63), "9" * 40])
def test_an_unknown_project_is_404(api, pk):
    envelope_of(api.get(f"/api/projects/{pk}/"), 404)


@pytest.mark.parametrize("verb", ["get", "patch", "delete"])
def test_a_strangers_project_does_not_exist(stranger, project, verb):
    body = envelope_of(getattr(stranger, verb)(f"/api/projects/{project.pk}/"), 404)
    assert body["detail"] == "No Project matches the given query."
    envelope_of(stranger.post(f"/api/projects/{project.pk}/validate/", {"label_config": "<View/>"}), 404)
    assert stranger.get("/api/projects/").json()["count"] == stranger.get("/api/projects/counts/").json()["count"] == 0
    assert stranger.get(f"/api/projects/?ids={project.pk}").json()["count"] == 0
    assert Project.objects.filter(title="Ships").exists()


def test_a_colleague_sees_the_project(bob, project):
    assert client_of(bob).get(f"/api/projects/{project.pk}/").status_code == 200


def test_anonymous_requests_are_refused(project):
    assert client_of(None).get("/api/projects/").status_code == 401
