"""The judgement of a record: a valid event in its newest shape, or a reason, a path and a rule.

Two lanes give one meaning. The strict lane parses a text as exactly one JSON document and holds
each value against the contract. The fast lane takes the texts of which `canonical` proves that
the strict lane would accept them; it costs a fraction, and nearly all events go that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from transforms.events import canonical, strict
from transforms.events.contract import Contract
from transforms.events.reasons import Reason
from transforms.events.registry import Registry
from transforms.events.spark_schema import struct_type
from transforms.events.upcasters import upcast

CARRIED = ("topic", "partition", "offset", "key", "value", "kafka_timestamp", "ingest_time")
MAX_VALUE_BYTES = 2**20
BLANK = r"^[ \t\r\n]*\z"
NO_BYTES = b""
SURROGATE = r"\\u[dD][89a-fA-F]"
# from_json takes a repeated key; told these, it takes nothing else that strict JSON refuses
STRICT_BUT_FOR_KEYS = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}


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
          hexadecimal SHA-256 of the value's bytes (of no bytes for a null value);
        - event_type, contract_version string: as the document says, null where it cannot be
          read;
        - event_time timestamp, UTC, cut to the microsecond: null when rejected;
        - family string: the contract's x-family, null when rejected;
        - reason, path, rule string: why it is rejected (`Reason`), null when accepted;
        - one struct for each event type, named as the type: the event's body (all but the
          envelope) in the shape of the newest contract; null unless the row is a valid event
          of that type. Fields that are absent are null. Strings, dates and date-times stay as
          given.
    """
    contracts = list(registry)
    read = _with_fast_lane(bronze, contracts)
    read = _with_documents(read)
    read = _with_names(read, contracts)
    read = _with_faults(read, contracts)
    read = _with_events(read, contracts, bounds)
    return read.select(*CARRIED, *_verdict(contracts), *_bodies(registry, contracts))


