"""The OpenAPI document is valid, and no request that it describes, or any other, finds a 500."""

from __future__ import annotations

from functools import reduce
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from tests.unit.runtime.service.conftest import MakeClient

TOKEN = "a-token-of-an-application"
Document = dict[str, Any]


def document_of(client: TestClient) -> Document:
    return dict(client.get("/openapi.json").json())


def test_the_document_is_openapi_3_1_and_its_schemas_are_sound(client: TestClient) -> None:
    document = document_of(client)
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document):
        assert resolved(document, reference)
    operations = [operation["get"] for operation in document["paths"].values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) == 5
    assert all(operation["summary"] and operation["responses"] for operation in operations)


def test_security_is_declared_where_there_are_tokens(make_client: MakeClient) -> None:
    for tokens, expected in (((), []), ((TOKEN,), [{"bearer": []}])):
        paths = document_of(make_client(*tokens))["paths"]
        found = [item["get"]["security"] for path, item in paths.items() if path.startswith("/v1")]
        assert found == [expected] * 3


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def resolved(document: Document, reference: str) -> Any:
    return reduce(lambda node, name: node[name], reference.removeprefix("#/").split("/"), document)


GARBAGE = st.one_of(st.text(max_size=20), st.text(min_size=100, max_size=300))


def texts(schema: Document) -> st.SearchStrategy[str]:
    """Values that a parameter may have, and others."""
    if schema["type"] == "number":
        numbers = st.floats(0, 1e9, exclude_max=True).map(lambda number: f"{number:.3f}")
        return st.one_of(numbers, GARBAGE)
    alphabet = st.characters(codec="ascii")
    known = st.sampled_from(["ada", "rows", "homepage", "smart_tv", "eu-west-1"])
    return st.one_of(known, st.from_regex(schema["pattern"], alphabet=alphabet), GARBAGE)


@st.composite
def requests(draw: st.DrawFn, document: Document) -> tuple[str, str]:
    """The path template and the address of a request, with its query."""
    template = draw(st.sampled_from(sorted(document["paths"])))
    path, query = template, []
    for parameter in document["paths"][template]["get"].get("parameters", []):
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(draw(texts(schema)), safe=""))
        elif schema["type"] == "object":
            query += draw(st.lists(st.tuples(GARBAGE, GARBAGE), max_size=3))
        elif draw(st.booleans()):
            query.append((name, draw(texts(schema))))
    query += draw(st.lists(st.tuples(GARBAGE, GARBAGE), max_size=1))
    return template, f"{path}?{urlencode(query)}"


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_request_finds_a_500_and_every_answer_is_as_declared(
    data: st.DataObject, client: TestClient
) -> None:
    document = document_of(client)
    template, address = data.draw(requests(document))
    response = client.get(address)
    assert response.status_code != 500
    declared = document["paths"][template]["get"]["responses"]
    is_elsewhere = response.status_code == 404 and "404" not in declared
    content = {} if is_elsewhere else declared[str(response.status_code)].get("content", {})
    for media_type, body in content.items():
        assert response.headers["content-type"] == media_type
        schema = {**body["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(response.json())
