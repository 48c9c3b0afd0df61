"""The renderer of storage settings: what every backend declares becomes controls, and no secret becomes one's value."""

import pytest
from django.template.loader import render_to_string

from storages.backends import BACKENDS
from storages.fields import secret_names
from storages.pages.access import model_of
from storages.pages.form_fields import FormField, form_rows, unused_fields

SIDES = ("source", "target")


def fields(name: str, side: str = "source", values: dict | None = None, **options: object) -> dict[str, FormField]:
    rows = form_rows(BACKENDS[name], side, values or {}, **options)
    return {field.name: field for row in rows for field in row}


def drawn(field: FormField) -> str:
    return render_to_string("storages/parts/field.html", {"field": field})


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", list(BACKENDS))
def test_secrets_are_never_values_whatever_is_passed(name, side):
    model = model_of(BACKENDS[name], side)
    secrets = secret_names(model)
    found = fields(name, side, dict.fromkeys(secrets, "s3cr3t"), kept=secrets)
    shown = {field.name: drawn(field) for field in found.values()}
    assert not [one for one, text in shown.items() if "s3cr3t" in text]
    assert all("Stored; leave empty to keep it." in shown[one] for one in secrets if one in shown)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_a_new_form_shows_the_defaults_of_its_columns(name):
    for field in fields(name).values():
        if field.kind == "counter":
            assert field.value != "" or BACKENDS[name].import_model._meta.get_field(field.name).null, field.name


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, {"token"}),
        ({"auth_type": "pat"}, {"token"}),
        ({"auth_type": "dbx_sp"}, {"client_id", "client_secret"}),
        ({"auth_type": "azure_ad_sp"}, {"client_id", "client_secret", "tenant_id"}),
    ],
)
def test_only_the_fields_of_the_chosen_method_are_shown(values, shown):
    found = fields("databricks", values=values)
    assert {name for name in ("token", "client_id", "client_secret", "tenant_id") if found[name].shown} == shown
    assert " hidden>" in drawn(next(one for one in found.values() if not one.shown))


def test_a_dependent_field_follows_its_switch():
    assert fields("s3")["presign_ttl"].shown and not fields("s3", values={"presign": False})["presign_ttl"].shown


def test_an_error_is_tied_to_its_control_and_the_first_one_takes_the_focus():
    found = fields("s3", errors={"region_name": ["no region"], "bucket": ["no <b>bucket</b>"]})
    text = drawn(found["bucket"])
    assert 'aria-invalid="true"' in text and "error-bucket" in text.split('aria-describedby="')[1].split('"')[0]
    assert "No &lt;b&gt;bucket&lt;/b&gt;" in text and " autofocus" in text
    assert " autofocus" not in drawn(found["region_name"]), "the bucket comes first on the page"


def test_what_was_entered_is_escaped():
    assert "<script>" not in drawn(fields("s3", values={"title": '"><script>'})["title"])


def test_only_what_may_be_empty_can_be_removed():
    assert fields("s3", kept=["aws_secret_access_key"])["aws_secret_access_key"].clearable
    assert not fields("databricks", kept=["token"])["token"].clearable


def test_rows_can_be_narrowed():
    assert set(fields("s3", only={"title", "bucket"})) == {"title", "bucket"}
    assert "title" not in fields("s3", leave_out={"title"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("must not be empty", "Must not be empty"),
        ("s3://data/a.png is not there", "s3://data/a.png is not there"),
        ("s3_endpoint is no address", "s3_endpoint is no address"),
        ("Not a bucket name", "Not a bucket name"),
        ("", ""),
    ],
)
def test_errors_begin_with_a_capital_letter_but_values_stay_what_they_are(text, told):
    assert f"<span>{told}</span>" in drawn(FormField("bucket", "Bucket", errors=(text,)))


def test_a_secret_that_is_to_go_is_ticked_and_not_told_as_kept():
    storage = BACKENDS["s3"].import_model(aws_secret_access_key="s3cr3t")
    field = fields("s3", stored=storage, cleared=["aws_secret_access_key"])["aws_secret_access_key"]
    assert field.clearable and not field.kept and 'value="true" checked' in drawn(field)
    assert not fields("s3", cleared=["aws_secret_access_key"])["aws_secret_access_key"].clearable, "nothing is stored"


def test_fields_of_no_use_are_known_by_method_and_by_switch():
    assert unused_fields(BACKENDS["s3"], "source", {"presign": False}) == {"presign_ttl"}
    assert unused_fields(BACKENDS["s3"], "source", {}) == set()
    assert unused_fields(BACKENDS["databricks"], "target", {"auth_type": "dbx_sp"}) == {"token", "tenant_id"}
