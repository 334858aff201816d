"""Compatibility held to what documents do: the jsonschema library is the judge, not our reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.random_schemas import pairs, pool, schemas, values
from transforms.events.compatibility import Verdict, accepts
from transforms.events.formats import FORMAT_CHECKER

DOCUMENTS = pool(100, seed=5)
RANDOM = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
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
