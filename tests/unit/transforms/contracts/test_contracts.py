"""What `jobs.contracts` promises: what is refused, what is shown, what a producer is told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from jobs.runtime.contracts.registry import SCHEMAS, load_registry
from tests.support.contract_files import contract_document, run, write
from tests.support.contracts import validator
from transforms.contracts.contract import Contract, ContractError
from transforms.contracts.example import example
from transforms.contracts.formats import FORMAT_CHECKER
from transforms.contracts.validation import validate

REGISTRY = load_registry()
NAMES = [contract.name for contract in REGISTRY]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of contracts with one published version."""
    write(tmp_path, contract_document(size={"type": "integer", "maximum": 10}))
    assert run("lock", "--folder", tmp_path).exit_code == 0, "the first version was refused"
    return tmp_path


def refused(folder: Path, *options: str) -> list[dict[str, str]]:
    result = run("check", "--folder", folder, "--json", *options)
    found = json.loads(result.stdout)
    assert bool(found) == (result.exit_code != 0), "the exit code does not tell"
    return found


def test_the_contracts_of_the_house_hold_their_promises():
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "not published yet" not in result.output, "run: python -m jobs.contracts lock"


def test_a_registry_is_remembered_until_a_file_changes(folder: Path):
    write(folder, contract_document("1.1", size={"type": "integer", "maximum": 10}))
    before = load_registry(folder)
    assert load_registry(folder) is before
    write(folder, contract_document("1.1", size={"type": "integer", "maximum": 9_999}))
    size = load_registry(folder).newest("ThingSeen").root.fields["size"]
    assert size.schema["maximum"] == 9_999


def test_an_optional_field_may_come_with_a_minor_version(folder: Path):
    size = {"type": "integer", "maximum": 10}
    write(folder, contract_document("1.1", size=size, colour={"type": "string"}))
    assert refused(folder) == []


def test_strict_mode_refuses_what_open_content_could_break(folder: Path):
    size = {"type": "integer", "maximum": 10}
    write(folder, contract_document("1.1", size=size, colour={"type": "string"}))
    assert {found["path"] for found in refused(folder, "--mode", "strict")} == {"$.colour"}


@pytest.mark.parametrize(
    ("field", "keyword"),
    [
        ({"type": "integer", "maximum": 9}, "maximum"),
        ({"type": "integer", "maximum": 11}, "maximum"),
        ({"type": "number", "maximum": 10}, "type"),
        ({"type": "string"}, "type"),
    ],
)
def test_a_breaking_minor_version_is_refused_by_file_path_and_keyword(
    folder: Path, field: dict[str, Any], keyword: str
):
    file = write(folder, contract_document("1.1", size=field))
    found = refused(folder)
    assert {(f["path"], f["keyword"]) for f in found} == {("$.size", keyword)}
    told = run("check", "--folder", folder).output
    assert f"{file}: breaking at $.size {keyword}: " in told, "file, path or keyword is not named"
    assert "-> keep what 1.0 says, or make it 2.0 with an upcaster" in told, "no remedy is named"


def test_a_level_may_be_chosen(folder: Path):
    write(folder, contract_document("1.1", size={"type": "integer", "maximum": 11}))
    assert refused(folder, "--level", "BACKWARD") == []
    assert len(refused(folder, "--level", "FORWARD")) == 1


def test_a_field_that_comes_back_as_another_type_is_refused(folder: Path):
    write(folder, contract_document("1.1"))
    write(folder, contract_document("1.2", size={"type": "string"}))
    assert refused(folder, "--level", "FULL") == [], "only the version before counts"
    assert {f["version"] for f in refused(folder)} == {"1.2"}, "all earlier versions count"


@pytest.mark.parametrize(("keyword", "value"), [("x-key", "owner"), ("x-topics", ["others"])])
def test_key_and_topics_stay_within_a_major_version(folder: Path, keyword: str, value: Any):
    size = {"type": "integer", "maximum": 10}
    document = contract_document("1.1", size=size, owner={"type": "string"})
    document["required"].append("owner")
    write(folder, {**document, keyword: value})
    assert keyword in {found["keyword"] for found in refused(folder)}


@pytest.mark.parametrize("heading", ["eventType", "version"])
def test_a_key_that_never_varies_is_refused(folder: Path, heading: str):
    write(folder, {**contract_document("1.1"), "x-key": heading})
    told, reason = run("check", "--folder", folder), "must name a field that varies"
    assert (told.exit_code, reason in told.output) == (2, True), told.output


def test_a_major_version_needs_an_upcaster(folder: Path):
    write(folder, contract_document("2.0", size={"type": "string"}))
    (found,) = refused(folder)
    assert (found["version"], found["keyword"]) == ("2.0", "version")
    assert "transforms/events/upcasters.py" in found["remedy"]


