"""The judgement of a record: a valid event in its newest shape, or a reason, a path and a rule.

Two lanes give one meaning. The strict lane parses a text as exactly one JSON document and holds
each value against the contract. The fast lane takes the texts of which `canonical` proves that
the strict lane would accept them; it costs a fraction, and nearly all events go that way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from transforms import provenance
from transforms.events import canonical, spark_schema, strict, upcasters
from transforms.events import contract as contract_module
from transforms.events.contract import Contract, Schema
from transforms.events.reasons import Reason
from transforms.events.registry import Registry
from transforms.events.spark_schema import struct_type
from transforms.events.upcasters import upcast

CARRIED = ("topic", "partition", "offset", "key", "value", "kafka_timestamp", "ingest_time")
MAX_VALUE_BYTES = 2**20
BLANK = r"^[ \t\r\n]*\z"
NO_BYTES = b""
REJECTED = "rejected/"
SURROGATE = r"\\\\u[dD][89a-fA-F]"


@dataclass(frozen=True)
class TimeBounds:
    """How far an event time may lie from its arrival time.

    Attributes:
        future_tolerance_s: seconds after the arrival; more is a wrong clock.
        oldest_event_days: days of 24 hours before the arrival; more is too old.
    """

    future_tolerance_s: int
    oldest_event_days: int


def judge(bronze: DataFrame, registry: Registry, bounds: TimeBounds) -> DataFrame:
    """Judge every record of bronze by its contract.

    Args:
        bronze: rows of bronze.events, streaming or batch: topic, partition, offset, key (bytes),
            value (bytes), kafka_timestamp (the arrival time), ingest_time.
        registry: the contracts.
        bounds: how far the event time may lie from the arrival time.

    Returns:
        One row for each row of bronze: topic, partition, offset, key, value, kafka_timestamp,
        ingest_time as they are, and

        - event_id string: the eventId of a valid event that has one, else the lower-case
          hexadecimal SHA-256 of the value's bytes (of no bytes for a null value); the digest of a
          rejected record follows `rejected/`, which no eventId can hold;
        - event_type, contract_version string: as the document says, null where it cannot be
          read;
        - event_time timestamp, UTC, cut to the microsecond: null when rejected;
        - family string: the contract's x-family, null when rejected;
        - reason, path, rule string: why it is rejected (`Reason`), null when accepted;
        - judged_by string: a digest of the contracts of the event's type and of the bounds, a dot,
          and a digest of the judge's code; where no contract is named, that of all contracts;
        - one struct for each event type, named as the type: the event without eventType
          and version, in the shape of the newest contract; null unless the row is a valid
          event of that type. Fields that are absent are null. Strings, dates and date-times stay as
          given.
    """
    contracts = list(registry)
    read = _with_parses(_with_lane(bronze, contracts), contracts)
    judged = _with_fault(_with_names(read, contracts), contracts, bounds)
    signed = _signature(registry, bounds).alias("judged_by")
    return judged.select(*CARRIED, *_verdict(contracts), signed, *_bodies(registry, contracts))


def _with_lane(bronze: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add digest and lane: the index of the contract of a canonical text, null for others."""
    text = sf.col("value").cast("string")
    lane = sf.when(sf.octet_length("value") > MAX_VALUE_BYTES, sf.lit(None).cast("int"))
    for index, contract in enumerate(contracts):
        lane = lane.when(_is_canonical(text, contract), index)
    digest = sf.sha2(sf.coalesce("value", sf.lit(NO_BYTES)), 256)
    return bronze.select(*CARRIED, digest.alias("digest"), lane.alias("lane"))


def _is_canonical(text: Column, contract: Contract) -> Column:
    tight, spaced = canonical.openings(contract)
    return (
        sf.col("topic").isin(*contract.topics)
        & (text.startswith(tight) | text.startswith(spaced))
        & text.rlike(canonical.canonical(contract))
    )


