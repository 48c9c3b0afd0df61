"""Targets: the name of their objects with a live example, and what saving begins."""

import pytest

from tests.storages.pages.wizard import Person, error_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def filled(s3_settings):
    return {name: value for name, value in s3_settings.items() if name != "project"} | {"prefix": "out"}


@pytest.fixture
def person(alice, project, filled) -> Person:
    person = Person(alice, project).begin("s3", "target")
    assert person.post("connection", **filled)["Location"].endswith("/names")
    return person


@pytest.mark.parametrize(
    ("template", "form", "shown"),
    [
        ("", "annotation", "out/1"),
        ("a-{annotation_id}.json", "annotation", "out/a-1.json"),
        ("{storage_filename}/{annotation_id}", "annotation", "out/harbour/1"),
        ("t{task_id}", "task", "out/t1"),
    ],
)
def test_the_example_follows_the_template(person, template, form, shown):
    page = person.post("example", key_template=template, object_form=form).content.decode()
    assert f'<p class="key">{shown}</p>' in page


@pytest.mark.parametrize(("template", "told"), [("{nonsense}", "is no placeholder"), ("fixed.json", "needs {annotation_id}")])
def test_a_template_that_makes_no_names_is_told_at_once_and_not_saved(person, project, template, told):
    answer = person.client.post(f"{person.draft}/example", {"key_template": template, "object_form": "annotation"},
                                headers={"HX-Request": "true"})  # fmt: skip
    assert told in answer.content.decode()
    page = person.post("names", key_template=template, object_form="annotation").content.decode()
    assert told in error_of(page, "key_template") and not project.export_storages.exists()


def test_saving_a_target_begins_its_first_sync(person, project):
    answer = person.post("names", key_template="{annotation_id}.json", object_form="annotation")
    assert answer["Location"] == person.home
    target = project.export_storages.get().concrete()
    assert (target.key_template, target.prefix, target.run.trigger) == ("{annotation_id}.json", "out", "create")


def test_a_place_that_another_target_writes_to_is_told_beside_the_name(person, filled, create, project):
    create("export/s3", filled | {"project": project.pk}, key_template="{annotation_id}")
    page = person.post("names", key_template="{annotation_id}", object_form="annotation").content.decode()
    assert "writes to this place too" in error_of(page, "key_template")
    assert project.export_storages.count() == 1


def test_a_target_may_be_allowed_to_delete(alice, project, filled):
    person = Person(alice, project).begin("s3", "target")
    assert "Delete an object" in person.post("test", **filled, can_delete_objects="true").content.decode()
