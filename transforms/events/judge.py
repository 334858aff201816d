"""The judgement of a record: a valid event in its newest shape, or a reason, a path and a rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from transforms.events.contract import Contract
from transforms.events.reasons import Reason
from transforms.events.registry import Registry
from transforms.events.rules import rules
from transforms.events.spark_schema import struct_type
from transforms.events.upcasters import upcast

CARRIED = ("topic", "partition", "offset", "key", "value", "kafka_timestamp", "ingest_time")
JSON_OPTIONS = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
FAULT = "struct<reason:string,path:string,rule:string>"


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
        - event_type, contract_version string: as the event says, null where it cannot be read;
        - event_time timestamp, UTC, cut to the microsecond: null when rejected;
        - family string: the contract's x-family, null when rejected;
        - reason, path, rule string: why it is rejected (`Reason`), null when accepted;
        - one struct for each event type, named as the type: the event's body (all but the
          envelope) in the shape of the newest contract; null unless the row is a valid event
          of that type. Fields that are absent are null. Strings, dates and date-times stay as
          given.
    """
    text = sf.col("value").cast("string")
    read = bronze.select(
        *CARRIED,
        sf.get_json_object(text, "$.eventType").alias("event_type"),
        sf.get_json_object(text, "$.version").alias("contract_version"),
    )
    contracts = list(registry)
    parsed = read.select(
        "*",
        *(
            sf.when(
                _is(contract), sf.from_json(text, struct_type(contract.root), JSON_OPTIONS)
            ).alias(_slot(contract))
            for contract in contracts
        ),
    )
    judged = parsed.select(
        "*",
        _first([_unreadable(text, registry), *(_fault(contract) for contract in contracts)]).alias(
            "fault"
        ),
        _of_slot(contracts, "timestamp").try_cast("timestamp").alias("event_time"),
        _of_slot(contracts, "eventId").alias("own_id"),
    ).withColumn("fault", sf.coalesce("fault", _time_fault(bounds)))
    return judged.select(*CARRIED, *_verdict(contracts), *_bodies(registry))


def _slot(contract: Contract) -> str:
    return f"{contract.event_type} {contract.version}"


def _is(contract: Contract) -> Column:
    return (sf.col("event_type") == contract.event_type) & (
        sf.col("contract_version") == contract.version
    )


def _of_slot(contracts: list[Contract], field: str) -> Column:
    return sf.coalesce(*(sf.col(f"`{_slot(contract)}`")[field] for contract in contracts))


def _first(faults: list[Column]) -> Column:
    return sf.coalesce(*faults)


def _said(reason: Reason, path: str | None = None, rule: str | None = None) -> Column:
    return sf.struct(
        sf.lit(str(reason)).alias("reason"), sf.lit(path).alias("path"), sf.lit(rule).alias("rule")
    ).cast(FAULT)


def _unreadable(text: Column, registry: Registry) -> Column:
    known = reduce(
        lambda left, right: left | right, (_is(contract) for contract in registry), sf.lit(False)
    )
    blank = sf.coalesce(sf.octet_length("value") == 0, sf.lit(True))
    return (
        sf.when(blank, _said(Reason.EMPTY_VALUE))
        .when(~sf.is_valid_utf8(text), _said(Reason.INVALID_UTF8))
        .when(
            sf.try_parse_json(sf.concat(sf.lit("["), text, sf.lit("]"))).isNull()
            | sf.try_parse_json(sf.concat(sf.lit('{"x":'), text, sf.lit("}"))).isNull(),
            _said(Reason.MALFORMED_JSON),
        )
        .when(
            ~sf.coalesce(sf.col("event_type").isin(*registry.event_types), sf.lit(False)),
            _said(Reason.UNKNOWN_EVENT_TYPE, "$.eventType"),
        )
        .when(~sf.coalesce(known, sf.lit(False)), _said(Reason.UNKNOWN_VERSION, "$.version"))
    )


def _fault(contract: Contract) -> Column:
    event = sf.col(f"`{_slot(contract)}`")
    found = sf.when(~sf.col("topic").isin(*contract.topics), _said(Reason.WRONG_TOPIC))
    for rule in rules(contract.root):
        found = found.when(rule.broken(event), _said(rule.reason, rule.path, rule.keyword))
    key = sf.col("key").cast("string")
    found = found.when(
        ~key.eqNullSafe(event[contract.key]), _said(Reason.WRONG_KEY, f"$.{contract.key}", "x-key")
    )
    return sf.when(_is(contract), found)


def _time_fault(bounds: TimeBounds) -> Column:
    ahead = sf.col("kafka_timestamp") + sf.make_dt_interval(secs=sf.lit(bounds.future_tolerance_s))
    behind = sf.col("kafka_timestamp") - sf.make_dt_interval(days=sf.lit(bounds.oldest_event_days))
    return sf.when(sf.col("event_time") > ahead, _said(Reason.FUTURE_TIME, "$.timestamp")).when(
        sf.col("event_time") < behind, _said(Reason.OLD_TIME, "$.timestamp")
    )


def _verdict(contracts: list[Contract]) -> list[Column]:
    accepted = sf.col("fault").isNull()
    family = sf.coalesce(*(sf.when(_is(c), sf.lit(c.family)) for c in contracts))
    digest = sf.sha2(sf.coalesce("value", sf.lit(b"")), 256)
    return [
        sf.coalesce(sf.when(accepted, sf.col("own_id")), digest).alias("event_id"),
        sf.col("event_type"),
        sf.col("contract_version"),
        sf.when(accepted, sf.col("event_time")).alias("event_time"),
        sf.when(accepted, family).alias("family"),
        sf.col("fault.reason").alias("reason"),
        sf.col("fault.path").alias("path"),
        sf.col("fault.rule").alias("rule"),
    ]


def _bodies(registry: Registry) -> list[Column]:
    accepted = sf.col("fault").isNull()
    bodies = []
    for event_type in registry.event_types:
        versions = registry.versions(event_type)
        shaped = [upcast(_body(old), versions[index:]) for index, old in enumerate(versions)]
        bodies.append(sf.when(accepted, sf.coalesce(*shaped)).alias(event_type))
    return bodies


def _body(contract: Contract) -> Column:
    event = sf.col(f"`{_slot(contract)}`")
    inner = sf.struct(*(event[name].alias(name) for name in contract.body.fields))
    return sf.when(event.isNotNull(), inner)
