"""The oracle: docs/semantics.md once more, in plain Python, with nothing of playhead's own.

It takes records as Kafka holds them and says what must become of each, and what the gold tables
must hold. Stream, batch and oracle are held to exact equality. Written to be read beside
docs/semantics.md, it knows no partial aggregates, micro-batches or state.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.oracles.strict_json import EPOCH, Check, RefusedError, compiled, micros, plain, read_json

SCHEMAS = Path(__file__).resolve().parents[2] / "conf" / "schemas"
SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR_2262 = 106_651 * DAY

Event = dict[str, Any]
Row = dict[str, Any]
Table = dict[tuple[Any, ...], Row]
Place = tuple[str, int, int]

DEVICE_TYPES = ("smart_tv", "mobile", "tablet", "desktop", "console", "streaming_stick")
SOURCES = ("recommendation", "search", "browse", "continue_watching", "notification", "external")


class Raw(NamedTuple):
    """A record as Kafka holds it; `arrival` is the broker's time in microseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    arrival: int

    @property
    def place(self) -> Place:
        return self.topic, self.partition, self.offset


class Bounds(NamedTuple):
    """How far an event time may lie from the arrival, as in the settings of refine."""

    future_tolerance_s: int = 300
    oldest_event_days: int = 400


class Fate(NamedTuple):
    """What becomes of a record.

    Attributes:
        end: `silver.<family>`, `quarantine` or `duplicate`.
        reasons: all for which it is quarantined; the table names one of them.
    """

    end: str
    reasons: frozenset[str] = frozenset()


class Outcome(NamedTuple):
    """What must come of records.

    Attributes:
        fates: by topic, partition and offset.
        gold: the five tables by name; in each the rows by key, statistics by name. Instants are
            microseconds since 1970, structs are dictionaries, what has no value is None.
    """

    fates: dict[Place, Fate]
    gold: dict[str, Table]


def outcome(records: Iterable[Raw], bounds: Bounds) -> Outcome:
    """What must come of these records, in whatever order they are given."""
    fates: dict[Place, Fate] = {}
    facts: list[Fact] = []
    met: set[str] = set()
    for raw in sorted(records, key=lambda raw: (raw.arrival, *raw.place)):
        event, reasons = judged(raw, bounds)
        event_id = identity(raw, event, reasons)
        fates[raw.place] = _fate(event, reasons, repeated=event_id in met)
        if event_id not in met and not reasons:
            facts.extend(facts_of(event, event_id))
        met.add(event_id)
    return Outcome(fates, {name: table(facts) for name, table in GOLD.items()})


def identity(raw: Raw, event: Event, reasons: frozenset[str]) -> str:
    """The event_id: the event's own if it is valid and has one, else the SHA-256 of its bytes."""
    digest = hashlib.sha256(raw.value or b"").hexdigest()
    return f"rejected/{digest}" if reasons else event.get("eventId", digest)


def _fate(event: Event, reasons: frozenset[str], *, repeated: bool) -> Fate:
    if repeated:
        return Fate("duplicate")
    if reasons:
        return Fate("quarantine", reasons)
    return Fate(f"silver.{contract_of(event).family}")


@dataclass(frozen=True)
class Contract:
    """What a contract file says, its rules as a function from an event to broken reasons."""

    topics: tuple[str, ...]
    key: str
    family: str
    faults: Check


@cache
def contracts() -> dict[tuple[str, str], Contract]:
    """The contracts of conf/schemas by event type and version."""
    found = {}
    for file in SCHEMAS.glob("*/*.json"):
        schema = json.loads(file.read_text(encoding="utf-8"))
        found[file.parent.name, file.stem] = Contract(
            tuple(schema["x-topics"]), schema["x-key"], schema["x-family"], compiled(schema)
        )
    return found


@cache
def event_types() -> frozenset[str]:
    """All event types that have a contract."""
    return frozenset(event_type for event_type, _ in contracts())


def contract_of(event: Event) -> Contract:
    """The contract that an event names; KeyError if there is none."""
    return contracts()[event["eventType"], event["version"]]


def judged(raw: Raw, bounds: Bounds) -> tuple[Event, frozenset[str]]:
    """The event of a record, empty if it cannot be read, and why it is refused, if it is."""
    try:
        event = read_json(raw.value)
    except RefusedError as error:
        return {}, error.reasons
    if not isinstance(event, dict):
        return {}, frozenset(["not_an_object"])
    return plain(event), frozenset(_faults(event, raw, bounds))


