"""The judgement of a record: a valid event, or the reason, path and rule of its rejection.

Two lanes have one meaning. The strict lane parses a text as exactly one JSON document and checks
each value against the contract. The fast lane takes the texts that `fast_lane` proves the strict
lane would accept; it costs a fraction.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce
from itertools import product
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms import provenance
from transforms.contracts.contract import Contract, Schema
from transforms.contracts.formats import EARLIEST, LATEST
from transforms.contracts.registry import Registry
from transforms.events import fast_lane, fast_lane_values, strict_lane, variant_lane
from transforms.events.reading import fault_struct, reading
from transforms.events.reasons import Reason

CARRIED = ("topic", "partition", "offset", "key", "value", "kafka_timestamp", "ingest_time")
# columns of every step, the value as text: Spark copies a binary column at each access
READ = tuple("text" if name == "value" else name for name in CARRIED)
MAX_VALUE_BYTES = 2**20
NAMING = 4  # quotes in a canonical text up to the end of its event type
BLANK = r"^[ \t\r\n]*\z"
NO_BYTES = b""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_PER_S = 1_000_000
SECONDS_PER_DAY = 86_400
REJECTED = "rejected/"
StrictLane = Literal["python", "spark"]
LANES = {"python": strict_lane.steps, "spark": variant_lane.steps}


@dataclass(frozen=True)
class TimeBounds:
    """Limits on the distance between event time and arrival time.

    Attributes:
        future_tolerance_s: seconds that an event time may lie after the arrival; beyond it the
            clock is wrong.
        oldest_event_days: days of 24 hours that it may lie before the arrival; beyond it the event
            is too old.
    """

    future_tolerance_s: int
    oldest_event_days: int


def judge(
    bronze: DataFrame,
    registry: Registry,
    bounds: TimeBounds,
    strict_lane: StrictLane = "python",
) -> DataFrame:
    """Judge every record of bronze by its contract.

    Args:
        bronze: rows of bronze.events, streaming or batch: topic, partition, offset, key (bytes),
            value (bytes), kafka_timestamp (the arrival time), ingest_time.
        registry: all contracts.
        bounds: limits on the distance between event time and arrival time.
        strict_lane: what reads the texts that the fast lane leaves: a Python worker, or Spark's
            own functions, which say the same, many times slower, where no worker may run.

    Returns:
        One row for each row of bronze: topic, partition, offset, key, kafka_timestamp,
        ingest_time as they are, and

        - value binary: unchanged if rejected; null if accepted, as `content` holds all of it;
        - content string: an accepted event, for `bodies`: the cells of the fast lane, or JSON in
          the contract's order; null when rejected;
        - event_id string: the eventId of a valid event that has one, else the lower-case
          hexadecimal SHA-256 of the value's bytes (of no bytes for a null value); the digest of a
          rejected record follows `rejected/`, which no eventId can hold;
        - event_type, contract_version string: as in the document, null where it cannot be read;
        - event_time timestamp, UTC, cut to the microsecond: null when rejected;
        - family string: the contract's x-family, null when rejected;
        - reason, path, rule string: why it is rejected (`Reason`), null when accepted;
        - judged_by string: a digest of the contracts of the event's type and of the bounds, a dot,
          and a digest of the judge's code; where no contract is named, that of all contracts.
    """
    return reduce(
        lambda rows, step: rows.select(*step), _steps(registry, bounds, strict_lane), bronze
    )


@lru_cache(maxsize=8)
def _steps(
    registry: Registry, bounds: TimeBounds, strict_lane: StrictLane
) -> tuple[list[Column], ...]:
    """The columns that `judge` selects, step by step, cached as they take seconds to build."""
    contracts = list(registry)
    value, signed = F.col("value").cast("string"), _signature(registry, bounds)
    return (
        [
            *(value.alias("text") if name == "text" else F.col(name) for name in READ),
            F.substring_index(value, '"', NAMING).alias("start"),
        ],
        _replace_canonical(contracts),
        _take_apart(),
        _envelopes(),
        *LANES[strict_lane](registry, _carried_columns("fast", "unfit")),
        _names(contracts),
        _faults(contracts, bounds),
        [*_verdict(contracts), signed.alias("judged_by")],
    )


def _carried_columns(*also: str) -> list[Column]:
    """The columns of READ and some further ones, by name."""
    return [F.col(name) for name in (*READ, *also)]


def _replace_canonical(contracts: Sequence[Contract]) -> list[Column]:
    """Add replaced string: a canonical text as its cells.

    A text that is not canonical, and therefore begins with a brace, stays as it is; texts that are
    too long or do not begin as any contract's are null.
    """
    text, alike = F.col("text"), defaultdict[str, list[tuple[str, int, Contract]]](list)
    for (lane, contract), gap in product(enumerate(contracts), fast_lane.GAPS):
        alike[_start(fast_lane.opening(contract, gap))].append((gap, lane, contract))
    replaced = F.when(F.octet_length(text) > MAX_VALUE_BYTES, F.lit(None).cast("string"))
    for start, candidates in alike.items():
        versions = F.coalesce(*(_replacement_of(*candidate) for candidate in candidates))
        replaced = replaced.when(F.col("start") == start, versions)
    return [*_carried_columns(), replaced.alias("replaced")]


def _replacement_of(gap: str, lane: int, contract: Contract) -> Column:
    """Replace a canonical text of one contract by its cells.

    Args:
        gap: white space after each comma and colon.
        lane: index of the contract.
        contract: the contract.

    Returns:
        String: the cells, or the text itself if it does not match; null where its opening or topic
        is not the contract's.
    """
    text, pattern = F.col("text"), fast_lane.canonical_pattern(contract, gap)
    return F.when(
        text.startswith(fast_lane.opening(contract, gap)) & F.col("topic").isin(*contract.topics),
        F.regexp_replace(text, F.lit(pattern), F.lit(fast_lane_values.replacement(contract, lane))),
    )


def _start(opening: str) -> str:
    """The opening up to the end of the event type, as `substring_index` cuts it at quote NAMING."""
    return '"'.join(opening.split('"')[:NAMING])


def _take_apart() -> list[Column]:
    """Add content, the cells of a canonical text, and head, its first lines.

    Returns:
        The columns, with content string and head array of strings; both null for other texts.
    """
    replaced = F.col("replaced")
    cells = F.when(~replaced.startswith("{"), replaced)
    return [*_carried_columns(), cells.alias("content"), fast_lane_values.head(cells).alias("head")]


def _envelopes() -> list[Column]:
    """Add what the fast lane read, and leave the other texts to the strict lane.

    The columns: `fast`, the fields of SHAPE for a canonical text; unread string, any other text
    that is fit to be parsed; unfit, the fault of one that is not.
    """
    head, canonical = F.col("head"), F.col("content").isNotNull()
    fast = {
        "contract": fast_lane_values.envelope(head, "lane").cast("int"),
        "event_time": fast_lane_values.envelope(head, "timestamp"),
        "own_id": F.nullif(fast_lane_values.envelope(head, "eventId"), F.lit("")),
        "own_key": fast_lane_values.envelope(head, "key"),
        "content": F.col("content"),
    }
    unfit = F.when(~canonical, _unfit())
    return [
        *_carried_columns(),
        F.when(canonical, reading(**fast)).alias("fast"),
        unfit.alias("unfit"),
        F.when(~canonical & unfit.isNull(), F.col("text")).alias("unread"),
    ]


def _unfit() -> Column:
    """Fault of a text that is not fit to be parsed: blank, too long, or not UTF-8.

    Returns:
        Struct (reason, path, rule) of strings; null if it is.
    """
    text = F.col("text")
    return (
        F.when(text.isNull() | text.rlike(BLANK), fault_struct(Reason.EMPTY_VALUE))
        .when(F.octet_length(text) > MAX_VALUE_BYTES, fault_struct(Reason.OVERSIZE_VALUE))
        .when(~F.is_valid_utf8(text), fault_struct(Reason.INVALID_UTF8))
    )


def _names(contracts: Sequence[Contract]) -> list[Column]:
    """Add what either lane read.

    The columns: event_type and contract_version string; contract int (index of the contract that
    they name, null for none), event_time timestamp; own_id, own_key and content string; fault
    struct (reason, path, rule) of strings, null if there is none so far.
    """
    read = F.coalesce("fast", "strict")
    contract = read["contract"]
    said = F.struct(*(read[name].alias(name) for name in ("reason", "path", "rule")))
    return [
        *_carried_columns(),
        F.coalesce(
            F.get(_literals(c.event_type for c in contracts), contract), read["event_type"]
        ).alias("event_type"),
        F.coalesce(
            F.get(_literals(c.version for c in contracts), contract), read["contract_version"]
        ).alias("contract_version"),
        contract.alias("contract"),
        read["event_time"].try_cast("timestamp").alias("event_time"),
        *(read[name].alias(name) for name in ("own_id", "own_key", "content")),
        F.coalesce("unfit", F.when(said["reason"].isNotNull(), said)).alias("fault"),
    ]


def _faults(contracts: Sequence[Contract], bounds: TimeBounds) -> list[Column]:
    """Complete fault, the first one of each record, by its key and its time."""
    named = ("event_type", "contract_version", "contract", "event_time", "own_id", "content")
    fault = F.coalesce("fault", _key_fault(contracts), _time_fault(bounds))
    return [*_carried_columns(*named), fault.alias("fault")]


def _key_fault(contracts: Sequence[Contract]) -> Column:
    """Fault of a record whose key is not the value of the contract's key field.

    Returns:
        Struct (reason, path, rule) of strings; null if the key is right.
    """
    path = F.get(_literals(f"$.{c.key}" for c in contracts), F.col("contract"))
    key = F.col("key").cast("string")
    return F.when(~key.eqNullSafe(F.col("own_key")), fault_struct(Reason.WRONG_KEY, path, "x-key"))


def _time_fault(bounds: TimeBounds) -> Column:
    """Fault of an event time that not every reader holds, or beyond the bounds around the arrival.

    Returns:
        Struct (reason, path, rule) of strings; null if the time is within them.
    """
    arrival, time = F.unix_micros("kafka_timestamp"), F.unix_micros("event_time")
    ahead = arrival + bounds.future_tolerance_s * MICROS_PER_S
    behind = arrival - bounds.oldest_event_days * SECONDS_PER_DAY * MICROS_PER_S
    return (
        F.when(
            (time < _micros(EARLIEST)) | (time >= _micros(LATEST)),
            fault_struct(Reason.EXTREME_TIME, "$.timestamp"),
        )
        .when(time > ahead, fault_struct(Reason.FUTURE_TIME, "$.timestamp"))
        .when(time < behind, fault_struct(Reason.OLD_TIME, "$.timestamp"))
    )


def _micros(instant: datetime) -> int:
    """Microseconds from 1970 to an instant."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _verdict(contracts: Sequence[Contract]) -> list[Column]:
    """The columns that `judge` returns, judged_by excepted."""
    fault = F.col("fault")
    accepted = fault.isNull()
    value = F.when(~accepted, F.col("text").cast("binary"))
    family = F.get(_literals(c.family for c in contracts), F.col("contract"))
    return [
        *(value.alias("value") if name == "text" else F.col(name) for name in READ),
        F.when(accepted, F.col("content")).alias("content"),
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
    """Digest of everything that determines the judgement of a record.

    Args:
        registry: all contracts.
        bounds: limits on the distance between event time and arrival time.

    Returns:
        A digest of contracts and bounds, a dot, and a digest of the judge's code.
    """
    return f"{provenance.digest(*_rules(registry, bounds).values())}.{_code()}"


def _signature(registry: Registry, bounds: TimeBounds) -> Column:
    """judged_by string: digests of the contracts, bounds and code that a record is judged by."""
    rules, code = _rules(registry, bounds), _code()
    by_contract = (f"{rules[c.event_type]}.{code}" for c in registry)
    named = F.get(_literals(by_contract), F.col("contract"))
    return F.coalesce(named, F.lit(definition(registry, bounds)))


def _code() -> str:
    """Digest of the judge's code."""
    return provenance.code(sys.modules[__name__])


def _rules(registry: Registry, bounds: TimeBounds) -> dict[str, str]:
    """Digests of the contracts of one event type and of the bounds, by event type."""
    return {
        event_type: provenance.digest(
            repr(bounds), *(_canonical_json(c.schema) for c in registry.versions(event_type))
        )
        for event_type in registry.event_types
    }


def _canonical_json(schema: Schema) -> str:
    """JSON text of a schema with sorted keys."""
    return json.dumps(schema, sort_keys=True)


def _identity(accepted: Column) -> Column:
    """event_id string of a record.

    Args:
        accepted: boolean, whether the record is a valid event.
    """
    return F.when(accepted, F.coalesce("own_id", _digest())).otherwise(
        F.concat(F.lit(REJECTED), _digest())
    )


def _digest() -> Column:
    """SHA-256 of the value's bytes.

    Returns:
        Lower-case hexadecimal digits, string; of no bytes for a null value.
    """
    return F.sha2(F.coalesce(F.col("text").cast("binary"), F.lit(NO_BYTES)), 256)


def _literals(values: Iterable[str]) -> Column:
    """Array literal of strings."""
    return F.lit(list(values))
