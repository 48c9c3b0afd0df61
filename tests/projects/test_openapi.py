"""The OpenAPI document as a whole: generators of clients and documentation must be able to read it."""

import openapi_spec_validator
import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(client) -> dict:
    answer = client.get("/docs/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_the_document_is_valid_and_every_reference_leads_somewhere(document):
    openapi_spec_validator.validate(document)


@pytest.mark.parametrize(("path", "item"), [("/api/projects/", "Project"), ("/api/projects/counts/", "Counts")])
def test_a_page_of_projects_is_described_as_it_is_answered(document, api, project, path, item):
    content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]
    page = schemas[content["$ref"].rpartition("/")[2]]
    told = api.get(path).json()
    assert set(page["properties"]) == set(told)
    assert page["properties"]["results"]["items"] == {"$ref": f"#/components/schemas/{item}"}
    assert set(schemas[item]["properties"]) <= set(told["results"][0])
