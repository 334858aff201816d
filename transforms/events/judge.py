"""The judgement of a record: a valid event, or the reason, path and rule of its rejection.

Two lanes give one meaning. The strict lane parses a text as exactly one JSON document and holds
each value against the contract. The fast lane takes the texts of which `fast_lane` proves that
the strict lane would accept them; it costs a fraction, and nearly all events go that way.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms import provenance
from transforms.contracts.contract import Contract, Schema
from transforms.contracts.registry import Registry
from transforms.events import fast_lane, fast_lane_values, strict_lane
from transforms.events.reasons import Reason

CARRIED = ("topic", "partition", "offset", "key", "value", "kafka_timestamp", "ingest_time")
# what every step carries: Spark copies the bytes of a binary column each time they are looked at
READ = tuple("text" if name == "value" else name for name in CARRIED)
MAX_VALUE_BYTES = 2**20
NAMING = 4  # so many quotes from its start a canonical text has named its event type
BLANK = r"^[ \t\r\n]*\z"
NO_BYTES = b""
MICROS_PER_S = 1_000_000
SECONDS_PER_DAY = 86_400
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
        One row for each row of bronze: topic, partition, offset, key, kafka_timestamp,
        ingest_time as they are, and

        - value binary: as it is, but null where `cells` holds all that it says;
        - cells string: what the fast lane read of an event that is accepted, for `bodies`; null
          for all others, so that a rejected record always keeps its value;
        - event_id string: the eventId of a valid event that has one, else the lower-case
          hexadecimal SHA-256 of the value's bytes (of no bytes for a null value); the digest of a
          rejected record follows `rejected/`, which no eventId can hold;
        - event_type, contract_version string: as the document says, null where it cannot be
          read;
        - event_time timestamp, UTC, cut to the microsecond: null when rejected;
        - family string: the contract's x-family, null when rejected;
        - reason, path, rule string: why it is rejected (`Reason`), null when accepted;
        - judged_by string: a digest of the contracts of the event's type and of the bounds, a dot,
          and a digest of the judge's code; where no contract is named, that of all contracts.
    """
    return reduce(lambda rows, step: rows.select(*step), _steps(registry, bounds), bronze)


@lru_cache(maxsize=8)
def _steps(registry: Registry, bounds: TimeBounds) -> tuple[list[Column], ...]:
    """The columns that `judge` selects, step by step; they cost seconds to make, so made once."""
    contracts = list(registry)
    value, signed = F.col("value").cast("string"), _signature(registry, bounds)
    return (
        [
            *(value.alias("text") if name == "text" else F.col(name) for name in READ),
            F.substring_index(value, '"', NAMING).alias("start"),
        ],
        _replace_canonical(contracts),
        _take_apart(),
        _readings(),
        _names(contracts),
        _fault(contracts, bounds),
        [*_verdict(contracts), signed.alias("judged_by")],
    )


def _carried_columns(*also: str) -> list[Column]:
    return [F.col(name) for name in (*READ, *also)]


def _replace_canonical(contracts: Sequence[Contract]) -> list[Column]:
    """Add replaced: a canonical text by its cells; others stay, and begin with a brace, or null."""
    text, alike = F.col("text"), defaultdict[str, list[tuple[str, int, Contract]]](list)
    for (lane, contract), gap in product(enumerate(contracts), fast_lane.GAPS):
        alike[_start(fast_lane.opening(contract, gap))].append((gap, lane, contract))
    replaced = F.when(F.octet_length(text) > MAX_VALUE_BYTES, F.lit(None).cast("string"))
    for start, candidates in alike.items():
        versions = F.coalesce(*(_replacement_of(*candidate) for candidate in candidates))
        replaced = replaced.when(F.col("start") == start, versions)
    return [*_carried_columns(), replaced.alias("replaced")]


