"""Users, experiments and events of attribution's tests, the instants close to every boundary."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.runtime.contracts.registry import load_registry
from tests.oracles.attribution import DAY, HOUR, SECOND, Event, Key, Row
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import EPOCH
from tests.support.shapes import bronze_of, plain_rows
from tests.support.strategies import NOON
from transforms.events.judge import TimeBounds, judge
from transforms.gold.experiment_user import SOURCES
from transforms.silver.tables import silver_of

BOUNDS = TimeBounds(300, 400)
START, END = NOON - 40 * DAY, NOON - 10 * DAY
EDGES = (-28 * DAY, -7 * DAY, 0, DAY, 2 * DAY, 7 * DAY, 8 * DAY)
NUDGES = (-1, 0, 1, -HOUR, HOUR)


def instant(at: int) -> str:
    """RFC 3339 to the microsecond."""
    time = EPOCH + timedelta(microseconds=at)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def documents() -> dict[str, Any]:
    """Every kind of metric, and two experiments; the second has one goal of the first."""
    watched = {"event": "VideoPlaybackCompleted", "field": "watch_s"}
    started = {"event": "VideoPlaybackStarted"}
    experiment = {
        "layer": "home",
        "variants": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5}],
        "traffic": [{"at": instant(START), "share": 1}],
        "start": instant(START),
        "end": instant(END),
    }
    return {
        "metrics.yaml": {
            "metrics": {
                "watch": {
                    "kind": "mean",
                    "outcome": watched,
                    "window_h": 48,
                    "cap": 6000,
                    "covariate_days": 7,
                },
                "completed": {
                    "kind": "ratio",
                    "outcome": {"event": "VideoPlaybackCompleted", "where": {"region": ["eu"]}},
                    "per": started,
                    "covariate_days": 28,
                },
                "clicked": {
                    "kind": "proportion",
                    "outcome": {"event": "UserEngagement", "where": {"kind": ["click"]}},
                    "window_h": 24,
                },
                "stars": {
                    "kind": "quantile",
                    "level": 0.5,
                    "over": "users",
                    "outcome": {"event": "UserRatingSubmitted", "field": "half_stars"},
                },
                "long": {"kind": "quantile", "level": 0.9, "over": "events", "outcome": watched},
                "back": {"kind": "retention", "outcome": started, "day": 1},
                "ranks": {
                    "kind": "mean",
                    "outcome": {"event": "UserEngagement", "field": "rank"},
                },
            }
        },
        "layers.yaml": {"layers": {"home": {"salt": "h"}, "player": {"salt": "p"}}},
        "rows.yaml": {
            "id": "rows",
            **experiment,
            "goals": ["watch", "completed", "clicked", "stars", "ranks"],
            "guardrails": [{"metric": "long", "margin": 0.1}, {"metric": "back", "margin": 0.1}],
        },
        "delay.yaml": {"id": "delay", **experiment, "layer": "player", "goals": ["clicked"]},
    }


def told(kind: str, event_id: str, user: str, at: int, version: str = "1.0", **rest: Any) -> Event:
    """An event's document."""
    heading = {"eventType": kind, "version": version, "timestamp": instant(at), "userId": user}
    return {**heading, "eventId": event_id, **rest}


def assigned(
    event_id: str, user: str, at: int, variant: str, experiment: str = "rows", **context: str
) -> Event:
    """An ExperimentAssignment."""
    rest = {"experimentId": experiment, "variant": variant, "context": context}
    return told("ExperimentAssignment", event_id, user, at, **rest)


def outcome(kind: str, event_id: str, user: str, at: int, chance: random.Random) -> Event:
    """An outcome of a kind, its fields by chance."""
    metadata = {"metadata": chance.choice([{}, {"region": "eu"}, {"region": "us"}])}
    if kind == "UserEngagement":
        engagement = {"kind": chance.choice(["click", "impression"])}
        engagement |= chance.choice([{}, {"rank": chance.randrange(1, 20)}])
        return told(kind, event_id, user, at, engagement=engagement, **metadata)
    if kind == "UserRatingSubmitted":
        rating = {"contentInfo": {"titleId": "t"}, "rating": chance.randrange(1, 11) / 2}
        return told(kind, event_id, user, at, **rating, **metadata)
    playback = {
        "sessionId": "s",
        "deviceInfo": {"deviceType": "mobile", "platform": "web"},
        "contentInfo": {"titleId": "t", "contentType": "movie", "duration": 9000},
        "playbackContext": {"source": "search", "position": 0},
    }
    if kind == "VideoPlaybackStarted":
        return told(kind, event_id, user, at, "2.1", **playback, **metadata)
    watched = {"watchDuration": chance.randrange(5000), "completionPercentage": 50}
    return told(kind, event_id, user, at, **playback, **metadata, **watched)


OUTCOME_KINDS = (
    "VideoPlaybackStarted",
    "VideoPlaybackCompleted",
    "UserEngagement",
    "UserRatingSubmitted",
    "ContentRated",
)


def random_history(users: int, seed: int) -> list[Event]:
    """Events of so many users, in an order of arrival by chance, some of them twice."""
    chance, ids = random.Random(seed), count()
    events: list[Event] = []
    for number in range(users):
        events += _of_one(f"user_{number}", chance, ids)
    events += chance.sample(events, len(events) // 20)
    chance.shuffle(events)
    return events


def _of_one(user: str, chance: random.Random, ids: Iterable[int]) -> list[Event]:
    number = iter(ids)
    exposed = chance.choice([START, END - 1, END, START - 1, chance.randrange(START, END)])
    events = []
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        at = exposed + chance.choice([0, 0, 1, -1, HOUR, -DAY])
        variant = chance.choice(["control"] * 8 + ["new", "lost"])
        experiment = chance.choice(["rows", "rows", "rows", "delay", "ghost"])
        context = chance.choice([{}, {"region": "eu"}, {"region": "us", "device_type": "mobile"}])
        events.append(assigned(f"id{next(number)}", user, at, variant, experiment, **context))
    for _ in range(chance.randrange(12)):
        at = exposed + chance.choice(EDGES) + chance.choice(NUDGES)
        kind = chance.choice(OUTCOME_KINDS[:4])
        events.append(outcome(kind, f"id{next(number)}", user, at, chance))
    return events


def raws(arrived: Iterable[Event]) -> list[Raw]:
    """Events as records, arriving in their order a second apart, from NOON on."""
    contracts = load_registry()
    return [
        Raw(
            contracts.newest(event["eventType"]).topics[0],
            0,
            offset,
            event["userId"].encode(),
            json.dumps(event).encode(),
            NOON + offset * SECOND,
        )
        for offset, event in enumerate(arrived)
    ]


def silver(spark: SparkSession, arrived: Iterable[Event]) -> dict[str, DataFrame]:
    """The silver tables of SOURCES that events come to, repeats included."""
    judged = judge(bronze_of(spark, raws(arrived)), load_registry(), BOUNDS).persist()
    assert judged.where("reason IS NOT NULL").count() == 0
    return {table: silver_of(table.split(".")[1], judged, load_registry()) for table in SOURCES}


def keyed(rows: DataFrame) -> dict[Key, Row]:
    """Rows of gold.experiment_user in the oracle's shape; fails if a key has two."""
    found = plain_rows(rows.drop("definition_hash"))
    table = {(row.pop("experiment_id"), row.pop("user_id")): row for row in found}
    assert len(table) == len(found)
    return table
