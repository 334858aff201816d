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
        *(_upcast_once(registry, types, at) for at in range(1, _most_versions(registry, types))),
        [F.col(f"`{registry.newest(name).name}`").alias(name) for name in types],
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


def _most_versions(registry: Registry, types: tuple[str, ...]) -> int:
    """The number of versions of the event type that has most."""
    return max((len(registry.versions(name)) for name in types), default=0)


def _upcast_once(registry: Registry, types: tuple[str, ...], at: int) -> list[Column]:
    """Fold the bodies of each type's version before `at` into those of version `at`.

    One version a step: an upcaster reads each member of the body before, so upcasters that were
    nested would make a plan that multiplies with every version.

    Args:
        registry: contracts.
        types: event types.
        at: index of the version among those of its type, from 1.

    Returns:
        A struct for each version from `at` on, named as the contract; of a type with fewer
        versions, its newest.
    """
    return [column for event_type in types for column in _folded(registry.versions(event_type), at)]


def _folded(versions: tuple[Contract, ...], at: int) -> list[Column]:
    """The columns of `_upcast_once` for the versions of one event type."""
    if at >= len(versions):
        return [F.col(f"`{versions[-1].name}`")]
    older, newer = (F.col(f"`{contract.name}`") for contract in versions[at - 1 : at + 1])
    body = F.coalesce(newer, upcast(older, versions[at - 1 : at + 1]))
    later = (F.col(f"`{contract.name}`") for contract in versions[at + 1 :])
    return [body.alias(versions[at].name), *later]