def _faults(event: Event, raw: Raw, bounds: Bounds) -> Iterator[str]:
    event_type, version = event.get("eventType"), event.get("version")
    if not isinstance(event_type, str) or event_type not in event_types():
        yield "unknown_event_type"
    elif not isinstance(version, str) or (event_type, version) not in contracts():
        yield "unknown_version"
    else:
        yield from _faults_of_known(event, raw, bounds)


def _faults_of_known(event: Event, raw: Raw, bounds: Bounds) -> Iterator[str]:
    contract = contract_of(event)
    if raw.topic not in contract.topics:
        yield "wrong_topic"
    broken = list(contract.faults(event))
    yield from broken
    if isinstance(event.get(contract.key), str) and raw.key != event[contract.key].encode():
        yield "wrong_key"
    if not broken:
        time = micros(event["timestamp"])
        ahead = time - raw.arrival
        if not 0 <= time < YEAR_2262:
            yield "extreme_time"
        if ahead > bounds.future_tolerance_s * SECOND:
            yield "future_time"
        if -ahead > bounds.oldest_event_days * DAY:
            yield "old_time"


@dataclass(frozen=True, slots=True)
class Fact:
    """What gold counts: a playback event, a rating or a click, in the newest shape."""

    event_type: str
    event_id: str
    time: int
    user: str
    title_id: str | None
    half_stars: int | None = None
    region: str = "unknown"
    device_type: str | None = None
    content_type: str | None = None
    source: str | None = None
    position: int | None = None
    watch_s: int = 0
    rank: int | None = None

    @property
    def order(self) -> tuple[int, str]:
        return self.time, self.event_id

    @property
    def date(self) -> date:
        return (EPOCH + timedelta(microseconds=self.time)).date()

    @property
    def is_play(self) -> bool:
        return self.event_type == "VideoPlaybackStarted"

    @property
    def is_completion(self) -> bool:
        return self.event_type == "VideoPlaybackCompleted"

    @property
    def is_rating(self) -> bool:
        return self.half_stars is not None

    @property
    def is_ranked_click(self) -> bool:
        return self.event_type == "UserEngagement" and self.is_recommended and self.rank is not None

    @property
    def is_recommended(self) -> bool:
        return self.source == "recommendation"


def facts_of(event: Event, event_id: str) -> Iterator[Fact]:
    """The fact that a valid event is; none if gold does not count it."""
    family = contract_of(event).family
    if family == "ratings":
        yield _rating(event, event_id)
    elif event["eventType"] == "VideoPlaybackStarted" and event["version"].startswith("1."):
        yield _first_generation_play(event, event_id)
    elif family == "playback":
        yield _playback(event, event_id)
    elif family == "engagement" and event["engagement"]["kind"] == "click":
        yield _click(event, event_id)


def _rating(event: Event, event_id: str) -> Fact:
    rated = event["data"] if event["eventType"] == "ContentRated" else event
    title = event["contentId"] if rated is not event else event["contentInfo"]["titleId"]
    return Fact(**_who(event, event_id), title_id=title, half_stars=int(2 * rated["rating"]))


def _playback(event: Event, event_id: str) -> Fact:
    context = event.get("playbackContext", {})
    position = event["seek"]["to"] if "seek" in event else context.get("position")
    return Fact(
        **_who(event, event_id),
        title_id=event["contentInfo"]["titleId"],
        region=event.get("metadata", {}).get("region", "unknown"),
        device_type=event.get("deviceInfo", {}).get("deviceType"),
        content_type=event["contentInfo"].get("contentType"),
        source=context.get("source"),
        position=None if position is None else int(position),
        watch_s=int(event.get("watchDuration", 0)),
    )


def _first_generation_play(event: Event, event_id: str) -> Fact:
    return Fact(
        **_who(event, event_id),
        title_id=event["titleId"],
        region=event.get("region", "unknown"),
        device_type=event["deviceType"],
        content_type=event["contentType"],
        source=event["source"],
        position=int(event["positionMs"]) // 1000,
    )


