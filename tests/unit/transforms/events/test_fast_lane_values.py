"""Cells: what they hold of a canonical text is what a JSON parser reads in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.contracts.registry import load_registry
from transforms.contracts.contract import Contract, Node
from transforms.contracts.example import example
from transforms.contracts.spark_schema import struct_type
from transforms.events import fast_lane_values
from transforms.events.fast_lane import GAPS, canonical_pattern

LABEL = {"type": "string", "pattern": "^(a|b(c|\\(d)*[(e]*)$"}
EVERY_KIND = Contract(
    "Everything",
    "1.0",
    {
        "x-topics": ["t"],
        "x-key": "userId",
        "x-family": "none",
        "type": "object",
        "required": ["eventType", "version", "timestamp", "userId", "empty"],
        "properties": {
            "eventType": {"const": "Everything"},
            "version": {"const": "1.0"},
            "timestamp": {"type": "string", "format": "date-time"},
            "userId": {"type": "string"},
            "empty": {"type": "string", "maxLength": 5},
            "maybe": {"type": "string", "maxLength": 5},
            "listed": {"enum": ["", "x"], "type": "string"},
            "label": LABEL,
            "whole": {"type": "integer", "minimum": 0},
            "ratio": {"type": "number", "minimum": 0, "maximum": 100},
            "flag": {"type": "boolean"},
            "object": {
                "type": "object",
                "properties": {
                    "inner": {"type": "string", "maxLength": 5},
                    "deep": {"type": "object", "properties": {"n": {"type": "integer"}}},
                },
            },
            "labels": {"type": "array", "items": LABEL},
            "numbers": {"type": "array", "items": {"type": "number"}},
            "objects": {
                "type": "array",
                "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
            },
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    },
)
FULL = {
    "eventType": "Everything",
    "version": "1.0",
    "timestamp": "2026-09-21T14:00:00Z",
    "userId": "ann",
    "empty": "",
    "maybe": "m",
    "listed": "x",
    "label": "bc(e",
    "whole": 9007199254740991,
    "ratio": 99.12345678901234567,
    "flag": False,
    "object": {"inner": "i", "deep": {"n": 0}},
    "labels": ["a", "b", "b(dc(e"],
    "numbers": [0, 1.5, 100],
    "objects": [{"n": 1}, {}],
    "map": {"k, '": 5},
}
TEXTS = {"$.maybe": ("", "$1,"), "$.listed": ("",), "$.object.inner": ("",)}  # of EVERY_KIND


@pytest.mark.parametrize(
    ("contract", "full"),
    [(EVERY_KIND, FULL), *((contract, example(contract)) for contract in load_registry())],
    ids=lambda value: value.name if isinstance(value, Contract) else "",
)
def test_cells_hold_what_a_parser_reads(
    spark: SparkSession, contract: Contract, full: dict[str, Any]
) -> None:
    events = [{**event, "timestamp": FULL["timestamp"]} for event in _variants(contract, full)]
    lane = 7
    for gap in GAPS:
        texts = [json.dumps(event, separators=(f",{gap}", f":{gap}")) for event in events]
        held = F.regexp_replace(
            "text",
            F.lit(canonical_pattern(contract, gap)),
            F.lit(fast_lane_values.replacement(contract, lane)),
        )
        rows = spark.createDataFrame(
            [(at, text) for at, text in enumerate(texts)], "at INT, text STRING"
        )
        read = (
            rows.select("at", held.alias("cells"))
            .select("at", "cells", F.split("cells", fast_lane_values.SEPARATOR).alias("lines"))
            .select(
                "at",
                *(
                    fast_lane_values.envelope(fast_lane_values.head(F.col("cells")), name).alias(
                        name
                    )
                    for name in fast_lane_values.ENVELOPE
                ),
                fast_lane_values.body(contract, F.col("lines")).alias("body"),
            )
        )
        shape = read.schema["body"].dataType.simpleString()
        assert shape == struct_type(contract.body).simpleString()
        told = {row["at"]: row for row in read.collect()}
        for at, event in enumerate(events):
            envelope = [told[at][name] for name in fast_lane_values.ENVELOPE]
            ids = [event["timestamp"], event.get("eventId", ""), event[contract.key]]
            assert envelope == [str(lane), *ids], texts[at]
            body = told[at]["body"].asDict(recursive=True)
            assert body == _whole(contract.body, event), texts[at]


def _variants(contract: Contract, full: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The full event; without optional members; with one missing, empty or of TEXTS."""
    yield _without_optional(contract.root, full)
    for node in contract.root.walk():
        names = node.path.split(".")[1:]
        if not names or "*" in node.path or not _has(full, names):
            continue
        kept = _edited(full, names, None)
        if not _is_required(contract.root, names):
            yield kept
        if node.kind == "array" and not node.schema.get("minItems"):
            yield _edited(full, names, [])
        yield from (_edited(full, names, text) for text in TEXTS.get(node.path, ()))
        if node.kind == "map" and not node.schema.get("minProperties"):
            yield _edited(full, names, {})
    yield dict(full)


def _has(event: Mapping[str, Any], names: list[str]) -> bool:
    found: Any = event
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found is not None


def _is_required(root: Node, names: list[str]) -> bool:
    node = root
    for name in names[:-1]:
        node = node.fields[name]
    return names[-1] in node.required


def _edited(event: Mapping[str, Any], names: list[str], value: Any) -> dict[str, Any]:
    copy = deepcopy(dict(event))
    below = copy
    for name in names[:-1]:
        below = below[name]
    if value is None:
        del below[names[-1]]
    else:
        below[names[-1]] = value
    return copy


def _without_optional(node: Node, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_optional(node.fields[name], below)
        if node.fields[name].kind == "object"
        else below
        for name, below in value.items()
        if name in node.required
    }


def _whole(node: Node, value: Any) -> Any:
    """A value with None for the members that are not there."""
    if value is None:
        return None
    if node.kind == "object":
        return {name: _whole(child, value.get(name)) for name, child in node.fields.items()}
    if node.kind == "array":
        assert node.items is not None
        return [_whole(node.items, item) for item in value]
    return value