def test_a_published_file_never_changes(folder: Path):
    write(folder, contract_document(size={"type": "integer", "maximum": 11}))
    (found,) = refused(folder)
    assert found["reason"] == "the published file was changed"
    assert run("lock", "--folder", folder).exit_code != 0, "a changed file was locked again"


def test_a_published_file_never_goes(folder: Path):
    (folder / "ThingSeen" / "1.0.json").unlink()
    (found,) = refused(folder)
    assert found["reason"] == "the published file is gone"


def test_layout_is_no_change(folder: Path):
    file = folder / "ThingSeen" / "1.0.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=8, sort_keys=True))
    assert refused(folder) == []


def test_compare_says_path_keyword_and_example(tmp_path: Path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text('{"properties": {"a": {"enum": ["x", "y"]}}}')
    new.write_text('{"properties": {"a": {"enum": ["x"]}}}')
    result = run("compare", old, new, "--level", "FULL", "--json")
    said = json.loads(result.stdout)
    assert (result.exit_code, said["verdict"]) == (1, "breaking")
    (finding,) = said["directions"]["backward"]["findings"]
    assert (finding["path"], finding["keyword"], finding["example"]) == ("$.a", "enum", ["y"])
    assert said["directions"]["forward"]["verdict"] == "compatible"


def test_compare_refuses_what_is_no_schema(tmp_path: Path):
    file = tmp_path / "odd.json"
    file.write_text('{"type": "text"}')
    result = run("compare", file, file)
    assert result.exit_code == 2, result.output
    assert "not a JSON Schema: $.type" in result.output


@pytest.mark.parametrize("contract", REGISTRY, ids=NAMES)
def test_the_example_is_valid_to_the_library_and_to_the_producer(contract: Contract):
    event = example(contract)
    validator(contract.event_type, contract.version).validate(event)
    assert validate(event, REGISTRY) == []
    assert set(event) == set(contract.root.fields), "the example leaves a field out"
    assert event == example(contract), "the example is not the same each time"


def test_an_example_that_the_contract_refuses_is_told():
    document = contract_document(size={"type": "integer", "maximum": 10, "examples": [11]})
    with pytest.raises(ContractError, match=r"ThingSeen 1.0 at \$.size"):
        example(Contract("ThingSeen", "1.0", document))


@pytest.mark.parametrize("contract", REGISTRY, ids=NAMES)
def test_every_field_is_described_bounded_and_shown(contract: Contract):
    for node in contract.root.walk():
        said = node.schema
        assert said.get("description"), f"{node.path} has no description"
        if node.kind in {"integer", "number"}:
            assert {"minimum", "maximum"} <= said.keys(), f"{node.path} has no bounds"
            assert "examples" in said, f"{node.path} has no example"
        if node.kind == "string":
            bounded = said.keys() & {"enum", "const", "maxLength", "format"}
            assert bounded, f"{node.path} has no bound"
            assert said.keys() & {"enum", "const", "examples"}, f"{node.path} has no example"


STARTED = example(REGISTRY.newest("VideoPlaybackStarted"))


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


@pytest.mark.parametrize(
    ("event", "path", "rule"),
    [
        (without(STARTED, "userId"), "$", "required"),
        ({**STARTED, "timestamp": "2024-02-30T10:00:00Z"}, "$.timestamp", "format"),
        ({**STARTED, "timestamp": "2024-01-15T24:00:00Z"}, "$.timestamp", "format"),
        ({**STARTED, "timestamp": "2024-01-15T10:30:00+02:00"}, "$.timestamp", "pattern"),
        ({**STARTED, "timestamp": 1705314600}, "$.timestamp", "type"),
        ({**STARTED, "userID": "u"}, "$.userID", "spelling"),
        ({**STARTED, "extra": math.nan}, "$.extra", "json"),
        ({**STARTED, "extra": ["\ud800"]}, "$.extra[0]", "json"),
        ({**STARTED, "version": "9.9"}, "$.version", "version"),
        ({**STARTED, "eventType": "Nothing"}, "$.eventType", "eventType"),
        ([STARTED], "$", "type"),
    ],
)
def test_a_producer_is_told_path_and_rule(event: Any, path: str, rule: str):
    assert [(v.path, v.rule) for v in validate(event, REGISTRY)] == [(path, rule)]


@pytest.mark.parametrize("levels", [999, 1000, 100_000])
def test_an_event_is_nested_as_deeply_as_refine_reads_it(levels: int):
    nested: list[Any] = []
    for _ in range(levels - 2):
        nested = [nested]
    found = validate({**STARTED, "extra": nested}, REGISTRY)
    assert [v.rule for v in found] == ["json"] * (levels > 999)


HEADING = {"timestamp": "2024-01-15T10:30:00Z", "userId": "34"}
OF_AN_EXPORT = [  # all that some clients and exports of viewing know
    {"eventType": "VideoPlaybackStarted", "contentInfo": {"titleId": "Am\u00e9lie (2001)"}},
    {
        "eventType": "VideoPlaybackStarted",
        "contentInfo": {"titleId": "\u4e03\u4eba\u306e\u4f8d", "episodeId": "Season 1: Episode 2"},
        "deviceInfo": {"platform": "Device Type 7"},
        "playbackContext": {"autoPlay": True},
        "metadata": {},
    },
    {"eventType": "VideoPlaybackPaused", "contentInfo": {"titleId": "Heat"}},
    {
        "eventType": "VideoPlaybackSeeked",
        "contentInfo": {"titleId": "Heat"},
        "seek": {"from": 0, "to": 9},
    },
    {
        "eventType": "VideoPlaybackCompleted",
        "contentInfo": {"titleId": "Heat"},
        "watchDuration": 61,
    },
    {"eventType": "UserRatingSubmitted", "contentInfo": {"titleId": "The Wire"}, "rating": 3.5},
    {"eventType": "ContentRated", "contentId": "The Wire", "data": {"rating": 3.5}},
    {"eventType": "ContentViewed", "contentId": "The Wire", "data": {"watchDuration": 61}},
    {"eventType": "UserEngagement", "engagement": {"kind": "click", "titleId": "The Wire"}},
    {"eventType": "ContentMetadataUpdated", "titleId": "The Wire", "name": "The Wire"},
    {"eventType": "ContentMetadataRemoved", "titleId": "The Wire"},
]


@pytest.mark.parametrize("event", OF_AN_EXPORT, ids=lambda event: str(event["eventType"]))
def test_what_nobody_knows_need_not_be_invented(event: dict[str, Any]):
    newest = REGISTRY.newest(event["eventType"])
    assert validate({**HEADING, **event, "version": newest.version}, REGISTRY) == []
    before = REGISTRY.versions(event["eventType"])[-2]
    assert validate({**HEADING, **event, "version": before.version}, REGISTRY) != []


@pytest.mark.parametrize("title", ["", "two\nlines", "a\tb", "\x7f", "x" * 257])
def test_a_title_id_is_text_of_one_line(title: str):
    event = {**STARTED, "contentInfo": {"titleId": title}}
    assert {v.path for v in validate(event, REGISTRY)} == {"$.contentInfo.titleId"}


def test_unknown_fields_are_no_fault_of_an_open_contract():
    assert validate({**STARTED, "colour": "red"}, REGISTRY) == []


@pytest.mark.parametrize(
    "text", ["2024-01-15", "2024-01-15T10:30:00", "10:30:00Z", "2024-1-5T1:0:0Z"]
)
def test_a_date_time_has_all_its_parts(text: str):
    assert not FORMAT_CHECKER.conforms(text, "date-time")


def test_validate_names_each_bad_line(tmp_path: Path):
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([json.dumps(STARTED), json.dumps(without(STARTED, "userId")), "{"]))
    result = run("validate", file)
    assert result.exit_code == 1
    assert f"{file}:2: $ required: 'userId' is a required property" in result.output
    assert f"{file}:3: $ json: " in result.output
    assert f"{file}:1:" not in result.output


def test_the_catalogue_shows_every_contract_and_loads_nothing(tmp_path: Path):
    out = tmp_path / "contracts.html"
    assert run("docs", "--out", out).exit_code == 0
    page = out.read_text()
    for contract in REGISTRY:
        assert f'<section id="{contract.event_type}">' in page
        assert f"Version {contract.version}" in page
    assert "durationMs" in page, "an old version's field is missing"
    assert "deviceInfo.capabilities was added" in page, "changes between versions are missing"
    for loader in ("src=", "<link", "@import", "url(", "http://", "https://"):
        assert loader not in page, f"the page is not self-contained: {loader}"


def test_show_and_example_find_a_version():
    assert "durationMs" in run("show", "VideoPlaybackStarted/1.0").output
    shown = json.loads(run("example", "VideoPlaybackStarted/2.0").output)
    assert shown["version"] == "2.0"
    assert "VideoPlaybackStarted" in run("show", "Nothing").output, "what there is is not named"
    assert "2.1" in run("show", "VideoPlaybackStarted/7.0").output, "what there is is not named"


def test_the_lock_names_every_file():
    lock = json.loads((SCHEMAS / "lock.json").read_text())
    assert set(lock) == {f"{c.event_type}/{c.version}" for c in REGISTRY}
