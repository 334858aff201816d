"""Maintenance: fewer files, old rows gone, and nothing missing to who reads on."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.generations import Action, record_action, switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, EXPERIMENT_RESULTS, EXPERIMENT_USER, QUALITY, TABLES
from jobs.runtime.maintenance.maintain import maintain, tasks
from jobs.runtime.maintenance.retained_versions import RetainedVersion, retained_versions
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.recompute.next_generation import next_generation
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.streams.query import follow, stop
from tests.oracles.pipeline import Raw
from tests.support.lakes import BATCH_BY_BATCH, MakeLake, deliver, stream
from tests.support.promises import assert_promises
from tests.support.strategies import INTERACTIONS, MINUTE, NOON
from transforms.instants import instant_of

PLAYBACK = "silver.playback"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def history() -> list[list[Raw]]:
    """Three batches of plays, each of a user of its own, on one day."""
    plays = [play(number) for number in range(6)]
    return [plays[:2], plays[2:4], plays[4:]]


def play(number: int) -> Raw:
    event = {
        "eventType": "VideoPlaybackStarted",
        "version": "2.1",
        "timestamp": "2026-09-21T14:13:20Z",
        "eventId": f"e{number}",
        "userId": f"user_{number}",
        "sessionId": "s",
        "deviceInfo": {"deviceType": "mobile", "platform": "web"},
        "contentInfo": {"titleId": "title_x", "contentType": "movie", "duration": 60},
        "playbackContext": {"source": "search", "position": 5},
        "metadata": {},
    }
    key = str(event["userId"]).encode()
    return Raw(INTERACTIONS, 0, number, key, json.dumps(event).encode(), NOON + number * MINUTE)


def configured(**policy: Any) -> Settings:
    """Settings by which what nobody needs goes at once; conf/ takes no time so short."""
    settings = load_settings(overrides=BATCH_BY_BATCH, environment={})
    changed = settings.maintain.model_copy(update={"vacuum_h": 0.0, **policy})
    return settings.model_copy(update={"maintain": changed})


def files(lake: Lake, table: str) -> set[str]:
    """The data files on disk, whether the newest version holds them or not."""
    return {str(file) for file in Path(lake.path(table)).rglob("*.parquet")
            if "_delta_log" not in file.parts}  # fmt: skip


def held(lake: Lake, table: str) -> list[str]:
    """The data files of the newest version."""
    return [file.removeprefix("file://") for file in lake.read(table).inputFiles()]


@pytest.mark.slow
def test_streams_go_on_behind_maintenance_and_lose_nothing(
    lakes: MakeLake, history: list[list[Raw]]
) -> None:
    settings, lake = configured(), lakes(Lake)
    deliver(lake, history[:1])
    stream(lake, settings)
    bronze = files(lake, BRONZE)
    with refining(
        lake, load_judge(settings.refine), settings.refine, available_now=False
    ) as running:
        deliver(lake, history[:2])
        running.query.processAllAvailable()
        unread = files(lake, PLAYBACK)  # of the second batch: fold has not come so far
        maintain(lake, settings, datetime.now(UTC))
        assert unread <= files(lake, PLAYBACK)
        assert unread - set(held(lake, PLAYBACK)), "nothing was compacted"
        deliver(lake, history)
        running.query.processAllAvailable()
        stop(running)
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)

    maintain(lake, settings, datetime.now(UTC))
    dates = lake.read(PLAYBACK).select("event_date").distinct().count()
    assert len(held(lake, PLAYBACK)) == dates, "files were left uncompacted"
    assert not unread & files(lake, PLAYBACK), "files that nobody needs were kept"
    assert bronze <= files(lake, BRONZE), "a lost checkpoint could not be made anew"
    shutil.rmtree(lake.checkpoint("refine"))
    stream(lake, settings)
    assert_promises(lake, settings, [raw for batch in history for raw in batch])


@pytest.mark.slow
def test_what_is_needed_is_the_oldest_version_of_all_who_read(
    lakes: MakeLake, history: list[list[Raw]]
) -> None:
    settings, lake = configured(), lakes(Lake)
    deliver(lake, history[:1])
    built_from = lake.version(BRONZE)
    new = next_generation(lake, load_judge(settings.refine), settings, built_from)
    deliver(lake, history)
    rows = [
        {"experiment_id": "e", "variant": "v", "metric": "m", "computed_at": NOW - age,
         "built_from": {"generation": generation, "experiment_user": version, "models": version,
                        "catalog": version}}
        for age, generation, version in ((20 * DAY, 1, 7), (DAY, 2, 9), (40 * DAY, 1, 3))
    ]  # fmt: skip
    told = lake.spark.createDataFrame(rows, TABLES[EXPERIMENT_RESULTS].schema)
    lake.append(EXPERIMENT_RESULTS, told, Transaction("test", 1))

    found = retained_versions(lake, settings.refine.duplicate_horizon_h, NOW - 30 * DAY)
    assert found[lake.path(BRONZE)].version == 0, "generation 1 would be streamed from the start"
    assert found[lake.path(EXPERIMENT_USER)].version == 7
    assert found[new.path(EXPERIMENT_USER)].version == 9
    assert found[lake.path("silver.models")].version == 7
    assert found[new.path(PLAYBACK)] == RetainedVersion(
        new.version(PLAYBACK), "fold of generation 2"
    )
    assert lake.path(PLAYBACK) not in found, "no stream of generation 1 has begun"


def test_old_rows_go_but_not_a_failure_that_still_stops_something(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    switch(lake, 1)
    checks = [
        {"at": NOW - days * DAY, "generation": 1, "table_name": "t", "expectation": name,
         "severity": "blocker", "passed": passed}
        for days, name, passed in ((100, "old", True), (100, "failed", False), (80, "recent", True))
    ]  # fmt: skip
    arrivals = [{"topic": "t", "arrival_date": (NOW - days * DAY).date()} for days in (41, 40, 39)]
    for table, rows in ((QUALITY, checks), (BRONZE, arrivals)):
        frame = lake.spark.createDataFrame(rows, TABLES[table].schema)
        lake.append(table, frame, Transaction("test", 1))

    maintain(lake, configured(bronze_days=40, ops_days=90), NOW)
    assert {row.expectation for row in lake.read(QUALITY).collect()} == {"failed", "recent"}
    kept = {row.arrival_date for row in lake.read(BRONZE).collect()}
    assert kept == {(NOW - days * DAY).date() for days in (40, 39)}


@pytest.mark.slow
def test_bronze_keeps_its_files_from_where_a_new_checkpoint_would_read_them_in_order(
    lakes: MakeLake, history: list[list[Raw]]
) -> None:
    settings, lake = configured(), lakes(Lake)

    def settled() -> date:
        horizon_h = settings.refine.duplicate_horizon_h
        return next(t.settled for t in tasks(lake, settings.maintain, horizon_h, NOW)
                    if t.table == BRONZE)  # fmt: skip

    deliver(lake, history)
    stream(lake, settings)
    assert settled() == date.min, "generation 1 would read all of it"
    built = next_generation(lake, load_judge(settings.refine), settings)
    assert settled() == date.min
    switch(lake, built.generation)
    record_action(lake, 1, Action.RETIRED)
    last = lake.read(BRONZE).agg(F.max(F.unix_micros("ingest_time"))).first()[0]  # type: ignore[index]
    assert settled() == (instant_of(last) - DAY).date(), "a horizon before the build's end"
