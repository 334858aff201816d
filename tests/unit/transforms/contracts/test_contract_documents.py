"""A file that is no contract is refused in one line: file, path and keyword; never by a trace."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from jobs.runtime.contracts.registry import SCHEMAS
from tests.support.contract_files import contract_document, run, write
from transforms.contracts.compatibility.comparison import accepts
from transforms.contracts.compatibility.documents import SchemaDocumentError
from transforms.contracts.contract import Contract, ContractError
from transforms.contracts.publication import _body
from transforms.events.variant_faults import _table

CASES: list[tuple[dict[str, Any], str]] = [
    ({"type": "string", "minLength": "x"}, "$.size minLength: 'x' is not of type 'integer'"),
    ({"type": "string", "minLength": 1.5}, "$.size minLength: 1.5 is not of type 'integer'"),
    ({"type": "string", "minLength": -1}, "$.size minLength: -1 is less than the minimum of 0"),
    ({"type": "string", "minLength": float("inf")}, "$.size minLength: a number that is out of"),
    ({"type": "string", "enum": "abc"}, "$.size enum: 'abc' is not of type 'array'"),
    ({"type": "string", "enum": ["a", 5]}, "$.size enum: may name strings"),
    ({"type": "string", "const": 5}, "$.size const: may name strings"),
    ({"type": "string", "const": "a", "maxLength": 0}, "$.size const: says all"),
    ({"type": "string", "pattern": "["}, "$.size pattern: '[' is not a 'regex'"),
    ({"type": "string", "pattern": 5}, "$.size pattern: 5 is not of type 'string'"),
    ({"type": "string", "pattern": "a{"}, "$.size pattern: '{' is not portable"),
    ({"type": "string", "pattern": "a{,2}"}, "$.size pattern: '{,2}' is not portable"),
    ({"type": "string", "pattern": "a++"}, "$.size pattern: '+' repeats nothing"),
    ({"type": "integer", "maximum": "5"}, "$.size maximum: '5' is not of type 'number'"),
    ({"type": "integer", "maximum": 10**400}, "$.size maximum: a number that is out of range"),
    ({"type": "number", "multipleOf": "a"}, "$.size multipleOf: 'a' is not of type 'number'"),
    ({"type": "number", "multipleOf": 0}, "$.size multipleOf: 0 is less than or equal to"),
    ({"type": "text"}, "$.size type: 'text' is no type"),
    ({"type": "array", "items": True}, "$.size[*]: true takes anything; needs one type"),
    ({"type": "array", "items": [{"type": "string"}]}, "$.size items: [{'type': 'string'}] is not"),
    ({"type": "array"}, "$.size items: an array needs items"),
    (True, "$.size: true takes anything; needs one type"),  # type: ignore[list-item]
    (False, "$.size: false takes nothing; needs one type"),  # type: ignore[list-item]
    (5, "$.size: 5 is not of type 'object', 'boolean'"),  # type: ignore[list-item]
    ({"$ref": "#/properties/size"}, "$.size $ref: #/properties/size goes round"),
    ({"$ref": "#"}, "$.size $ref: # names no schema"),
    ({"$ref": "#/required"}, "$.size $ref: #/required names no schema"),
    ({"$ref": "#/x~1y"}, "$.size $ref: #/x~1y names no schema"),
    ({"$ref": 5}, "$.size $ref: 5 is not of type 'string'"),
    (
        {"type": "object", "properties": {"in": {"$ref": "#/properties/size"}}},
        "$.size.in.in $ref: #/properties/size goes round",
    ),
    (
        {"$ref": "#/properties/thingId", "type": ["string", "null"]},
        "$.size type: the $ref beside it says another",
    ),
    ({"type": "object", "properties": {"a": {"minLength": "x"}}}, "$.size.a minLength: 'x' is"),
    (
        {"type": "object", "properties": {"properties": {"enum": 1}}},
        "$.size.properties enum: 1 is not of type 'array'",
    ),
    ({"type": "object", "additionalProperties": {"type": 5}}, "$.size.* type: 5 is no type"),
]


@pytest.mark.parametrize(("field", "said"), CASES, ids=[said[:50] for _, said in CASES])
def test_check_names_file_path_and_keyword(tmp_path: Path, field: Any, said: str) -> None:
    file = write(tmp_path, contract_document(size=field))
    result = run("check", "--folder", tmp_path)
    assert result.exit_code == 2, result.output
    (line,) = result.output.splitlines()
    infinite = "not valid JSON: Infinity is no JSON number"
    told = infinite if "Infinity" in file.read_text() else f"ThingSeen 1.0 at {said}"
    assert f"{file}: {told}" in line
    assert " -> mend the " in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"required": "a"}, "$ required: 'a' is not of type 'array'"),
        ({"properties": 5}, "$ properties: 5 is not of type 'object'"),
        ({"x-topics": "things"}, "$ x-topics: needs a list"),
        ({"x-topics": []}, "$ x-topics: needs a list"),
        ({"x-key": 5}, "$ x-key: needs a name"),
        ({"x-family": None}, "$ x-family: needs a name"),
        ({"$ref": "#/$defs/a"}, "$ $ref: the root states its properties itself"),
        ({"$defs": {"a": {"type": "string", "minLength": "x"}}}, "#/$defs/a minLength: 'x' is not"),
        ({"required": ["size"]}, "$ required: size is not among the properties"),
        ({"required": ["thingId", "eventType", "version"]}, "$ required: timestamp is missing"),
        ({"minItems": 1}, "$ minItems: not supported for object"),
        (
            {"properties": {"a-b": True}, "required": []},
            "$ properties: 'a-b' cannot be a column's name",
        ),
        ({"properties": {"a": {}, "A": {}}, "required": []}, "$ properties: two differ only in"),
        ({"x-key": "version"}, "$ x-key: must name a field that varies"),
    ],
)
def test_the_whole_of_a_file_is_held_to_json_schema(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError) as refused:
        Contract("ThingSeen", "1.0", {**contract_document(), **change})
    assert str(refused.value).startswith(f"ThingSeen 1.0 at {said}")
    assert refused.value.file == "ThingSeen/1.0.json"


@pytest.mark.parametrize(
    ("name", "field", "said"),
    [
        ("timestamp", {"type": "string"}, "format: must be date-time"),
        ("timestamp", {"type": "string", "format": "date"}, "format: must be date-time"),
        (
            "timestamp",
            {"type": ["string", "null"], "format": "date-time"},
            "type: must not be null",
        ),
        ("timestamp", {"type": "integer"}, "type: must be string"),
        ("thingId", {"type": ["string", "null"]}, "type: must not be null"),
        ("thingId", {"type": "integer"}, "type: must be string"),
        ("eventId", {"type": "integer"}, "type: must be string"),
        ("eventId", {"type": "string"}, "minLength: must be 1 or more"),
        ("eventType", {"const": "OtherSeen"}, "const: must be 'ThingSeen'"),
    ],
)
def test_an_event_has_an_instant_and_a_key(name: str, field: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError) as refused:
        Contract("ThingSeen", "1.0", contract_document(**{name: field}))
    assert str(refused.value) == f"ThingSeen 1.0 at $.{name} {said}"


@pytest.mark.parametrize("text", ["[]", "true", '"x"', "5", "null"])
def test_a_contract_is_an_object(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ThingSeen" / "1.0.json"
    file.parent.mkdir()
    file.write_text(text)
    result = run("check", "--folder", tmp_path)
    assert result.exit_code == 2
    assert f"{file}: ThingSeen 1.0 at $ type: a contract is a JSON object" in result.output


def test_a_key_that_is_repeated_in_a_file_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, contract_document())
    file.write_text(file.read_text().replace('"x-key"', '"x-key": "a", "x-key"', 1))
    result = run("check", "--folder", tmp_path)
    assert (result.exit_code, "the key 'x-key' is repeated" in result.output) == (2, True)


def test_a_version_is_major_minor(tmp_path: Path) -> None:
    write(tmp_path, contract_document("one"))
    result = run("check", "--folder", tmp_path)
    assert result.exit_code == 2
    assert "one.json: ThingSeen one: a version is major.minor" in result.output


def test_sizes_may_be_written_with_a_fraction() -> None:
    document = contract_document(size={"type": "string", "minLength": 2.0, "maxLength": 1e12})
    schema = Contract("ThingSeen", "1.0", document).root.fields["size"].schema
    assert json.dumps([schema["minLength"], schema["maxLength"]]) == f"[2, {2**31 - 1}]"


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2.0, 1e999, 10**400, "", "x", "[", [], ["a"], [1], [[]]),
    *(
        {},
        {"a": 1},
        {"type": "string"},
        {"$ref": "#"},
        {"$ref": "#/$defs/id"},
        [{}],
        "#/properties",
    ),
)


def test_any_odd_value_anywhere_is_refused_or_read() -> None:
    """A sound file with one odd value in it is a contract, or a ContractError."""
    rng = random.Random(31)
    files = [json.loads(file.read_text()) for file in sorted(SCHEMAS.glob("*/*.json"))]
    read = 0
    for _ in range(120):
        document = copy.deepcopy(rng.choice(files))
        name, version = (document["properties"][key]["const"] for key in ("eventType", "version"))
        _damage(rng, document)
        try:
            contract = Contract(name, version, document)
        except ContractError:
            continue
        read += 1
        json.dumps(_table([contract])[0])
        _body(contract)
    assert 10 < read < 110


def _damage(rng: random.Random, document: dict[str, Any]) -> None:
    places: list[Any] = [document]
    for place in places:
        places += [
            v
            for v in (place.values() if isinstance(place, dict) else place)
            if v and isinstance(v, dict | list)
        ]
    place = rng.choice(places)
    key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    if isinstance(place, dict) and rng.random() < 0.3:
        key = rng.choice(("minLength", "enum", "items", "properties", "$ref", "type", "pattern"))
    place[key] = copy.deepcopy(rng.choice(ODD))


def test_compare_refuses_or_compares_any_odd_schema() -> None:
    rng = random.Random(7)
    sound = json.loads((SCHEMAS / "ContentRated" / "1.0.json").read_text())
    for _ in range(30):
        document = copy.deepcopy(sound)
        _damage(rng, document)
        try:
            accepts(document, sound)
        except SchemaDocumentError:
            continue