def _replacement_of(gap: str, lane: int, contract: Contract) -> Column:
    """The text by its cells, or as it is; null where it does not begin as the contract's do."""
    text, pattern = F.col("text"), fast_lane.canonical_pattern(contract, gap)
    return F.when(
        text.startswith(fast_lane.opening(contract, gap)) & F.col("topic").isin(*contract.topics),
        F.regexp_replace(text, F.lit(pattern), F.lit(fast_lane_values.replacement(contract, lane))),
    )


def _start(opening: str) -> str:
    """How far a text is the same for all versions of an event type, as Spark's substring_index."""
    return '"'.join(opening.split('"')[:NAMING])


def _take_apart() -> list[Column]:
    """Add the cells of a canonical text, and head, the first of them."""
    replaced = F.col("replaced")
    held = F.when(~replaced.startswith("{"), replaced)
    return [*_carried_columns(), held.alias("cells"), fast_lane_values.head(held).alias("head")]


def _readings() -> list[Column]:
    """Add what each lane reads.

    The columns: of a canonical text its cells, lane, the index of its contract, own_time, own_id
    and own_key; of any other text digest and pair.
    """
    text, held, head = F.col("text"), F.col("cells"), F.col("head")
    readable = (F.octet_length(text) <= MAX_VALUE_BYTES) & F.is_valid_utf8(text)
    pair = F.when(held.isNull() & readable, strict_lane.wrap_twice(text, _digest()))
    return [
        *_carried_columns("cells"),
        F.when(held.isNull(), _digest()).alias("digest"),
        fast_lane_values.envelope(head, "lane").cast("int").alias("lane"),
        fast_lane_values.envelope(head, "timestamp").alias("own_time"),
        F.nullif(fast_lane_values.envelope(head, "eventId"), F.lit("")).alias("own_id"),
        fast_lane_values.envelope(head, "key").alias("own_key"),
        pair.alias("pair"),
    ]


def _digest() -> Column:
    return F.sha2(F.coalesce(F.col("text").cast("binary"), F.lit(NO_BYTES)), 256)


def _names(contracts: Sequence[Contract]) -> list[Column]:
    """Add what either lane read of the envelope.

    The columns: document (strict lane), event_type and contract_version, contract (the index of
    the contract they name, if any), event_time, own_id (the eventId) and own_key (fast lane).
    """
    lane, document = F.col("lane"), strict_lane.document(F.col("pair"), F.col("digest"))
    said_type = strict_lane.string_at(document, "$.eventType")
    said_version = strict_lane.string_at(document, "$.version")
    indexes = F.create_map(
        *(F.lit(part) for index, c in enumerate(contracts) for part in (c.name, index))
    )
    time = F.coalesce("own_time", strict_lane.string_at(document, "$.timestamp"))
    named = F.element_at(indexes, F.concat_ws(" ", said_type, said_version))
    types = _literals(c.event_type for c in contracts)
    versions = _literals(c.version for c in contracts)
    return [
        *_carried_columns("digest", "cells", "lane", "own_key"),
        document.alias("document"),
        F.coalesce(F.get(types, lane), said_type).alias("event_type"),
        F.coalesce(F.get(versions, lane), said_version).alias("contract_version"),
        F.coalesce(lane, named).alias("contract"),
        time.try_cast("timestamp").alias("event_time"),
        F.coalesce("own_id", strict_lane.string_at(document, "$.eventId")).alias("own_id"),
    ]


def _fault(contracts: Sequence[Contract], bounds: TimeBounds) -> list[Column]:
    """Add fault, null for a valid event."""
    is_strict = F.col("lane").isNull()
    name = F.get(_literals(c.name for c in contracts), F.col("contract"))
    fault = F.coalesce(
        F.when(is_strict, _reading_fault(contracts)),
        F.when(is_strict, strict_lane.first_fault(F.col("document"), name, contracts)),
        _key_fault(contracts),
        _time_fault(bounds),
    )
    named = ("event_type", "contract_version", "contract", "event_time", "own_id")
    return [*_carried_columns("digest", "cells", *named), fault.alias("fault")]