def _with_parses(read: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add an event column for each contract, read from canonical texts, and pair from others."""
    text, lane = sf.col("value").cast("string"), sf.col("lane")
    readable = (sf.octet_length("value") <= MAX_VALUE_BYTES) & sf.is_valid_utf8(text)
    pair = sf.when(lane.isNull() & readable, strict.paired(text, sf.col("digest")))
    events = (
        sf.when(lane == index, sf.from_json(text, struct_type(c.body))).alias(_event(index))
        for index, c in enumerate(contracts)
    )
    return read.select("*", pair.alias("pair"), *events)


def _with_names(read: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add what either lane read of the envelope.

    The columns: document (strict lane), event_type and contract_version, contract (the index of
    the contract they name, if any), event_time and own_id (the eventId).
    """
    lane, document = sf.col("lane"), strict.document(sf.col("pair"), sf.col("digest"))
    said_type = strict.string_at(document, "$.eventType")
    said_version = strict.string_at(document, "$.version")
    indexes = sf.create_map(
        *(sf.lit(part) for index, c in enumerate(contracts) for part in (c.name, index))
    )
    named = sf.element_at(indexes, sf.concat_ws(" ", said_type, said_version))
    timestamp = _read(contracts, "timestamp", document)
    return read.select(
        *CARRIED,
        "digest",
        "lane",
        document.alias("document"),
        sf.coalesce(sf.get(_literals(c.event_type for c in contracts), lane), said_type).alias(
            "event_type"
        ),
        sf.coalesce(sf.get(_literals(c.version for c in contracts), lane), said_version).alias(
            "contract_version"
        ),
        sf.coalesce(lane, named).alias("contract"),
        timestamp.try_cast("timestamp").alias("event_time"),
        _read(contracts, "eventId", document).alias("own_id"),
        *(_event(index) for index in range(len(contracts))),
    )


def _read(contracts: Sequence[Contract], field: str, document: Column) -> Column:
    """A field of the envelope, from either lane."""
    events = [
        sf.col(_event(index))[field] if field in c.body.fields else sf.lit(None).cast("string")
        for index, c in enumerate(contracts)
    ]
    return sf.coalesce(_of_contract("lane", events), strict.string_at(document, f"$.{field}"))


def _with_fault(read: DataFrame, contracts: Sequence[Contract], bounds: TimeBounds) -> DataFrame:
    """Add fault, null for a valid event, and fill the event columns from the strict lane."""
    lane, contract, document = sf.col("lane"), sf.col("contract"), sf.col("document")
    name = sf.get(_literals(c.name for c in contracts), contract)
    fault = sf.coalesce(
        sf.when(lane.isNull(), _reading_fault(contracts)),
        sf.when(lane.isNull(), strict.first_fault(document, name, contracts)),
        _key_fault(contracts),
        _time_fault(bounds),
    )
    typed = {
        _event(index): sf.coalesce(
            sf.col(_event(index)),
            sf.when(
                contract == index,
                sf.try_variant_get(document, "$", struct_type(c.body).simpleString()),
            ),
        )
        for index, c in enumerate(contracts)
    }
    return read.withColumns({"fault": fault, **typed})


def _reading_fault(contracts: Sequence[Contract]) -> Column:
    text, document = sf.col("value").cast("string"), sf.col("document")
    known = sf.col("event_type").isin(*{c.event_type for c in contracts})
    topics = sf.get(sf.lit([list(c.topics) for c in contracts]), sf.col("contract"))
    return (
        sf.when(text.isNull() | text.rlike(BLANK), _said(Reason.EMPTY_VALUE))
        .when(sf.octet_length("value") > MAX_VALUE_BYTES, _said(Reason.OVERSIZE_VALUE))
        .when(~sf.is_valid_utf8(text), _said(Reason.INVALID_UTF8))
        .when(document.isNull(), _unparsed(text))
        .when(~strict.is_object(document), _said(Reason.NOT_AN_OBJECT, "$"))
        .when(~sf.coalesce(known, sf.lit(False)), _said(Reason.UNKNOWN_EVENT_TYPE, "$.eventType"))
        .when(sf.col("contract").isNull(), _said(Reason.UNKNOWN_VERSION, "$.version"))
        .when(~sf.array_contains(topics, sf.col("topic")), _said(Reason.WRONG_TOPIC))
    )


def _unparsed(text: Column) -> Column:
    """Why a text is not one strict JSON document: which rule it breaks."""
    lenient = sf.json_object_keys(text).isNotNull() & ~text.rlike(SURROGATE)
    rule = (
        sf.when(sf.try_parse_json(text).isNotNull(), "single_document")
        .when(lenient, "unique_keys")
        .otherwise("syntax")
    )
    return _said(Reason.MALFORMED_JSON, rule=rule)


def _key_fault(contracts: Sequence[Contract]) -> Column:
    fast = _of_contract("lane", [sf.col(_event(i))[c.key] for i, c in enumerate(contracts)])
    path = sf.get(_literals(f"$.{c.key}" for c in contracts), sf.col("contract"))
    own = sf.coalesce(fast, sf.try_variant_get("document", path, "string"))
    key = sf.col("key").cast("string")
    return sf.when(~key.eqNullSafe(own), _said(Reason.WRONG_KEY, path, "x-key"))


def _time_fault(bounds: TimeBounds) -> Column:
    arrival, time = sf.col("kafka_timestamp"), sf.col("event_time")
    ahead = arrival + sf.make_dt_interval(secs=sf.lit(bounds.future_tolerance_s))
    behind = arrival - sf.make_dt_interval(days=sf.lit(bounds.oldest_event_days))
    return sf.when(time > ahead, _said(Reason.FUTURE_TIME, "$.timestamp")).when(
        time < behind, _said(Reason.OLD_TIME, "$.timestamp")
    )


def _verdict(contracts: Sequence[Contract]) -> list[Column]:
    fault = sf.col("fault")
    accepted = fault.isNull()
    family = sf.get(_literals(c.family for c in contracts), sf.col("contract"))
    return [
        _identity(accepted).alias("event_id"),
        sf.col("event_type"),
        sf.col("contract_version"),
        sf.when(accepted, sf.col("event_time")).alias("event_time"),
        sf.when(accepted, family).alias("family"),
        fault["reason"].alias("reason"),
        fault["path"].alias("path"),
        fault["rule"].alias("rule"),
    ]


def definition(registry: Registry, bounds: TimeBounds) -> str:
    """A digest of everything that decides the judgement of a record."""
    return f"{provenance.digest(*_rules(registry, bounds).values())}.{_code()}"


def _signature(registry: Registry, bounds: TimeBounds) -> Column:
    """By which contracts, bounds and code a record is judged."""
    rules, code = _rules(registry, bounds), _code()
    by_contract = (f"{rules[c.event_type]}.{code}" for c in registry)
    named = sf.get(_literals(by_contract), sf.col("contract"))
    return sf.coalesce(named, sf.lit(definition(registry, bounds)))


def _code() -> str:
    return provenance.code(
        sys.modules[__name__], canonical, contract_module, spark_schema, strict, upcasters
    )


def _rules(registry: Registry, bounds: TimeBounds) -> dict[str, str]:
    """A digest of the contracts of each event type and of the bounds."""
    return {
        event_type: provenance.digest(
            repr(bounds), *(_canonical_json(c.schema) for c in registry.versions(event_type))
        )
        for event_type in registry.event_types
    }


def _canonical_json(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


def _identity(accepted: Column) -> Column:
    digest = sf.col("digest")
    return sf.when(accepted, sf.coalesce("own_id", digest)).otherwise(
        sf.concat(sf.lit(REJECTED), digest)
    )


def _bodies(registry: Registry, contracts: Sequence[Contract]) -> list[Column]:
    accepted = sf.col("fault").isNull()
    bodies = []
    for event_type in registry.event_types:
        versions = registry.versions(event_type)
        shapes = [
            sf.when(
                accepted & (sf.col("contract") == contracts.index(version)),
                upcast(sf.col(_event(contracts.index(version))), versions[at:]),
            )
            for at, version in enumerate(versions)
        ]
        bodies.append(sf.coalesce(*shapes).alias(event_type))
    return bodies


def _of_contract(selector: str, values: Sequence[Column]) -> Column:
    """The value of the contract whose index the selector column holds."""
    cases = (sf.when(sf.col(selector) == index, value) for index, value in enumerate(values))
    return sf.coalesce(*cases)


def _event(index: int) -> str:
    return f"event_{index}"


def _literals(values: Iterable[str]) -> Column:
    return sf.lit(list(values))


def _said(
    reason: Reason, path: str | Column | None = None, rule: str | Column | None = None
) -> Column:
    detail = {"path": path, "rule": rule}
    return sf.struct(
        sf.lit(str(reason)).alias("reason"),
        *(sf.lit(value).cast("string").alias(name) for name, value in detail.items()),
    )