def _with_fast_lane(bronze: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add digest, lane (a contract's index where the fast lane is sure) and its event."""
    text = sf.col("value").cast("string")
    lane = sf.when(sf.octet_length("value") > MAX_VALUE_BYTES, sf.lit(None).cast("int"))
    for index, contract in enumerate(contracts):
        for gap in canonical.GAPS:
            lane = lane.when(_is_canonical(text, contract, gap), index)
    matched = bronze.select(*CARRIED, _digest().alias("digest"), lane.alias("lane"))
    parsed = matched.select(
        "*",
        *(
            sf.when(sf.col("lane") == index, sf.from_json(text, struct_type(contract.root))).alias(
                _event(index)
            )
            for index, contract in enumerate(contracts)
        ),
    )
    sure = _of_contract(
        "lane", [canonical.within(c.root, sf.col(_event(i))) for i, c in enumerate(contracts)]
    )
    return parsed.withColumn("lane", sf.when(sure, sf.col("lane")))


def _digest() -> Column:
    return sf.sha2(sf.coalesce("value", sf.lit(NO_BYTES)), 256)


def _is_canonical(text: Column, contract: Contract, gap: str) -> Column:
    return (
        sf.col("topic").isin(*contract.topics)
        & text.startswith(canonical.opening(contract, gap))
        & text.rlike(canonical.canonical(contract, gap))
    )


def _with_documents(read: DataFrame) -> DataFrame:
    """Add document, parsed strictly, where the fast lane was not sure."""
    text = sf.col("value").cast("string")
    readable = (sf.octet_length("value") <= MAX_VALUE_BYTES) & sf.is_valid_utf8(text)
    pair = sf.when(sf.col("lane").isNull() & readable, strict.paired(text, sf.col("digest")))
    return read.withColumn("document", pair).withColumn(
        "document", strict.document(sf.col("document"), sf.col("digest"))
    )


def _with_names(read: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add event_type, contract_version and contract, the index of the contract they name."""
    document, lane = sf.col("document"), sf.col("lane")
    names = sf.create_map(
        *(sf.lit(part) for index, c in enumerate(contracts) for part in (c.name, index))
    )
    named = read.withColumns(
        {
            "event_type": sf.coalesce(
                sf.get(_literals(c.event_type for c in contracts), lane),
                strict.string_at(document, "$.eventType"),
            ),
            "contract_version": sf.coalesce(
                sf.get(_literals(c.version for c in contracts), lane),
                strict.string_at(document, "$.version"),
            ),
        }
    )
    name = sf.concat_ws(" ", "event_type", "contract_version")
    return named.withColumn("contract", sf.coalesce(lane, sf.element_at(names, name)))


def _with_faults(read: DataFrame, contracts: Sequence[Contract]) -> DataFrame:
    """Add fault: why the text is not a valid event of its topic."""
    name = sf.get(_literals(c.name for c in contracts), sf.col("contract"))
    fault = sf.coalesce(
        _reading_fault(contracts), strict.first_fault(sf.col("document"), name, contracts)
    )
    return read.withColumn("fault", sf.when(sf.col("lane").isNull(), fault))


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
        .when(
            ~sf.coalesce(known, sf.lit(False)),
            _said(Reason.UNKNOWN_EVENT_TYPE, "$.eventType"),
        )
        .when(sf.col("contract").isNull(), _said(Reason.UNKNOWN_VERSION, "$.version"))
        .when(~sf.array_contains(topics, sf.col("topic")), _said(Reason.WRONG_TOPIC))
    )


def _unparsed(text: Column) -> Column:
    """Why a text is not one strict JSON document."""
    members = sf.from_json(text, "map<string, string>", STRICT_BUT_FOR_KEYS)
    return (
        sf.when(sf.try_parse_json(text).isNotNull(), _said(Reason.TRAILING_CONTENT))
        .when(members.isNotNull() & ~text.rlike(SURROGATE), _said(Reason.DUPLICATE_KEY))
        .otherwise(_said(Reason.MALFORMED_JSON))
    )


def _with_events(read: DataFrame, contracts: Sequence[Contract], bounds: TimeBounds) -> DataFrame:
    """Read the strict lane's events, add event_time and own_id, and complete fault."""
    lane, contract, fault = sf.col("lane"), sf.col("contract"), sf.col("fault")
    events = read.withColumns(
        {
            _event(index): sf.when(lane == index, sf.col(_event(index))).when(
                fault.isNull() & (contract == index),
                sf.try_variant_get("document", "$", struct_type(c.root).simpleString()),
            )
            for index, c in enumerate(contracts)
        }
    )
    at = [sf.col(_event(index)) for index in range(len(contracts))]
    timed = events.withColumns(
        {
            "event_time": _of_contract("contract", [e["timestamp"] for e in at]).try_cast(
                "timestamp"
            ),
            "own_id": _of_contract(
                "contract", [_own_id(e, c) for e, c in zip(at, contracts, strict=True)]
            ),
            "own_key": _of_contract(
                "contract", [e[c.key] for e, c in zip(at, contracts, strict=True)]
            ),
        }
    )
    late = sf.coalesce(fault, _key_fault(contracts), _time_fault(bounds))
    return timed.withColumn("fault", late)


def _own_id(event: Column, contract: Contract) -> Column:
    return event["eventId"] if "eventId" in contract.root.fields else sf.lit(None).cast("string")


def _key_fault(contracts: Sequence[Contract]) -> Column:
    path = sf.get(_literals(f"$.{c.key}" for c in contracts), sf.col("contract"))
    key = sf.col("key").cast("string")
    return sf.when(~key.eqNullSafe(sf.col("own_key")), _said(Reason.WRONG_KEY, path, "x-key"))


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
        sf.coalesce(sf.when(accepted, sf.col("own_id")), sf.col("digest")).alias("event_id"),
        sf.col("event_type"),
        sf.col("contract_version"),
        sf.when(accepted, sf.col("event_time")).alias("event_time"),
        sf.when(accepted, family).alias("family"),
        fault["reason"].alias("reason"),
        fault["path"].alias("path"),
        fault["rule"].alias("rule"),
    ]


def _bodies(registry: Registry, contracts: Sequence[Contract]) -> list[Column]:
    accepted = sf.col("fault").isNull()
    bodies = []
    for event_type in registry.event_types:
        versions = registry.versions(event_type)
        shapes = [
            sf.when(
                accepted & (sf.col("contract") == contracts.index(version)),
                upcast(_body(sf.col(_event(contracts.index(version))), version), versions[at:]),
            )
            for at, version in enumerate(versions)
        ]
        bodies.append(sf.coalesce(*shapes).alias(event_type))
    return bodies


def _body(event: Column, contract: Contract) -> Column:
    return sf.struct(*(event[name].alias(name) for name in contract.body.fields))


def _of_contract(selector: str, values: Sequence[Column]) -> Column:
    """The value of the contract whose index the selector column holds."""
    cases = (sf.when(sf.col(selector) == index, value) for index, value in enumerate(values))
    return sf.coalesce(*cases)


def _event(index: int) -> str:
    return f"event_{index}"


def _literals(values: Iterable[str]) -> Column:
    return sf.lit(list(values))


def _said(reason: Reason, path: str | Column | None = None, rule: str | None = None) -> Column:
    return sf.struct(
        sf.lit(str(reason)).alias("reason"),
        (path if isinstance(path, Column) else sf.lit(path).cast("string")).alias("path"),
        sf.lit(rule).cast("string").alias("rule"),
    )
