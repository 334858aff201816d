"""Features as of an instant are those of the oracle, on every row, by event time and as known."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.oracles.as_of import COMPLETED, MICROS_A_DAY, RATED, STARTED, Event, features_of
from tests.oracles.strict_json import EPOCH
from tests.support.shapes import plain_rows
from tests.support.silver_frames import frame
from tests.support.strategies import MINUTE, NOON
from transforms.features.as_of import WINDOWED, feature_events, features, features_as_of

HOUR = 60 * MINUTE


DAYS = (1, 7)


USERS = [f"u{number}" for number in range(30)]


TITLES = ["t1", "t2", "t3"]


DELAYS = (0, 1, 3_000_000, 6 * HOUR, MICROS_A_DAY, 7 * MICROS_A_DAY, 9 * MICROS_A_DAY, -2 * MINUTE)


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(11)


@pytest.fixture(scope="module")
def history(chance: random.Random) -> list[Event]:
    """Events of users on few instants, so that they meet edges of windows; with copies."""
    events = [_event(chance, number) for number in range(900)]
    return events + [_copy(chance, chance.choice(events), 900 + n) for n in range(150)]


@pytest.fixture(scope="module")
def changes(chance: random.Random) -> list[Event]:
    """What the catalogue was told, with removals, ties, copies, and entries without a genre."""
    told = []
    for number in range(40):
        removed = chance.random() < 0.2
        told.append(
            {
                "event_id": f"c{number}",
                "event_type": f"ContentMetadata{'Removed' if removed else 'Updated'}",
                "title_id": chance.choice(TITLES),
                "removed": removed,
                "genres": None if removed else chance.choice([["Drama"], ["Comedy", "Drama"], []]),
                **_times(chance, number),
            }
        )
    return told + [_copy(chance, chance.choice(told), 40 + n) for n in range(10)]


@pytest.fixture(scope="module")
def spine(chance: random.Random) -> list[tuple[str, int, int]]:
    """user, instant, label: also before any event, of users without one, and twice the same."""
    rows = [(chance.choice([*USERS, "nobody"]), _instant(chance), n) for n in range(600)]
    return [*rows, ("u1", NOON - 90 * MICROS_A_DAY, 0), *rows[:3]]


@pytest.mark.parametrize("known", [False, True], ids=["by event time", "as known"])
def test_every_row_has_the_features_of_the_oracle(
    spark: SparkSession,
    history: list[Event],
    changes: list[Event],
    spine: list[tuple[str, int, int]],
    known: bool,
) -> None:
    expected = [
        {
            "user_id": user,
            "at": at,
            "label": label,
            **features_of(user, at, history, changes, DAYS, known),
        }
        for user, at, label in spine
    ]
    found = plain_rows(
        features_as_of(
            spine_frame(spark, spine),
            feature_events(silver(spark, history)),
            frame(spark, "catalog", changes),
            days=DAYS,
            known=known,
        )
    )
    assert list(found[0]) == ["user_id", "at", "label", *features(DAYS)]
    assert ordered(found) == ordered(expected)


def test_what_is_known_is_not_what_was_true(
    history: list[Event], changes: list[Event], spine: list[tuple[str, int, int]]
) -> None:
    """The histories above tell the two apart, in the windows and in the genre."""
    told = [
        [features_of(user, at, history, changes, DAYS, known) for known in (False, True)]
        for user, at, _ in spine
    ]
    for name in features(DAYS):
        assert any(true[name] != known[name] for true, known in told), name


def test_only_sums_are_windowed() -> None:
    """What left a window is subtracted, which no other merge allows."""
    assert {stat.merge for stat in WINDOWED.values()} == {"sum({})"}


def silver(spark: SparkSession, events: Iterable[Event]) -> dict[str, DataFrame]:
    ratings = [e for e in events if e["event_type"] in RATED]
    playback = [e for e in events if e["event_type"] not in RATED]
    clicks = [e | {"event_type": "UserEngagement", "kind": "click"} for e in playback]
    return {
        "silver.playback": frame(spark, "playback", playback),
        "silver.ratings": frame(spark, "ratings", ratings),
        "silver.engagement": frame(spark, "engagement", clicks),  # of which no feature tells
    }


def spine_frame(spark: SparkSession, rows: Iterable[tuple[str, int, int]]) -> DataFrame:
    instants = [(user, EPOCH + timedelta(microseconds=at), label) for user, at, label in rows]
    return spark.createDataFrame(instants, "user_id STRING, at TIMESTAMP, label INT")


def ordered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["user_id"], row["at"], row["label"]))


def _instant(chance: random.Random) -> int:
    """Quarters of days over three weeks, and a microsecond beside them."""
    return NOON + chance.randrange(84) * 6 * HOUR + chance.choice((-1, 0, 0, 1))


def _times(chance: random.Random, number: int) -> dict[str, Any]:
    at = _instant(chance)
    return {
        "event_time": at,
        "arrival": at + chance.choice(DELAYS),
        "place": ("topic", chance.randrange(2), number),
    }


def _copy(chance: random.Random, event: Event, number: int) -> Event:
    again = event["arrival"] + chance.choice((-MINUTE, 0, 6 * HOUR))
    return {**event, "arrival": again, "place": ("topic", chance.randrange(2), number)}


def _event(chance: random.Random, number: int) -> Event:
    kind = chance.choice([STARTED, STARTED, COMPLETED, "VideoPlaybackPaused", *RATED])
    event = {
        # ids repeat between users, which are not copies
        "event_id": f"e{chance.choice([number, number % 200])}-{number % 200}",
        "event_type": kind,
        "user_id": USERS[number // 40],
        "title_id": chance.choice(TITLES),
        **_times(chance, number),
    }
    if kind in RATED:
        return {**event, "half_stars": chance.randrange(1, 11)}
    watched = {"watch_s": chance.randrange(7200)} if kind == COMPLETED else {}
    device = chance.choice(["mobile", "smart_tv"])
    return {**event, "device_type": device, "content_type": "movie", **watched}
