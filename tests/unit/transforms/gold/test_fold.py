"""Folds merge exactly: any order, any split, any grouping of partials gives the same table."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.contracts.registry import load_registry
from tests.support.facts import NOON, SCHEMA, fact
from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import evaluate, lift, merge
from transforms.gold.tables import (
    DEVICE_TYPES,
    FOLDS,
    SOURCES,
    TITLE_DAY,
    USER_DAY,
    USER_FEATURES,
    USER_TITLE,
)


def frame(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame(
        [tuple(row.get(name) for name in FACT_COLUMNS) for row in rows], SCHEMA
    )


@pytest.fixture(scope="module")
def varied(spark: SparkSession) -> DataFrame:
    """120 facts over few users, titles and days, so that every key has several."""
    chance = random.Random(7)
    rows = []
    for number in range(120):
        kind = chance.choice(["Started", "Completed", "Paused", "Seeked", "rated", "clicked"])
        others = {"rated": "UserRatingSubmitted", "clicked": "UserEngagement"}
        rows.append(
            fact(
                f"e{number:03}",
                others.get(kind, f"VideoPlayback{kind}"),
                event_time=NOON + timedelta(hours=chance.randrange(60)),
                user_id=f"u{chance.randrange(4)}",
                title_id=f"t{chance.randrange(5)}",
                region=chance.choice(["eu", "us"]),
                source=chance.choice([*SOURCES, None]),
                device_type=chance.choice([*DEVICE_TYPES, None]),
                position_s=None if kind in others else chance.choice([None, 0, 70, 4999]),
                rank=chance.randrange(1, 9) if kind == "clicked" else None,
                watch_s=chance.randrange(5000) if kind == "Completed" else None,
                half_stars=chance.randrange(1, 11) if kind == "rated" else None,
            )
        )
    return frame(spark, rows).persist()


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("parts", [2, 7])
def test_partials_of_any_split_merge_to_the_fold_of_everything(
    varied: DataFrame, name: str, parts: int
) -> None:
    fold = FOLDS[name]
    split = [varied.where(F.pmod(F.xxhash64("event_id"), F.lit(parts)) == p) for p in range(parts)]
    partials = [evaluate(fold, part) for part in split]
    first_half = merge(fold, partials[0].unionByName(partials[1]))
    merged = first_half
    for partial in partials[2:]:
        merged = partial.unionByName(merged)
    assert_df_equality(
        merge(fold, merged), evaluate(fold, varied), ignore_row_order=True, ignore_nullable=True
    )


@pytest.mark.parametrize("name", FOLDS)
def test_a_fold_has_one_row_a_key(varied: DataFrame, name: str) -> None:
    fold = FOLDS[name]
    rows = evaluate(fold, varied)
    assert rows.count() == lift(fold, varied).select(*fold.key).distinct().count() > 1


def test_the_last_play_is_the_greatest_by_time_then_event_id(spark: SparkSession) -> None:
    rows = [
        fact("b", title_id="by id", event_time=NOON),
        fact("a", title_id="smaller id", event_time=NOON),
        fact("z", title_id="earlier", event_time=NOON - timedelta(microseconds=1)),
        fact("zz", "VideoPlaybackCompleted", title_id="no play", event_time=NOON),
    ]
    [row] = evaluate(USER_FEATURES, frame(spark, rows)).collect()
    assert row.last_play.title_id == "by id"
    assert (row.plays, row.completions) == (3, 1)


def test_a_user_who_never_started_has_no_last_play(spark: SparkSession) -> None:
    rows = [fact("a", "VideoPlaybackCompleted", watch_s=60)]
    [row] = evaluate(USER_FEATURES, frame(spark, rows)).collect()
    assert (row.last_play, row.watch_s) == (None, 60)


def test_what_is_unknown_counts_in_the_total_and_as_no_value(spark: SparkSession) -> None:
    unknown = dict.fromkeys(["device_type", "source", "content_type", "position_s"])
    rows = frame(spark, [fact("a"), fact("b", **unknown)])
    [day] = evaluate(USER_DAY, rows).collect()
    on = sum(day[f"plays_on_{device}"] for device in DEVICE_TYPES)
    came_from = sum(day[f"plays_from_{source}"] for source in SOURCES)
    assert (day.plays, day.plays - on, day.plays - came_from) == (2, 1, 1)
    [features] = evaluate(USER_FEATURES, rows).collect()
    last = features.last_play
    assert (last.event_id, last.device_type, last.content_type) == ("b", None, None)
    [title] = evaluate(USER_TITLE, frame(spark, [fact("b", **unknown)])).collect()
    assert title.furthest_position_s is None, "an unknown position is not 0"


def test_viewers_are_the_users_of_plays_once_each_and_sorted(spark: SparkSession) -> None:
    rows = [
        fact("1", user_id="b"),
        fact("2", user_id="a"),
        fact("3", user_id="b"),
        fact("4", "VideoPlaybackCompleted", user_id="c", watch_s=5),
    ]
    [row] = evaluate(TITLE_DAY, frame(spark, rows)).collect()
    assert row.viewers == ["a", "b"]


def test_the_breakdowns_are_those_of_the_contract() -> None:
    """gold.user_day has a column for each value of the contract's enumerations, and no other."""
    started = load_registry().newest("VideoPlaybackStarted").root.fields
    device_types = started["deviceInfo"].fields["deviceType"].schema["enum"]
    sources = started["playbackContext"].fields["source"].schema["enum"]
    assert (tuple(device_types), tuple(sources)) == (DEVICE_TYPES, SOURCES)
