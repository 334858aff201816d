"""The bodies of accepted events, converted to the newest shape of their type."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract
from transforms.contracts.registry import Registry
from transforms.contracts.spark_schema import struct_type
from transforms.events import fast_lane_values
from transforms.events.upcasters import UPCASTERS, upcast


def with_bodies(
    accepted: DataFrame, registry: Registry, event_types: Iterable[str], columns: Iterable[str]
) -> DataFrame:
    """Add the bodies of events, upcast to the newest contract, as one struct for each event type.

    Args:
        accepted: rows of `judge` that are accepted: content string, event_type,
            contract_version and any others.
        registry: contracts that they were judged by.
        event_types: event types to read.
        columns: names of the columns of `accepted` to carry over.

    Returns:
        `columns`, and one struct for each of `event_types`, named as the type: the event without
        eventType and version, in the shape of the newest contract; null in rows of another type.
        Fields that are absent are null. Strings, dates and date-times stay as given.
    """
    carried = [F.col(name) for name in columns]
    steps = _steps(registry, tuple(event_types), frozenset(UPCASTERS.items()))
    return reduce(lambda rows, step: rows.select(*carried, *step), steps, accepted)


@lru_cache(maxsize=64)
def _steps(
    registry: Registry, types: tuple[str, ...], _upcasters: frozenset[Any]
) -> tuple[list[Column], ...]:
    """The columns that `with_bodies` selects, step by step.

    They are slow to build and therefore cached. Upcasters are part of the cache's key, as they
    decide the meaning of a column.
    """
    versions = [contract for event_type in types for contract in registry.versions(event_type)]
    named = [_is(contract).alias(f"is {contract.name}") for contract in versions]
    content = F.col("content")
    is_json = content.startswith("{")
    lines = F.when(~is_json, F.split(content, fast_lane_values.SEPARATOR))
    return (
        [*named, lines.alias("lines"), F.when(is_json, content).alias("document")],
        [_body(contract).alias(contract.name) for contract in versions],
        [_newest(registry, name).alias(name) for name in types],
    )


def _is(contract: Contract) -> Column:
    """Whether a row's event type and version are those of a contract."""
    named = F.col("event_type") == contract.event_type
    return named & (F.col("contract_version") == contract.version)


def _body(contract: Contract) -> Column:
    """The body of a row in the shape of the contract that it names, read by either lane.

    Returns:
        Struct; null in rows of other contracts.
    """
    shape = struct_type(contract.body)
    strict = F.from_json(F.col("document"), shape, {"mode": "FAILFAST"})  # it is proven valid
    fast = fast_lane_values.body(contract, F.col("lines"))
    return F.when(
        F.col(f"`is {contract.name}`"),
        F.when(F.col("lines").isNull(), strict).otherwise(fast),
    )


def _newest(registry: Registry, event_type: str) -> Column:
    """The body of an event type, upcast to its newest shape.

    Returns:
        Struct; null in rows of other types.
    """
    versions = registry.versions(event_type)
    return F.coalesce(
        *(upcast(F.col(f"`{old.name}`"), versions[at:]) for at, old in enumerate(versions))
    )