def _click(event: Event, event_id: str) -> Fact:
    clicked = event["engagement"]
    return Fact(
        **_who(event, event_id),
        title_id=clicked.get("titleId"),
        region=event.get("metadata", {}).get("region", "unknown"),
        source=clicked.get("source"),
        rank=None if clicked.get("rank") is None else int(clicked["rank"]),
    )


def _who(event: Event, event_id: str) -> dict[str, Any]:
    return {
        "event_type": event["eventType"],
        "event_id": event_id,
        "time": micros(event["timestamp"]),
        "user": event["userId"],
    }


def _grouped(facts: Iterable[Fact], *key: str) -> dict[tuple[Any, ...], list[Fact]]:
    groups: dict[tuple[Any, ...], list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[tuple(getattr(fact, name) for name in key)].append(fact)
    return groups


def _views(facts: Iterable[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.is_play or fact.is_completion]


def _viewing(group: list[Fact]) -> Row:
    return {
        "plays": sum(fact.is_play for fact in group),
        "completions": sum(fact.is_completion for fact in group),
        "watch_s": sum(fact.watch_s for fact in group if fact.is_completion),
    }


def _viewers(group: list[Fact]) -> list[str]:
    return sorted({fact.user for fact in group if fact.is_play})


def _last(facts: Iterable[Fact], *names: str) -> Row | None:
    last = max(facts, key=lambda fact: fact.order, default=None)
    if last is None:
        return None
    told = {name: getattr(last, name) for name in names}
    return {"event_time": last.time, "event_id": last.event_id, **told}


def user_day(facts: list[Fact]) -> Table:
    """gold.user_day: by user and date."""
    counted = [f for f in facts if f.is_play or f.is_completion or f.is_rating]
    rows = {}
    for key, group in _grouped(counted, "user", "date").items():
        plays = [fact for fact in group if fact.is_play]
        rows[key] = {
            **_viewing(group),
            "ratings": sum(fact.is_rating for fact in group),
            **{f"plays_on_{d}": sum(f.device_type == d for f in plays) for d in DEVICE_TYPES},
            **{f"plays_from_{s}": sum(f.source == s for f in plays) for s in SOURCES},
        }
    return rows


def user_features(facts: list[Fact]) -> Table:
    """gold.user_features: by user."""
    rows = {}
    for key, group in _grouped(_views(facts), "user").items():
        plays = [fact for fact in group if fact.is_play]
        last = _last(plays, "title_id", "device_type", "content_type")
        rows[key] = {**_viewing(group), "last_play": last}
    return rows


def user_title(facts: list[Fact]) -> Table:
    """gold.user_title: by user and title."""
    rows = {}
    met = [fact for fact in facts if fact.event_type.startswith("VideoPlayback") or fact.is_rating]
    for key, group in _grouped(met, "user", "title_id").items():
        positions = [fact.position for fact in group if fact.position is not None]
        rows[key] = {
            **_viewing(group),
            "furthest_position_s": max(positions, default=None),
            "last_rating": _last((fact for fact in group if fact.is_rating), "half_stars"),
            "first_time": min(fact.time for fact in group),
            "last_time": max(fact.time for fact in group),
        }
    return rows


def title_day(facts: list[Fact]) -> Table:
    """gold.title_day: by title and date."""
    return {
        key: {**_viewing(group), "viewers": _viewers(group)}
        for key, group in _grouped(_views(facts), "title_id", "date").items()
    }


def business_day(facts: list[Fact]) -> Table:
    """gold.business_day: by date and region."""
    counted = [f for f in facts if f.is_play or f.is_completion or f.is_ranked_click]
    rows = {}
    for key, group in _grouped(counted, "date", "region").items():
        recommended = [fact for fact in group if fact.is_recommended]
        ranks = [fact.rank for fact in group if fact.is_ranked_click]
        rows[key] = {
            **_viewing(group),
            **{f"recommended_{name}": value for name, value in _viewing(recommended).items()},
            "recommended_clicks": len(ranks),
            "recommended_click_ranks": sum(ranks),
            "recommended_titles": sorted({f.title_id for f in recommended if f.is_play}),
            "viewers": _viewers(group),
        }
    return rows


GOLD: dict[str, Callable[[list[Fact]], Table]] = {
    "user_day": user_day,
    "user_features": user_features,
    "user_title": user_title,
    "title_day": title_day,
    "business_day": business_day,
}
