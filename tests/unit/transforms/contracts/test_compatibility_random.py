"""Compatibility held to what documents do: the jsonschema library is the judge, not our reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.random_schemas import pairs, pool, schemas, sendings, values
from transforms.contracts.compatibility.comparison import Mode, accepts
from transforms.contracts.compatibility.outcomes import Verdict
from transforms.contracts.formats import FORMAT_CHECKER

DOCUMENTS = pool(100, seed=5)
RANDOM = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,  # the same pairs in every run; to look for others, raise max_examples by hand
)
Judge = Callable[[Any], bool | None]


def judge(schema: Any) -> Judge:
    validator = Draft202012Validator(schema, format_checker=FORMAT_CHECKER)

    def is_valid(document: Any) -> bool | None:
        try:
            return validator.is_valid(document)
        except RecursionError:  # a schema that refers to itself in place says nothing
            return None

    return is_valid


@RANDOM
@given(pairs(), st.lists(values, max_size=10))
def test_no_document_breaks_what_is_called_compatible(pair: tuple[Any, Any], drawn: list[Any]):
    old, new = pair
    if accepts(new, old).verdict is Verdict.COMPATIBLE:
        by_old, by_new = judge(old), judge(new)
        for document in (*DOCUMENTS, *drawn):
            broken = by_old(document) and by_new(document) is False
            assert not broken, f"called compatible, but {document} is valid under the old only"


@RANDOM
@given(pairs())
def test_a_breaking_change_of_the_whole_is_shown_by_a_document(pair: tuple[Any, Any]):
    old, new = pair
    for finding in accepts(new, old).findings:
        if finding.path == "$" and finding.verdict is Verdict.BREAKING:
            (document,) = finding.example
            assert judge(old)(document), f"{document} was never valid: {finding}"
            assert judge(new)(document) is False, f"{document} is still valid: {finding}"


@RANDOM
@given(schemas())
def test_a_schema_wrapped_in_allof_never_breaks(schema: dict[str, Any]):
    definitions = {"$defs": schema["$defs"]}
    inner = {keyword: value for keyword, value in schema.items() if keyword != "$defs"}
    wrapped = {"allOf": [inner], **definitions}
    assert accepts(wrapped, schema).verdict is not Verdict.BREAKING
    assert accepts(schema, wrapped).verdict is not Verdict.BREAKING


def projected(schema: Any, value: Any) -> Any:
    """What a tolerant reader keeps of a document: the members that its schema declares."""
    declares = isinstance(schema, dict) and schema.keys() & {"properties", "additionalProperties"}
    if isinstance(value, dict) and declares:
        required = {name: {} for name in schema.get("required", ())}
        known = {**required, **schema.get("properties", {})}
        return {name: projected(known[name], value[name]) for name in value if name in known}
    if isinstance(value, list) and isinstance(schema, dict):
        return [projected(schema.get("items", {}), below) for below in value]
    return value


def opened(schema: Any) -> Any:
    """The schema without what refuses undeclared members."""
    if isinstance(schema, dict):
        closed = {"additionalProperties", "unevaluatedProperties"}
        return {k: opened(v) for k, v in schema.items() if not (k in closed and v is False)}
    return [opened(each) for each in schema] if isinstance(schema, list) else schema


@RANDOM
@given(sendings())
def test_a_tolerant_reader_takes_what_is_sent(sending: tuple[Any, Any, list[Any]]):
    old, new, documents = sending
    if any(f"'{keyword}'" in str(new) for keyword in ("not", "oneOf", "if")):
        return  # where less may be more, to leave out is not to project
    if accepts(new, old, Mode.TOLERANT).verdict is Verdict.COMPATIBLE:
        for document in filter(judge(old), documents):
            kept = projected(new, document)
            assert judge(opened(new))(kept) is not False, f"said compatible, but {kept} is refused"
