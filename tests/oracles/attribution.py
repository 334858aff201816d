"""The oracle of gold.experiment_user: docs/semantics.md, Experiment users, in plain Python.

It takes events and definitions as their documents and asks, for each user and experiment, each
question of the page by itself, by going through all of the user's events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.oracles.strict_json import EPOCH, micros

Event = dict[str, Any]
Row = dict[str, Any]
Key = tuple[str, str]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def experiment_users(
    arrived: Iterable[Event], documents: Mapping[str, Any], as_of: int | None = None
) -> dict[Key, Row]:
    """The rows by experiment and user, without definition_hash; exposed_at in microseconds.

    Args:
        arrived: events with an eventId, in order of arrival, repeats included.
        documents: the files of conf/experiments by name, parsed.
        as_of: microseconds since 1970; later events do not count.
    """
    first: dict[tuple[str, str], Event] = {}
    for event in arrived:
        first.setdefault((event["userId"], event["eventId"]), event)
    users: dict[str, list[Event]] = defaultdict(list)
    for event in first.values():
        if as_of is None or time_of(event) <= as_of:
            users[event["userId"]].append(event)
    return {
        (experiment, user): row
        for user, events in users.items()
        for experiment, row in _rows(events, documents)
    }


def time_of(event: Event) -> int:
    return micros(event["timestamp"])


def _rows(events: list[Event], documents: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    exposures: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event["eventType"] == "ExperimentAssignment":
            exposures[event["experimentId"]].append(event)
    for experiment, found in exposures.items():
        first = min(found, key=lambda event: (time_of(event), event["eventId"].encode()))
        variants = sorted({event["variant"] for event in found})
        definition = documents.get(f"{experiment}.yaml")
        context = first.get("context", {})
        row = {
            "state": _state(first, variants, definition),
            "variant": first["variant"],
            "exposed_at": time_of(first),
            "region": context.get("region", "unknown"),
            "device_type": context.get("device_type", "unknown"),
            "variants": variants,
            "totals": {},
            "samples": {},
        }
        if row["state"] == "attributed":
            metrics = documents["metrics.yaml"]["metrics"]
            guards = [guard["metric"] for guard in definition.get("guardrails", [])]
            for name in [*definition["goals"], *guards]:
                _measure(row, name, metrics[name], events)
        yield experiment, row


def _state(first: Event, variants: list[str], definition: Any) -> str:
    if definition is None:
        return "undefined"
    if len(variants) > 1:
        return "contaminated"
    if first["variant"] not in {variant["name"] for variant in definition["variants"]}:
        return "unknown_variant"
    start, end = (_instant(definition[name]) for name in ("start", "end"))
    return "attributed" if start <= time_of(first) < end else "outside"


def _instant(told: str | datetime) -> int:
    at = told if isinstance(told, datetime) else datetime.fromisoformat(told)
    return round((at - EPOCH).total_seconds()) * SECOND


def _measure(row: Row, name: str, metric: Mapping[str, Any], events: list[Event]) -> None:
    t, kind = row["exposed_at"], metric["kind"]
    if kind == "retention":
        span = t + 24 * metric["day"] * HOUR, t + 24 * (metric["day"] + 1) * HOUR
    else:
        span = t, t + metric.get("window_h", 168) * HOUR
    if kind == "quantile" and metric["over"] == "events":
        row["samples"][name] = sorted(_values(metric["outcome"], span, events))
        return
    row["totals"][name] = _number(metric, "outcome", span, events)
    if kind == "ratio":
        row["totals"][f"{name}_per"] = _number(metric, "per", span, events)
    days = metric.get("covariate_days", 0)
    if days:
        before = t - days * DAY, t
        row["totals"][f"{name}_before"] = _number(metric, "outcome", before, events)
        if kind == "ratio":
            row["totals"][f"{name}_per_before"] = _number(metric, "per", before, events)


def _number(
    metric: Mapping[str, Any], which: str, span: tuple[int, int], events: list[Event]
) -> int:
    if metric["kind"] in ("proportion", "retention"):
        return int(bool(_values({**metric[which], "field": None}, span, events)))
    total = sum(_values(metric[which], span, events))
    return min(total, metric["cap"]) if "cap" in metric else total


def _values(outcome: Mapping[str, Any], span: tuple[int, int], events: list[Event]) -> list[int]:
    """What each event of an outcome in a span adds: 1, or its field if it has one."""
    found = []
    for event in events:
        asked = event["eventType"] == outcome["event"] and all(
            _column(event, column) in allowed
            for column, allowed in outcome.get("where", {}).items()
        )
        if asked and span[0] <= time_of(event) < span[1]:
            field = outcome.get("field")
            value = 1 if field is None else _column(event, field)
            found += [] if value is None else [value]
    return found


def _column(event: Event, name: str) -> Any:
    """The silver column of an event's document; None if it has none."""
    engagement = event.get("engagement", {})
    match name:
        case "watch_s":
            return event.get("watchDuration")
        case "half_stars":
            return int(2 * event["rating"]) if "rating" in event else None
        case "region":
            return event.get("metadata", {}).get("region")
        case "kind" | "value" | "rank":
            return engagement.get(name)
        case "source":
            return engagement.get("source") or event.get("playbackContext", {}).get("source")
        case "device_type":
            return event.get("deviceInfo", {}).get("deviceType")
    raise KeyError(name)