def _reading_fault(contracts: Sequence[Contract]) -> Column:
    text, document = F.col("text"), F.col("document")
    known = F.col("event_type").isin(*{c.event_type for c in contracts})
    topics = F.get(F.lit([list(c.topics) for c in contracts]), F.col("contract"))
    return (
        F.when(text.isNull() | text.rlike(BLANK), _fault_struct(Reason.EMPTY_VALUE))
        .when(F.octet_length(text) > MAX_VALUE_BYTES, _fault_struct(Reason.OVERSIZE_VALUE))
        .when(~F.is_valid_utf8(text), _fault_struct(Reason.INVALID_UTF8))
        .when(document.isNull(), _parse_fault(text))
        .when(~strict_lane.is_object(document), _fault_struct(Reason.NOT_AN_OBJECT, "$"))
        .when(
            ~F.coalesce(known, F.lit(False)),
            _fault_struct(Reason.UNKNOWN_EVENT_TYPE, "$.eventType"),
        )
        .when(F.col("contract").isNull(), _fault_struct(Reason.UNKNOWN_VERSION, "$.version"))
        .when(~F.array_contains(topics, F.col("topic")), _fault_struct(Reason.WRONG_TOPIC))
    )


def _parse_fault(text: Column) -> Column:
    """Why a text is not one strict JSON document: which rule it breaks."""
    lenient = F.json_object_keys(text).isNotNull() & ~text.rlike(SURROGATE)
    rule = (
        F.when(F.try_parse_json(text).isNotNull(), "single_document")
        .when(lenient, "unique_keys")
        .otherwise("syntax")
    )
    return _fault_struct(Reason.MALFORMED_JSON, rule=rule)


def _key_fault(contracts: Sequence[Contract]) -> Column:
    path = F.get(_literals(f"$.{c.key}" for c in contracts), F.col("contract"))
    own = F.coalesce("own_key", F.try_variant_get("document", path, "string"))
    key = F.col("key").cast("string")
    return F.when(~key.eqNullSafe(own), _fault_struct(Reason.WRONG_KEY, path, "x-key"))


def _time_fault(bounds: TimeBounds) -> Column:
    arrival, time = F.unix_micros("kafka_timestamp"), F.unix_micros("event_time")
    ahead = arrival + bounds.future_tolerance_s * MICROS_PER_S
    behind = arrival - bounds.oldest_event_days * SECONDS_PER_DAY * MICROS_PER_S
    return F.when(time > ahead, _fault_struct(Reason.FUTURE_TIME, "$.timestamp")).when(
        time < behind, _fault_struct(Reason.OLD_TIME, "$.timestamp")
    )


def _verdict(contracts: Sequence[Contract]) -> list[Column]:
    fault, held, text = F.col("fault"), F.col("cells"), F.col("text").cast("binary")
    accepted = fault.isNull()
    value = F.when(~accepted | held.isNull(), text)
    family = F.get(_literals(c.family for c in contracts), F.col("contract"))
    return [
        *(value.alias("value") if name == "text" else F.col(name) for name in READ),
        F.when(accepted, held).alias("cells"),
        _identity(accepted).alias("event_id"),
        F.col("event_type"),
        F.col("contract_version"),
        F.when(accepted, F.col("event_time")).alias("event_time"),
        F.when(accepted, family).alias("family"),
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
    named = F.get(_literals(by_contract), F.col("contract"))
    return F.coalesce(named, F.lit(definition(registry, bounds)))


def _code() -> str:
    return provenance.code(sys.modules[__name__])


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
    digest = F.coalesce("digest", _digest())
    return F.when(accepted, F.coalesce("own_id", digest)).otherwise(
        F.concat(F.lit(REJECTED), digest)
    )


def _literals(values: Iterable[str]) -> Column:
    return F.lit(list(values))


def _fault_struct(
    reason: Reason, path: str | Column | None = None, rule: str | Column | None = None
) -> Column:
    detail = {"path": path, "rule": rule}
    return F.struct(
        F.lit(str(reason)).alias("reason"),
        *(F.lit(value).cast("string").alias(name) for name, value in detail.items()),
    )
